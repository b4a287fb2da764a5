"""Continue a run that was stopped or interrupted, or start one that is queued."""

from __future__ import annotations

import argparse

from seglab import runs
from seglab.api.following import device_for
from seglab.cli.options import add_device, add_processes
from seglab.cli.show import follow


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    add_device(parser)
    add_processes(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directory = runs.find(arguments.run, fetch=False)
    runs.refuse_unwritable(directory)
    device = device_for(arguments.device)
    return follow(directory, device, arguments.threads, unstop=True, processes=arguments.processes)
