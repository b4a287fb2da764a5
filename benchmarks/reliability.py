"""What breaks and how runs hold: processes killed, files damaged, numbers that are none, a clock that is set.

python -m benchmarks.reliability [--rows F1,F5] [--count 50]
"""

import argparse
import os
import tempfile
from collections.abc import Callable

from benchmarks import _damage, _kills, _mishaps
from benchmarks._outcome import Outcome

ROWS: dict[str, tuple[int, Callable[[int], Outcome]]] = {  # by its number: how often, and what gives the outcome
    "F1": (50, _kills.trainer_killed),
    "F2": (10, _kills.server_killed),
    "F3": (10, _kills.server_ended),
    "F5": (300, _damage.files_damaged),
    "F6": (40, _mishaps.odd_runs),
    "F7": (10, _mishaps.crf_crashes),
    "F8": (50, _kills.two_trainers),
    "F9": (10, _mishaps.clock_set),
    "B2": (300, _damage.files_fuzzed),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="which, separated by commas")
    parser.add_argument("--count", type=int, help="how often, instead of each row's own number")
    given = parser.parse_args()
    print("| row | what | count | result | |\n| --- | --- | ---: | --- | --- |", flush=True)
    for name in given.rows.split(","):
        count, row = ROWS[name]
        with tempfile.TemporaryDirectory() as home:
            os.environ["SEGLAB_HOME"] = home
            print(f"| {name} {row(given.count or count).row()}", flush=True)


if __name__ == "__main__":
    main()
