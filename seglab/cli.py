"""The command line; every option of `train` comes from RunConfig and the entries."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_origin

import numpy as np

from seglab import jobs, plans, runs
from seglab.compare import Comparison, Group
from seglab.config import RunConfig, assigned, picked, settings
from seglab.data.base import spread
from seglab.entry import FAMILIES, Entry, Predictor, SeglabError, refusal_of, validated

if TYPE_CHECKING:
    from seglab.data.survey import Survey

DRAWINGS = (".png", ".jpg", ".jpeg", ".webp", ".pdf")  # that pixels are written to
FIGURES = (*DRAWINGS, ".svg")
MOST_MEGAPIXELS = 128  # of a photograph that is labelled
MOST_PROBLEMS = 50  # of a data source that are printed
OPTIONS = """Options of an entry: --model.width 16, --loss.dice.smooth 1, --techniques.color.p 0.5; `seglab list` shows
them all."""
PREDICTED = 2**23  # pixels; a larger photograph is labelled at this size, its label map enlarged again


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one command. Exit status: 0 done, 1 failed, 2 a person's mistake, told in one line."""
    try:
        options, plain = dotted(sys.argv[1:] if argv is None else argv)
        arguments, rest = parser().parse_known_args(plain)
        if rest and rest[0].startswith("--") and "fields" in arguments:
            raise refusal_of("option", rest[0][2:], arguments.fields, thing="seglab", owner="seglab")
        if rest or (options and "dotted" not in arguments):
            given = rest[0] if rest else f"--{next(iter(options))}"
            raise SeglabError(
                "{given} is not recognized here; see seglab {command} --help", given=given, command=arguments.command
            )
        sys.exit(arguments.action(arguments, options))
    except SeglabError as error:
        print(f"seglab: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        print(f"seglab: {type(error).__name__}: {error}", file=sys.stderr)
        if os.environ.get("SEGLAB_DEBUG"):
            raise
        sys.exit(1)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"seglab: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def parser() -> Parser:
    top = Parser(prog="seglab", description="Compare semantic-segmentation models.", allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(action: Any, help: str, epilog: str = "") -> Parser:
        made = commands.add_parser(
            action.__name__.rstrip("_"), help=help, description=help, epilog=epilog, allow_abbrev=False
        )
        made.set_defaults(action=action)
        return made

    listing = command(list_, "show what can be picked")
    listing.add_argument("family", nargs="?", choices=list(FAMILIES), metavar="FAMILY", help=", ".join(FAMILIES))
    forms = listing.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="as JSON, with every option's schema")
    forms.add_argument("--markdown", action="store_true", help="as the README's tables")

    training = command(train, "train a model and print its run's directory", OPTIONS)
    training.set_defaults(fields=RunConfig.model_fields)
    training.add_argument("--name", help="the run's name")

    planning = command(plan, "plan several runs of one configuration, or preview them")
    plan_parsers, going_on = add_plans(planning)
    for each in (training, *plan_parsers):
        each.set_defaults(dotted=True)
        for name, field in RunConfig.model_fields.items():
            each.add_argument(f"--{name}", help=field.description)
        each.add_argument("--config", help="a config.json to start from; other options override it")

    resuming = command(resume, "continue a run that was stopped or interrupted, or start one that is queued")
    resuming.add_argument("run", metavar="RUN")
    for each in (training, resuming, *plan_parsers, going_on):
        each.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute")
        each.add_argument(
            "--threads", type=threads, default=os.cpu_count(), help="threads of the CPU (default: %(default)s)"
        )

    scoring = command(evaluate, "score a run's best model")
    scoring.add_argument("run", metavar="RUN")
    scoring.add_argument("--split", default="val", choices=["train", "search", "val"], help="(default: val)")
    scoring.add_argument("--json", action="store_true")

    predicting = command(predict, "label photographs with a run's best model")
    predicting.add_argument("run", metavar="RUN")
    predicting.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    predicting.add_argument(
        "--out",
        type=output_folder,
        required=True,
        metavar="DIR",
        help="folder for the label maps, overlays and instance maps",
    )
    for each in (scoring, predicting):
        each.set_defaults(dotted=True)
        each.add_argument(
            "--predictors", default="", help="applied in order, such as flips,crf; options: --predictors.crf.w1 5"
        )
        each.add_argument("--crf", action="store_true", help="refine with the dense CRF")
        each.add_argument(
            "--with",
            action="append",
            default=[],
            dest="others",
            metavar="RUN",
            help="a run that also votes; repeatable",
        )

    comparing = command(compare, "compare runs side by side")
    comparing.add_argument("runs", nargs="+", metavar="RUN", help="a run, or a plan, which stands for its runs")
    comparing.add_argument("--json", action="store_true")
    comparing.add_argument("--png", type=figure, metavar="FILE", help="draw the curves")

    shipping = command(ship, "copy a finished run with its weights in float16, to share it")
    shipping.add_argument("run", metavar="RUN")
    shipping.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to create")

    checking = command(data, "open a data source and report its contents and problems")
    checking.set_defaults(dotted=True)
    checking.add_argument(
        "--download", action="store_true", help="download it first: voc2012, oxford_pet or camvid; an interrupted "
        "download continues")  # fmt: skip
    checking.add_argument("--sheet", type=drawing, metavar="FILE", help="draw 16 validation images with their masks; "
        "with --techniques, 16 training images, each followed by its augmented version")  # fmt: skip
    checking.add_argument(
        "--border",
        type=drawing,
        metavar="FILE",
        help="draw them with the borders that the loss border_weighted emphasizes",
    )
    checking.add_argument("--loss", help="the loss whose borders are drawn (default: border_weighted); options: "
        "--loss.sigma 2")  # fmt: skip
    checking.add_argument("--data", required=True, help="the data source, such as folder; options: --data.root DIR")
    checking.add_argument("--techniques", help="what to draw on the sheet, such as crop,cutmix; options: "
        "--techniques.crop.p 1")  # fmt: skip
    checking.add_argument("--image_size", default=128, help="their longer side in training (default: 128)")

    describing = command(describe, "describe a network: its parameters, cost, receptive field and structure")
    describing.set_defaults(dotted=True)
    describing.add_argument("model", metavar="MODEL", help="the network, such as unet; options: --model.width 8")
    describing.add_argument("--image_size", default=128, help="side of the image it is measured with (default: 128)")
    describing.add_argument("--json", action="store_true", help="as JSON, with the blocks and links of the structure")
    describing.add_argument("--png", type=figure, metavar="FILE", help="draw the structure")
    describing.add_argument(
        "--threads", type=threads, default=os.cpu_count(), help="threads of the CPU (default: %(default)s)"
    )
    return top


def add_plans(planning: Parser) -> tuple[list[Parser], Parser]:
    """Gives `plan` a command for each kind of plan, and one to go on; returns them."""
    kinds = planning.add_subparsers(dest="kind", required=True, metavar="PLAN")
    made = []
    for name, entry in FAMILIES["plans"].entries.items():
        texts = {"help": entry.summary(), "description": entry.summary(), "epilog": OPTIONS}
        made.append(kinds.add_parser(name, **texts, allow_abbrev=False))
        made[-1].set_defaults(fields=entry.model_fields | RunConfig.model_fields)
        for option, field in entry.model_fields.items():
            switch, several = field.annotation is bool, get_origin(field.annotation) is tuple
            how = {"action": "append"} if several else {"action": "store_const", "const": True} if switch else {}
            default = (" ".join(field.default) or "none") if several else field.default
            made[-1].add_argument(f"--{option}", help=f"{field.description} (default: {default})", **how)
        made[-1].add_argument("--name", help="the plan's name; its runs are called NAME 1, NAME 2 and so on")
        made[-1].add_argument(
            "--dry-run", action="store_true", help="only show the runs and an estimate of how long they take"
        )
    going_on = kinds.add_parser("resume", help="continue a plan's runs that are not finished", allow_abbrev=False)
    going_on.set_defaults(action=resume_plan)
    going_on.add_argument("plan", metavar="PLAN", help="the plan's name, or its file")
    return made, going_on


def threads(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 to 1024")
    return int(text)


def output_folder(text: str) -> Path:
    """A folder to write into, which need not be there yet."""
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file; give a folder")
    return Path(text)


def figure(text: str) -> Path:
    """A file for curves or a structure."""
    return drawing(text, FIGURES)


def drawing(text: str, endings: Sequence[str] = DRAWINGS) -> Path:
    """A file to draw into."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no folder {path.parent}")
    if path.suffix.lower() not in endings:
        raise argparse.ArgumentTypeError(f"{text}: the ending {path.suffix!r} is not known; known: {' '.join(endings)}")
    return path


# --- options from the command line


def dotted(tokens: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """`--loss.gamma 3` and `--loss.gamma=3`, wherever they stand, as {"loss.gamma": "3"}; and the other words."""
    options: dict[str, str] = {}
    others: list[str] = []
    rest = iter(tokens)
    for token in rest:
        name, equals, value = token.removeprefix("--").partition("=")
        if not token.startswith("--") or "." not in name:
            others.append(token)
            continue
        options[name] = value if equals else next(rest, "--")
        if options[name].startswith("--"):
            raise SeglabError("--{place} has no value", place=name)
    return options, others


def refuse_others(options: dict[str, str], allowed: str, *fields: str) -> None:
    """Raises SeglabError for an option of anything but the fields that a command takes options of."""
    for place in options:
        if place.split(".")[0] not in fields:
            raise SeglabError("--{place} is not an option here; allowed: {allowed}", place=place, allowed=allowed)


# --- commands


def list_(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    families = [arguments.family] if arguments.family else list(FAMILIES)
    if arguments.json:
        print(
            json.dumps(
                {family: [listed(entry) for entry in FAMILIES[family].entries.values()] for family in families},
                indent=1,
            )
        )
        return 0
    for family in families:
        entries = FAMILIES[family].entries.values()
        print(markdown(family, entries) if arguments.markdown else plain(family, entries), end="\n\n")
    return 0


def plain(family: str, entries: Iterable[type[Entry]]) -> str:
    lines = [family]
    for entry in entries:
        lines.append(f"  {entry.name:<20}{entry.summary()}")
        lines += [f"  {'':<20}{entry.source()}"] if entry.source() else []
        for name, schema in listed(entry)["options"].items():
            bounds = [f"{schema[key]}" if key in schema else "" for key in ("minimum", "maximum")]
            allowed = f" ({' to '.join(bounds)})" if all(bounds) else ""
            default = f" [{schema['default']}]" if schema.get("default") is not None else ""
            lines.append(f"    .{name:<15} {schema.get('description', '')}{allowed}{default}")
    return "\n".join(lines)


def markdown(family: str, entries: Iterable[type[Entry]]) -> str:
    """A table of a family's entries, as it stands in the README."""
    lines = [f"| {family} | what it is | options |", "| --- | --- | --- |"]
    for entry in entries:
        options = ", ".join(f"`{name}`" for name in entry.model_fields) or "-"
        lines.append(f"| `{entry.name}` | {entry.summary()} | {options} |")
    return "\n".join(lines)


def listed(entry: type[Entry]) -> dict[str, Any]:
    schema = entry.model_json_schema().get("properties", {})
    return {"name": entry.name, "summary": entry.summary(), "source": entry.source(), "options": schema}


def configured(arguments: argparse.Namespace, options: dict[str, str]) -> RunConfig:
    """The configuration that the options of `train` describe."""
    given: dict[str, Any] = {}
    if arguments.config:
        try:
            given = json.loads(Path(arguments.config).read_bytes())
        except (OSError, ValueError) as error:
            raise SeglabError("{file} cannot be read: {reason}", file=arguments.config, reason=error) from None
    typed = {name: value for name in RunConfig.model_fields if (value := getattr(arguments, name)) is not None}
    given = given | typed if isinstance(given, dict) else given
    config = settings(given, options)
    if isinstance(config.get("techniques"), str):
        config["techniques"] = picked(config["techniques"], "techniques")
    return runs.settled(validated(RunConfig, config))


def train(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    config = configured(arguments, options)
    device = chosen(arguments.device)
    with waiting("reading the data"):
        config.data.open()  # a missing folder is told before a run is made, and so is a missing run
    directory = runs.create(config, arguments.name)
    print(directory, flush=True)
    return follow(directory, device, arguments.threads)


def resume(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directory, device = runs.find(arguments.run), chosen(arguments.device)
    return follow(directory, device, arguments.threads, unstop=True)


def plan(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    kind = FAMILIES["plans"].entries[arguments.kind]
    given = {option: value for option in kind.model_fields if (value := getattr(arguments, option)) is not None}
    made = validated(kind, given)
    device = chosen(arguments.device)
    title, steps = plans.laid_out(made, [configured(arguments, options)], arguments.name)
    with waiting("reading the data"):
        steps = plans.settled(steps)
    with waiting("timing a few steps of each kind of run"):
        estimate = plans.estimate(
            [step.config for step in steps],
            lambda configs: [plans.timed(config, device, arguments.threads) for config in configs],
        )
    print(foreseen(steps, estimate), file=sys.stdout if arguments.dry_run else sys.stderr)
    if arguments.dry_run:
        return 0
    path = plans.create(made, title, steps)
    print(path, flush=True)
    return work_through(path, device, arguments.threads)


def foreseen(steps: Sequence[plans.Step], estimate: plans.Estimate) -> str:
    """A plan's runs before they begin, one a line, and how long they may take."""
    numbers = {step.directory: n for n, step in enumerate(steps, 1)}
    wide = max(len(step.label) for step in steps)
    lines = []
    for step, seconds in zip(steps, estimate.seconds, strict=True):
        after = "".join(f"  after run {numbers[run]}" for run in step.config.needs if run in numbers)
        lines.append(f"{numbers[step.directory]:>3}  {step.label:<{wide}}  about {duration(seconds):>9}{after}")
    how = "a few steps of each kind of run, just now" if estimate.timed else "finished runs with the same settings"
    return "\n".join([*lines, f"{len(steps)} runs, about {duration(sum(estimate.seconds))} together, judging by {how}"])


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def resume_plan(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    return work_through(plans.find(arguments.plan), chosen(arguments.device), arguments.threads)


def work_through(path: Path, device: str, threads: int) -> int:
    """Works on a plan's runs one after the other; one that fails does not keep those from going on that do not need
    it."""
    members, title = plans.members(path), shlex.quote(path.name.removesuffix(runs.PLAN))
    for number, (directory, label) in enumerate(members, 1):
        if runs.status(directory).state in ("completed", "budget", "diverged"):
            continue
        print(f"seglab: run {number} of {len(members)}: {label}", file=sys.stderr)
        try:
            unfinished = jobs.awaited(directory)
        except SeglabError as why:
            print(f"seglab: {why}", file=sys.stderr)
            jobs.fail(directory, why)
            continue
        if unfinished:
            print(f"seglab: {unfinished[0].name} has to be finished first", file=sys.stderr)
            continue
        try:
            follow(directory, device, threads, unstop=True)
        except SeglabError as error:
            print(f"seglab: {error}", file=sys.stderr)
        except Exception as error:  # the run has recorded it; the others may do better
            print(f"seglab: {type(error).__name__}: {error}", file=sys.stderr)
        if runs.status(directory).state == "stopped":
            print(f"seglab: to go on with the plan: python -m seglab plan resume {title}", file=sys.stderr)
            return 0
    left = [label for directory, label in members if runs.status(directory).state not in ("completed", "budget")]
    if left:
        print(f"seglab: not finished: {'; '.join(left)}", file=sys.stderr)
        print(f"seglab: to try again: python -m seglab plan resume {title}", file=sys.stderr)
        return 1
    print(f"seglab: to compare: python -m seglab compare {title}", file=sys.stderr)
    return 0


def follow(directory: Path, device: str, threads: int, unstop: bool = False) -> int:
    """Works on a run with a progress bar; Ctrl-C and SIGTERM end it in good order."""
    from tqdm import tqdm

    from seglab.events import Evaluated, Finished, Started

    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked.append(number))
    with tqdm(unit="step", desc=directory.name, dynamic_ncols=True, disable=None) as bar:
        for event in runs.work(directory, device, threads, lambda: bool(asked), unstop):
            if isinstance(event, Started):
                bar.reset(event.total_steps)
                for note in event.notes:
                    bar.write(f"seglab: note: {note.error()}", file=sys.stderr)
            bar.update(event.step - bar.n)
            if isinstance(event, Evaluated):
                val = event.scores["val"]
                bar.set_postfix(loss=f"{val.loss:.3f}", mIoU="-" if val.miou is None else f"{val.miou:.3f}")
    if not isinstance(event, Finished):
        return 0
    if event.reason in ("diverged", "failed"):
        print(f"seglab: {event.reason}: {event.text}", file=sys.stderr)
        return 1
    best = f", best validation mIoU {event.val_miou:.4f} after epoch {event.best_epoch:g}" if event.val_miou else ""
    print(f"seglab: {event.reason} after {event.seconds:.0f} s{best}", file=sys.stderr)
    if event.reason == "stopped":
        print(f"seglab: to go on: python -m seglab resume {shlex.quote(directory.name)}", file=sys.stderr)
    return 0


def chosen(device: str) -> str:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise SeglabError("device: 'cuda' is not available here; allowed: auto, cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def pipeline(arguments: argparse.Namespace, options: dict[str, str]) -> list[Predictor]:
    """The predictors asked for, with their options; --crf adds the CRF at the end."""
    entries = picked(arguments.predictors, "predictors")
    if arguments.crf and not any(entry["name"] == "crf" for entry in entries):
        entries += picked("crf", "predictors")
    refuse_others(options, "--predictors.NAME.OPTION", "predictors")
    for place, value in options.items():
        assigned(entries, place.split(".")[1:], value, place)
    return [validated(Predictor, entry) for entry in entries]


def bar(things: Any, total: int, unit: str) -> Iterator[Any]:
    from tqdm import tqdm

    return iter(tqdm(things, total=total, unit=unit, delay=2, dynamic_ncols=True, disable=None))


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows the time that something takes whose end is not known, from two seconds on."""
    from tqdm import tqdm

    over = threading.Event()

    def tick() -> None:
        with tqdm(desc=what, bar_format="{desc}: {elapsed}", delay=2, leave=False, disable=None) as clock:
            while not over.wait(0.5):
                clock.update()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def evaluate(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from seglab import metrics, predict
    from seglab.evaluate import number
    from seglab.train import folded

    predictors = pipeline(arguments, options)
    trained, others = runs.load(arguments.run), [runs.load(run) for run in arguments.others]
    with waiting("reading the data"):
        data = folded(trained.config.data.open(), trained.config)
    if data.classes != trained.classes:
        raise SeglabError("the classes of {run} no longer match those of its data", run=trained.name)
    split = getattr(data, arguments.split)
    rest = [predictor for predictor in predictors if predictor.name != "crf"]
    pipelines = [rest, predictors] if len(rest) < len(predictors) else [predictors]
    matrices = sum(bar(predict.confusions(trained, split, pipelines, others), len(split), "image"))

    def result(matrix: np.ndarray) -> dict[str, Any]:
        iou = dict(zip(trained.classes, map(number, metrics.iou(matrix)), strict=True))
        return {
            "miou": number(metrics.miou(matrix)),
            "iou": iou,
            "pixel_accuracy": number(metrics.pixel_accuracy(matrix)),
        }

    found = result(matrices[0]) | {"images": len(split), "definition": metrics.DEFINITION}
    if len(matrices) == 2:
        found["crf"] = result(matrices[1])
    print(json.dumps(found, indent=1, ensure_ascii=False) if arguments.json else scored(found))
    return 0


def scored(found: dict[str, Any]) -> str:
    """The result of `evaluate` as a small table, with a second column after the CRF."""
    columns = [found, *([found["crf"]] if "crf" in found else [])]

    def line(name: str, values: Sequence[float | None]) -> str:
        return f"{name:<18}" + "".join(f"{'-' if value is None else f'{value:.4f}':>10}" for value in values)

    lines = [f"{'':<18}" + "".join(f"{title:>10}" for title in ("plain", "crf")[: len(columns)])]
    lines += [line(name, [column[name] for column in columns]) for name in ("miou", "pixel_accuracy")]
    lines += [line(f"  {name}", [column["iou"][name] for column in columns]) for name in found["iou"]]
    return "\n".join([*lines, f"{found['images']} images. {found['definition']}"])


def predict(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from PIL import Image

    from seglab import draw, predict
    from seglab.data.images import labels_at, read_photo, resize_image, write_mask

    predictors = pipeline(arguments, options)
    trained, others = runs.load(arguments.run), [runs.load(run) for run in arguments.others]
    made: set[Path] = {path.resolve() for path in arguments.images}  # a photograph is never overwritten
    for path in arguments.images:
        for target in targets(arguments.out, path):
            if target.resolve() in made:
                raise SeglabError(
                    "{file} would overwrite {target}; give another --out", file=str(path), target=str(target)
                )
            made.add(target.resolve())
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path in bar(arguments.images, len(arguments.images), "image"):
        image = read_photo(path, most=MOST_MEGAPIXELS)
        height, width = image.shape[:2]
        small = resize_image(
            image, min(max(height, width), int(max(height, width) * (PREDICTED / (height * width)) ** 0.5))
        )
        found = predict.predict(trained, small, predictors, others)
        labels = labels_at(found.labels, height, width)
        map_file, overlay_file, instances_file = targets(arguments.out, path)
        write_mask(map_file, labels, trained.colors)
        overlay = draw.overlay(image, labels, trained.colors)
        if found.instances is not None:
            instances = labels_at(found.instances, height, width)
            overlay = draw.outlined(overlay, instances)
            Image.fromarray(instances.astype(np.uint16)).save(instances_file)
        Image.fromarray(overlay).save(overlay_file)
        print(map_file)
    return 0


def targets(out: Path, image: Path) -> tuple[Path, Path, Path]:
    """The label map and the overlay of an image, and where a model finds any, its things' numbers with 16 bits."""
    return tuple(out / f"{image.stem}{end}.png" for end in ("", "_overlay", "_instances"))


def compare(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from seglab import draw
    from seglab.compare import LEAK, compare

    comparison = compare(plans.expanded(arguments.runs))
    if arguments.png:
        draw.curves(comparison).savefig(arguments.png, dpi=120)
    if arguments.json:
        print(json.dumps(comparison.as_json(), indent=1, ensure_ascii=False))
    else:
        wide = max(map(len, comparison.labels)) + 2
        for label, row in zip(comparison.labels, comparison.rows, strict=True):
            miou = "-" if row.miou is None else f"{row.miou:.4f}"
            size = f"{row.parameters or 0:>12,} parameters"
            print(f"{label:<{wide}}{row.state:<12}mIoU {miou:<8}{size}{row.seconds:>8.0f} s")
        for group in comparison.groups:
            print(f"{group.label}{' with a leak' * group.leak}: {spread_of(group)}")
        if comparison.grid:
            print(table_of(comparison))
        if not comparison.comparable:
            print(
                "seglab: these runs were scored on different images: their scores cannot be compared", file=sys.stderr
            )
        leaking = [label for label, row in zip(comparison.labels, comparison.rows, strict=True) if row.leak]
        if leaking:
            print(f"seglab: {LEAK} ({', '.join(leaking)})", file=sys.stderr)
        for option, values in comparison.differences.items():
            print(f"  {option}: {' | '.join(str(value) for value in values)}")
    return 0


def spread_of(group: Group) -> str:
    """A group's mean mIoU over its runs, and how far they spread."""
    if group.mean is None:
        return "mean mIoU - (n = 0)"
    spread = "" if group.deviation is None else f" ± {group.deviation:.4f}"
    return f"mean mIoU {group.mean:.4f}{spread} (standard deviation, n = {group.count})"


def table_of(comparison: Comparison) -> str:
    """The mIoU of a sweep over two options, the one downwards and the other to the right."""
    grid = comparison.grid
    scores = [["-" if n is None else f"{n:.4f}" for n in row] for row in grid.scores(comparison.rows)]
    lines = [[f"{grid.down} \\ {grid.right}", *map(str, grid.columns)]]
    lines += [[str(value), *row] for value, row in zip(grid.lines, scores, strict=True)]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:>{w}}" for cell, w in zip(line, wide, strict=True)) for line in lines)


def ship(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directory = runs.find(arguments.run)
    if not runs.status(directory).over:
        raise SeglabError("{run} is not finished yet", run=directory.name)
    runs.ship(directory, arguments.out)
    return 0


def data(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from seglab.data import archives, folder, survey

    refuse_others(options, "--data.OPTION, --loss.OPTION, --techniques.NAME.OPTION", "data", "loss", "techniques")
    if not arguments.border and (arguments.loss or any(place.startswith("loss.") for place in options)):
        raise SeglabError("--loss needs --border FILE, to which the borders it emphasizes are drawn")
    techniques = picked(arguments.techniques or "", "techniques")
    given = {"data": arguments.data, "techniques": techniques, "image_size": arguments.image_size}
    if arguments.border:
        given["loss"] = arguments.loss or "border_weighted"
    config = validated(RunConfig, settings(given, options))
    if config.techniques and not arguments.sheet:
        raise SeglabError("--techniques needs --sheet FILE, to which they are drawn")
    if arguments.border and not config.loss.stressed:
        raise SeglabError("--border: the loss {loss} emphasizes no borders; border_weighted does", loss=arguments.loss)
    dataset = config.data
    if arguments.download:
        if not isinstance(dataset, archives.Downloadable):
            raise SeglabError("--download: {name} cannot be downloaded from a public address", name=dataset.name)
        print(f"seglab: it is in {dataset.download()}", file=sys.stderr)
    if isinstance(dataset, folder.Folder):
        with waiting("reading the data"):
            report = dataset.report()
        print(report.text())
        if report.rows:
            return 2
    try:
        with waiting("reading the data"):
            found = dataset.open()
    except SeglabError as error:
        for problem in error.each[:MOST_PROBLEMS]:
            print(f"wrong: {problem}")
        raise
    print(f"{len(found.train)} training, {len(found.search)} search and {len(found.val)} validation images")
    print(f"{len(found.classes)} classes: {', '.join(found.classes)}")
    if not isinstance(dataset, folder.Folder):
        seen = survey.survey(found, each=lambda places, count: bar(places, count, "image"))
        print(surveyed(found.classes, seen))
        if seen.wrong:
            return 2
    if arguments.sheet or arguments.border:
        from PIL import Image

        from seglab import draw
        from seglab.loader import at_side

        shown = [found.val[n] for n in spread(len(found.val), 16)]
    if arguments.sheet:
        drawn = shown
        if config.techniques:
            from seglab.preview import preview

            drawn = [sample for before, after, _ in preview(config, 16)[1] for sample in (before, after)]
        pairs = [(sample.image, draw.painted(sample.mask, found.colors)) for sample in drawn]
        Image.fromarray(draw.contact_sheet(pairs)).save(arguments.sheet)
    if arguments.border:
        small, loss = [at_side(sample, config.image_size) for sample in shown], config.loss  # as training sees them
        pairs = [
            (sample.image, draw.glowing(sample.image, loss.targets(sample)[loss.stressed][..., 0])) for sample in small
        ]
        Image.fromarray(draw.contact_sheet(pairs)).save(arguments.border)
    return 0


def surveyed(classes: Sequence[str], seen: Survey) -> str:
    """Sizes, class shares, warnings and wrong files, one thing a line."""
    sizes = [f"{width} x {height} ({count} images)" for (width, height), count in seen.sizes[:5]]
    lines = ["sizes: " + ", ".join(sizes) + ", …" * (len(seen.sizes) > 5), f"void: {seen.void:.1%} of all pixels"]
    wide = max(map(len, classes))
    lines.append(
        f"{'labelled pixels':>{wide + 5}}{''.join(f'{part:>9}' for part in seen.shares)}    masks that show it"
    )
    for index, (name, images) in enumerate(zip(classes, seen.images, strict=True)):
        shares = "".join(f"{shares[index]:>9.1%}" for shares in seen.shares.values())
        lines.append(f"{index:>4} {name:<{wide}}{shares} {images:>8}")
    lines += [f"warning: {warning}" for warning in seen.warnings]
    lines += [f"wrong: {problem}" for problem in seen.wrong[:MOST_PROBLEMS]]
    return "\n".join([*lines, f"problems: {len(seen.wrong)}"])


def describe(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from dataclasses import asdict

    from seglab import draw
    from seglab.anatomy import anatomy, milliseconds

    refuse_others(options, "--model.OPTION", "model")
    config = validated(RunConfig, settings({"model": arguments.model, "image_size": arguments.image_size}, options))
    model, side = config.model, config.image_size
    found = anatomy(model, side=side)
    known = {
        "name": model.name,
        "summary": model.summary(),
        "source": model.source(),
        "year": model.year,
        "options": {name: getattr(model, name) for name in type(model).model_fields},
        "paper": {"options": model.paper, "parameters": model.parameters},
        "milliseconds": round(milliseconds(model, side, arguments.threads), 2),
        "threads": arguments.threads,
        "notes": [str(note) for note in model.suited(side).notes()],
        **asdict(found),
    }
    print(json.dumps(known, indent=1, ensure_ascii=False) if arguments.json else described(known))
    if arguments.png:
        draw.structure_figure(found, model.name).savefig(arguments.png, dpi=150)
    return 0


def described(known: dict[str, Any]) -> str:
    """What `describe` found, one thing a line."""
    reach, paper = known["receptive_field"], known["paper"]
    published = ", ".join(f"{name} {value}" for name, value in paper["options"].items()) or "the default options"
    threads = f"{known['threads']} thread{'s' if known['threads'] > 1 else ''}"
    lines = {
        "year": known["year"],
        "source": known["source"],
        "parameters": f"{known['parameters']:,} with 11 classes; {paper['parameters']:,} with 21 and {published}",
        "multiply-adds": f"{known['multiply_adds']:,} for an image of {known['side']} x {known['side']}",
        "output stride": known["output_stride"],
        "receptive field": f"{reach} pixels" if reach else known["why"],
        "time": f"{known['milliseconds']:g} ms for this image, with {threads}",
    }
    told = [*lines.items(), *(("note", note) for note in known["notes"])]
    return "\n".join([known["name"], f"  {known['summary']}", *(f"  {name:<18}{line}" for name, line in told)])
