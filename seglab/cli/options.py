"""What commands share: options of entries, types of arguments, and a word for what is not known."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from seglab import machine, runs
from seglab.api.following import MOST_PROCESSES
from seglab.cli.show import counting
from seglab.config import RunConfig, chain, family_of, read, several, text_of
from seglab.entry import FAMILIES, Entry, refusal_of
from seglab.errors import SeglabError
from seglab.families import Predictor

DRAWINGS = (".png", ".jpg", ".jpeg", ".webp", ".pdf")  # that pixels are written to
FIGURES = (*DRAWINGS, ".svg")
OF_FAMILY = {field: family.family for field in RunConfig.model_fields if (family := family_of(field))} | {
    "techniques": "techniques",
    "predictors": "predictors",
    "preset": "presets",
}
OPTIONS = """Options of an entry are written with dots: --model.width 16, --techniques.color.p 0.5.
`seglab train --model unet --help` shows those of an entry, `seglab list` all of them."""


def entries_named(field: str, arguments: argparse.Namespace) -> list[type[Entry]]:
    """The entries that the text given for a field names; raises SeglabError for names that are not known."""
    text = getattr(arguments, field, None)
    if not isinstance(text, str) or text in ("", "none"):
        return []
    family = OF_FAMILY[field]
    data = read(field, text) if field == "loss" else text
    names = ",".join(part["loss"] for part in data["parts"]) if isinstance(data, dict) else data
    return [FAMILIES[family].known()[name] for name in several(names, family)]


def suggestion(given: str, arguments: argparse.Namespace) -> SeglabError:
    """What is said of an option that a command does not know: which one of an entry was meant, or of the command."""
    if "fields" not in arguments or not given.startswith("--"):
        return SeglabError(
            "{given} is not recognized here; see seglab {command} --help", given=given, command=arguments.command
        )
    name = given[2:].partition("=")[0]
    given_for = {field: read(field, text) for field in OF_FAMILY if (text := getattr(arguments, field, None))}
    if near := RunConfig.elsewhere(name, given_for):
        return SeglabError("--{given} is not an option; did you mean --{near}?", given=name, near=near)
    return refusal_of("option", name, arguments.fields, thing="seglab", owner="seglab")


def refuse_others(options: dict[str, str], allowed: str, *fields: str) -> None:
    """Raises SeglabError for an option of anything but the fields that a command takes options of."""
    for place in options:
        if place.split(".")[0] not in fields:
            raise SeglabError("--{place} is not an option here; allowed: {allowed}", place=place, allowed=allowed)


def up_to(most: int) -> Callable[[str], int]:
    """What reads a whole number from 1 to this one."""

    def number(text: str) -> int:
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 to {most}")
        return int(text)

    return number


def output_folder(text: str) -> Path:
    """A folder to write into, which need not be there yet."""
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file; give a folder")
    runs.refuse_unwritable(Path(text))
    return Path(text)


def figure(text: str) -> Path:
    """A file for curves or a structure."""
    return drawing(text, FIGURES)


def page(text: str) -> Path:
    """A file for a report."""
    return drawing(text, (".html",))


def table(text: str) -> Path:
    """A file for a table."""
    return drawing(text, (".csv",))


def drawing(text: str, endings: Sequence[str] = DRAWINGS) -> Path:
    """A file to draw or to write into."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no folder {path.parent}")
    if path.suffix.lower() not in endings:
        raise argparse.ArgumentTypeError(f"{text}: the ending {path.suffix!r} is not known; known: {' '.join(endings)}")
    runs.refuse_unwritable(path.parent)
    return path


def add_run(parser: argparse.ArgumentParser) -> None:
    """The fields of a run as options, each with its default and, where it takes an entry, the names to choose from."""
    parser.set_defaults(dotted=True)
    for name, field in RunConfig.model_fields.items():
        default = text_of(field.get_default(call_default_factory=True))
        help = f"{field.description} (default: {default})"
        if name in OF_FAMILY:
            help += f"; one of: {', '.join(FAMILIES[OF_FAMILY[name]].entries)}"
        parser.add_argument(f"--{name}", help=help.replace("one of", "any of") if name == "techniques" else help)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--config", help="a config.json, or the same as YAML, to start from; other options override it")
    start.add_argument(
        "--preset",
        help=f"a recipe to start from; other options override it; one of: {', '.join(FAMILIES['presets'].entries)}",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: auto)"
    )
    add_threads(parser)


def add_processes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--processes",
        type=up_to(MOST_PROCESSES),
        default=1,
        help="processes that train the run together, each on its part of every batch; they share the threads, and each "
        "has a GPU of its own (default: %(default)s)",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads", type=up_to(1024), default=machine.cores(), help="threads of the CPU (default: %(default)s)"
    )


def add_predictors(parser: argparse.ArgumentParser) -> None:
    """The predictors, and other runs that vote with them."""
    add_chain(parser)
    parser.add_argument(
        "--with", action="append", default=[], dest="others", metavar="RUN", help="a run that also votes; repeatable"
    )


def add_chain(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(dotted=True)
    parser.add_argument(
        "--predictors",
        default="",
        help="applied in order, such as flips,crf; options: --predictors.crf.w1 5; any of: "
        + ", ".join(FAMILIES["predictors"].entries),
    )
    parser.add_argument("--crf", action="store_true", help="refine with the dense CRF")
    parser.add_argument(
        "--crf-search",
        "--crf_search",
        action="store_true",
        help="the same with the best of many settings on the run's search images, which are tried once and kept",
    )


def pipeline(arguments: argparse.Namespace, options: dict[str, str]) -> list[Predictor]:
    """The predictors asked for, with their options; --crf adds the CRF at the end."""
    refuse_others(options, "--predictors.NAME.OPTION", "predictors")
    names = arguments.predictors
    if arguments.crf_search:
        several = len(getattr(arguments, "runs", [])) > 1 or getattr(arguments, "others", [])
        if several or names or options or arguments.crf:
            raise SeglabError("--crf-search is for one run, without --crf, --predictors and --with")
        return [searched(getattr(arguments, "run", None) or arguments.runs[0])]
    if arguments.crf and "crf" not in [name.strip() for name in names.split(",")]:
        names = f"{names},crf"
    return chain(names, options, "predictors")


def searched(run: str) -> Predictor:
    """The dense CRF with the best setting on the run's search images; shows how far it is, and says what it is."""
    from seglab.comparison.readings import unusual
    from seglab.comparison.search import Search

    search = Search(runs.find(run))
    counting(search.compute(), "--crf-search")
    best, tried = search.best(), len(search.tried()) - 1
    if best is None:  # another process has deleted it meanwhile
        raise SeglabError("--crf-search: what was tried for {run} is not there any more; try it again", run=run)
    told = "".join(f" --predictors.crf.{name} {value}" for name, value in unusual(best).items())
    print(f"seglab: best of {tried} on {search.images} search images: --predictors crf{told}", file=sys.stderr)
    return best
