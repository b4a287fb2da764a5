"""Make a run of a network of others, beside one's own: from the hub, torchvision, an ONNX file or a folder.

It labels the validation images of the data, and stands in Predict and in comparisons like any run. Its classes are
brought to the data's by name, or by a table: --classes "road=road,pavement=sidewalk+path". What is none of the data's
classes is void: missed. Classes that it does not know are left out of its score, and of both sides in a comparison.
"""

from __future__ import annotations

import argparse

from seglab import adopting
from seglab.adopting.mapping import AS_REST, BY_SYNONYM, some
from seglab.adopting.sources import KNOWN_LISTS
from seglab.cli.options import refuse_others
from seglab.cli.show import counting, waiting
from seglab.config import configured
from seglab.errors import tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(dotted=True)
    parser.add_argument(
        "source",
        metavar="ID",
        help="OWNER/NAME[@REVISION] of the Hugging Face hub, torchvision:NAME, FILE.onnx, or a folder with config.json "
        "and model.safetensors",
    )
    parser.add_argument("--data", required=True, help="the data that it labels; options: --data.root, ...")
    parser.add_argument("--classes", metavar="TABLE", help="which of its classes become which of the data's, or a file")
    parser.add_argument("--names", help=f"its classes where it does not name them: a file, or one of {KNOWN_LISTS}")
    parser.add_argument("--name", help="what the run is called")
    parser.add_argument(
        "--image-size", "--image_size", type=int, help="longer side of the images it sees (default: its own)"
    )
    parser.add_argument("--mean", help="what it subtracts from colors of 0 to 1, where it does not say: three numbers")
    parser.add_argument("--std", help="what it divides them by then")
    parser.add_argument("--dry-run", "--dry_run", action="store_true", help="only show what becomes of its classes")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    refuse_others(options, "--data.OPTION", "data")
    with waiting("opening the network"):
        adoption = adopting.prepared(
            arguments.source,
            configured({"data": arguments.data}, options).data,
            arguments.classes,
            arguments.names,
            arguments.image_size,
            arguments.name,
            arguments.mean,
            arguments.std,
        )
    for line in table(adoption):
        print(line)
    if arguments.dry_run:
        return 0
    counting(adoption.write(), arguments.source)
    assert adoption.directory
    tell(adoption.notes())
    print(adoption.directory)
    return 0


def table(adoption: adopting.Adoption) -> list[str]:
    """What becomes of the network's classes, and of the data's that it does not know."""
    classes = adoption.classes
    wide = max(map(len, classes.ours))
    lines = []
    for place, name in enumerate(classes.ours):
        by = {each for each, other in zip(classes.by, classes.table, strict=True) if other == place}
        found = some(classes.sources(place)) or "- (not known: left out of the score)"
        lines.append(
            f"{name:<{wide}}  {found}{' (another name)' * (BY_SYNONYM in by)}{' (all that is left)' * (AS_REST in by)}"
        )
    if classes.unmatched:
        lines.append(f"void ({len(classes.unmatched)} of its {len(classes.theirs)} classes): {some(classes.unmatched)}")
    return [*lines, f'as a table: --classes "{classes.as_table()}"']
