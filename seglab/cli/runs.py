"""List the runs, the newest first, then the kept ones and those that come with seglab.

With TEXT and the options only some of them, in another order: each word of TEXT is looked for in names, owners, models,
data sets and states.
"""

from __future__ import annotations

import argparse
import json
import sys

from seglab.runs import listing


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", metavar="TEXT", help="words that a run's line has, such as unet ada")
    states = f"only runs in this state, or these: {', '.join(listing.STATES)}"
    parser.add_argument("--state", type=words, default=[], metavar="STATE[,STATE]", help=states)
    parser.add_argument("--model", type=words, default=[], metavar="NAME[,NAME]", help="only runs of this model")
    parser.add_argument("--data", type=words, default=[], metavar="NAME[,NAME]", help="only runs on this data")
    sorts = f"what comes first: the newest, the highest value, or names from A; one of: {', '.join(listing.SORTS)}"
    parser.add_argument("--sort", default="made", metavar="BY", help=f"{sorts} (default: made)")
    parser.add_argument("--limit", type=count, metavar="N", help="so many at most")
    parser.add_argument("--json", action="store_true", help="as JSON, with names, owners, models and data")


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 or more")
    return int(text)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    wanted = {name: getattr(arguments, name) for name in ("state", "model", "data")}
    found = listing.chosen(listing.listing(), " ".join(arguments.text), arguments.sort, **wanted)
    few = found[: arguments.limit]
    print(json.dumps(few, indent=1, ensure_ascii=False) if arguments.json else listing.table(few))
    if len(few) < len(found):
        print(f"seglab: {len(found) - len(few)} more", file=sys.stderr)
    return 0
