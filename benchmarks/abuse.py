"""A page under abuse and under long use: foreign bodies at every event, probes for what is not theirs, hard pictures
for the CRF, five hundred predictions, and runs one after the other.

python -m benchmarks.abuse [--parts bodies,probes,noise,soak,refining,training] [--count N]

Each part prints what it measured and its mark; `--count` makes a part smaller than the mark asks.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import psutil
from PIL import Image

from benchmarks._page import served
from benchmarks.classroom import PAGES, PATIENCE, Class, told
from seglab import jobs, runs
from seglab.config import RunConfig
from seglab.entry import validated

WORDS = [
    "unet",
    "",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\x00",
    "가나다",
    "1e999",
    "nan",
    "run/../../x",
    "ﬀ" * 50,
]
NAMES = [
    "run", "runs", "what", "action", "picked", "options", "visitor", "name", "picture", "steps", "number", "quick",
    "model", "data", "loss", "token", "nickname", "key", "photo", "example", "vote", "plan", "vary", "sum",
]  # fmt: skip
GROWN = 50  # megabytes that the server may grow by under foreign bodies


def anything(draw: random.Random, depth: int = 0) -> Any:
    """Some JSON."""
    kind = draw.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return draw.choice(WORDS)
    if kind == 1:
        return draw.choice([0, -1, 1, 2**31, 10**30, -0.5, 1e300])
    if kind in (2, 3):
        return draw.choice([None, True, False, [], {}])
    if kind in (4, 5):
        return draw.choice(NAMES)
    if kind == 6:
        return [anything(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {draw.choice(NAMES): anything(draw, depth + 1) for _ in range(draw.randrange(6))}


def asked(request: Request | str) -> tuple[int, bytes]:
    """Status and body of an answer, whatever it is."""
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()
    except URLError:  # the server has heard enough and hangs up
        return 0, b""


def leaks(content: bytes, home: str) -> bool:
    """Whether an answer tells of the machine's folders or of the code."""
    return any(word in content for word in (b"Traceback", b'File "', home.encode(), b"/site-packages/", b"root:x:0"))


def bodies(room: Class, count: int) -> None:
    """Random bodies at every event of the page that does not queue and at those that do."""
    draw, failed, leaked = random.Random(0), [], []
    events = room.config["dependencies"]

    def throw(n: int) -> None:
        event = draw.choice(events)
        inputs = [anything(draw) for _ in event["inputs"]] if draw.random() < 0.8 else anything(draw)
        if isinstance(inputs, list) and draw.random() < 0.5:
            inputs = [json.dumps(each) for each in inputs]  # as the page sends what it asks
        body: dict[str, Any] = {"data": inputs, "fn_index": event["id"], "session_hash": f"abuse{n % 40}"}
        if draw.random() < 0.9:
            body["event_data"] = anything(draw)
        path = "run/predict" if event["queue"] is False else "queue/join"
        if draw.random() < 0.05:
            body, path = anything(draw), draw.choice(["run/predict", "queue/join", "cancel", "reset", "heartbeat/x"])
        request = Request(
            f"{room.address}gradio_api/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        status, content = asked(request)
        # one of the page's own, with as many inputs as it has: Gradio answers others with a 500 before it is called
        ours = event["targets"][0][1] in ("click", "submit", "input", "edit", "select") and len(event["inputs"]) < 2
        whole = isinstance(inputs, list) and len(inputs) == len(event["inputs"])
        if status == 500 and ours and whole and isinstance(body, dict) and body.get("fn_index") == event["id"]:
            failed.append((event["targets"], content[:200], body))
        if leaks(content, os.environ["SEGLAB_HOME"]):
            leaked.append(content[:200])

    for n in range(count // 4):  # what every server has after a while is not counted
        throw(n)
    drained(room)
    before = room.megabytes()
    for n in range(count):
        throw(n)
    for large in (b"[" * 2_000_000, b'{"data": ["' + b"x" * 2_000_000 + b'"]}', b""):
        request = Request(f"{room.address}gradio_api/run/predict", large, {"Content-Type": "application/json"})
        status, _ = asked(request)
        if status >= 500:
            failed.append(("size", b"", len(large)))
    drained(room)
    grown, text = room.megabytes() - before, f"{count} foreign bodies: answers of 500 by the page's own events"
    told(text, len(failed), "", 0, not failed, f" {failed[:2]}")
    told("answers with a folder or a traceback", len(leaked), "", 0, not leaked, f" {leaked[:2]}")
    told("memory after them", grown, "MB more", GROWN, grown <= GROWN)


def drained(room: Class) -> None:
    """Waits until the server has worked off what queues, and answers a visitor."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            room.client().queued("viewer", "click", {"runs": ["unet"], "picture": {"example": 0}})
            return
        except HTTPError:  # the queue is full
            time.sleep(0.5)
    raise TimeoutError("the server's queue stays full for two minutes")


PROBES = [
    "gradio_api/file=/etc/passwd",
    "gradio_api/file=../../etc/passwd",
    "gradio_api/file=http://127.0.0.1/",
    "gradio_api/file=https://example.org/",
    "gradio_api/file=file:///etc/passwd",
    "gradio_api/file=HOME/config.json",
    "gradio_api/file/HOME",
    "gradio_api/deep_link",
    "gradio_api/proxy=http://127.0.0.1",
    "file=/etc/passwd",
    "seglab/picture/..%2f..%2fetc/image/0.webp",
    "seglab/picture/%2e%2e/truth/0.webp",
    "seglab/picture/unet/mask/-1.webp",
    "seglab/picture/unet/mask/0.webp?epoch=../../../x",
    "seglab/picture/unet/etc/0.webp",
    "seglab/picture/unet/image/99.webp",
    "seglab/picture/HOME/image/0.webp",
    "seglab/curves.csv?run=../../etc/passwd",
    "seglab/curves.exe?run=unet",
    "seglab/scores?run=%2Fetc%2Fpasswd",
    "seglab/masks?run=..",
    "seglab/settings?run=..",
    "seglab/settings?preset=../x",
    "seglab/examples?run=/etc",
    "seglab/assets/x/../../guard.py",
    "seglab/assets/%2e%2e/guard.py",
    "seglab/watch?v=../x",
    "seglab/watch?r=../../etc/passwd@",
    "seglab/watch?lang=../../x",
    "seglab/form?lang=../../x",
    "seglab/start?lang=<script>",
    "?lang=<script>alert(1)</script>",
    "?__theme=<script>",
    "monitoring",
    "gradio_api/monitoring",
    "gradio_api/runs",
    "config?x=/etc/passwd",
    "static/../../../etc/passwd",
    "assets/../../../etc/passwd",
    "theme.css?x=../../etc/passwd",
]


def probes(room: Class, count: int) -> None:
    """Forty ways of asking for what is not a visitor's, and a foreign site's requests."""
    home = os.environ["SEGLAB_HOME"]
    wrong = []
    for probe in PROBES[:count]:
        status, content = asked(room.address + probe.replace("HOME", home.lstrip("/")))
        if leaks(content, home) or b"<script>alert" in content or status >= 500:
            wrong.append((probe, status, content[:100]))
    foreign = {"Content-Type": "application/json", "Origin": "https://evil.example"}
    doors = [
        Request(f"{room.address}gradio_api/run/predict", b"{}", foreign),
        Request(f"{room.address}gradio_api/queue/join", b"{}", {"Sec-Fetch-Site": "cross-site"}),
        Request(f"{room.address}seglab/watch", headers={"Host": "evil.example"}),
        Request(f"{room.address}gradio_api/upload", b"x", {"Origin": "null"}),
    ]
    opened = [request.full_url for request in doors if asked(request)[0] != 403]
    told(f"{min(count, len(PROBES))} probes that got what is not theirs", len(wrong), "", 0, not wrong, f" {wrong[:3]}")
    told("doors open to other sites", len(opened), "", 0, not opened, f" {opened}")


def noise(room: Class, count: int) -> None:
    """Thirty pages look while the CRF works on photographs of noise, which are the slowest for it."""
    waits: list[float] = []
    answers: list[float] = []
    pixels = np.random.default_rng(0).integers(0, 256, (480, 480, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(pixels).save(f"{folder}/noise.png")
        client = room.client()
        photo = uploaded(room, Path(folder, "noise.png"), client)
        with room.at_once(lambda page: page.look(room.directory.name), 2.0, waits, PAGES):
            for n in range(count):
                options = {"predictors": {"crf": {"theta_beta": 5 + n % 20}}}
                began = time.monotonic()
                client.queued("viewer", "click", {"runs": ["unet"], "picture": {"photo": photo}, "options": options})
                answers.append(time.monotonic() - began)
    slow = float(np.percentile(waits, 95))
    told("95th percentile of an answer while the CRF works on noise", slow, "s", 0.4, slow <= 0.4, f" of {len(waits)}")
    told("slowest CRF", max(answers), "s", 10, max(answers) <= 12, f" of {count}")


def uploaded(room: Class, file: Path, client: Any) -> str:
    """What the page calls a photograph once it is there."""
    edge = "seglabboundary"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{file.name}"\r\n\r\n'
    body = head.encode() + file.read_bytes() + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    (path,) = json.loads(asked(Request(f"{room.address}gradio_api/upload", body, kind))[1])
    given = {"path": path, "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}
    return client.queued("predict-upload", "upload", {}, [given])["photo"]


def soak(room: Class, count: int) -> None:
    """Predictions one after the other: the server's memory, by its slope and by its end."""
    client, errors = room.client(), 0

    def predict(n: int) -> None:
        nonlocal errors
        options = {"predictors": {"crf": {"w1": 1 + n % 15}}}
        asking = {"runs": ["unet", "unet_vgg16"], "picture": {"example": n % 8}, "options": options, "vote": True}
        errors += bool(client.queued("viewer", "click", asking)["error"])

    for n in range(min(100, count)):
        predict(n)
    sizes = [room.megabytes()]
    for n in range(count):
        predict(n)
        sizes.append(room.megabytes())
    slope = float(np.polyfit(np.arange(len(sizes)), sizes, 1)[0])
    told(f"memory for each of {count} predictions", slope, "MB", 0.05, slope <= 0.05)
    told("memory after them", sizes[-1] - sizes[0], "MB more", 40, sizes[-1] - sizes[0] <= 40)
    told("errors", errors, "", 0, errors == 0)


def refining(room: Class, count: int) -> None:
    """CRFs, one after the other: the memory of this process and of the one that it has for them."""
    from seglab import crf
    from seglab.predictors import Crf

    process = psutil.Process()
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(8), (128, 128)).transpose(2, 0, 1).astype(np.float32)
    image = rng.integers(0, 256, (128, 128, 3), np.uint8)

    def once() -> None:
        crf.refine(probabilities, image, Crf())

    def memory() -> int:
        assert crf._child.process
        return sum(each.memory_info().rss for each in (process, psutil.Process(crf._child.process.pid)))

    for _ in range(20):
        once()
    before = memory()
    for _ in range(count):
        once()
    grown = (memory() - before) / 2**20
    told(f"memory after {count} CRFs", grown, "MB more", 2, grown <= 2)


def training(room: Class, count: int) -> None:
    """Runs one after the other, every fourth stopped: memory, children and files that stay."""
    jobs.stop(room.directory)
    before, server = None, psutil.Process(room.process)
    for n in range(count):
        data = {"name": "streets", "train_images": 8, "val_images": 4, "size": 64}
        config = {"data": data, "model": {"name": "unet", "width": 4, "depth": 2}, "image_size": 64, "seed": n}
        (run,) = jobs.submit([validated(RunConfig, config | {"epochs": 300 if n % 4 == 3 else 1})])
        while runs.status(run).state == "queued" or (n % 4 == 3 and not runs.events(run)):
            time.sleep(0.2)
        if n % 4 == 3:
            jobs.stop(run)
        while not runs.status(run).over:
            time.sleep(0.2)
        before = room.megabytes() if n == 0 else before
    time.sleep(2)
    grown = room.megabytes() - (before or 0)
    children = [child for child in server.children(recursive=True) if "seglab.jobs" in " ".join(child.cmdline())]
    stray = [path for path in runs.home().rglob("*") if ".next" in path.name or path.name == "queued"]
    told(f"memory after {count} runs", grown, "MB more", 30, grown <= 30)
    told("children and files that stayed", len(children) + len(stray), "", 0, not (children or stray), f" {stray[:3]}")


PARTS = {  # with how often the mark asks for it
    "bodies": (bodies, 2000),
    "probes": (probes, 40),
    "noise": (noise, 10),
    "soak": (soak, 500),
    "refining": (refining, 500),
    "training": (training, 20),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="A page under abuse and under long use.")
    parser.add_argument("--parts", default=",".join(PARTS), help="which of these (default: %(default)s)")
    parser.add_argument("--count", type=int, help="how often (default: what the mark asks)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        data = {"name": "streets", "train_images": 64, "val_images": 2}
        (directory,) = jobs.submit([validated(RunConfig, {"loss": "cross_entropy", "data": data, "epochs": 1000})])
        with served([sys.executable, "app.py"], home) as (address, program):
            known = json.loads(urlopen(f"{address}config").read())
            for name in options.parts.split(","):
                part, usual = PARTS[name]
                part(Class(address, known, directory, program.pid), options.count or usual)
            jobs.stop(directory)


if __name__ == "__main__":
    main()
