"""Train a model and print its run's directory.

Options of an entry are written with dots: --model.width 16, --loss.dice.smooth 1, --techniques.color.p 0.5. `seglab
train --model unet --help` shows those of an entry, `seglab list` all of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from seglab import runs
from seglab.api.following import device_for
from seglab.cli.options import add_device, add_processes, add_run
from seglab.cli.show import follow, waiting
from seglab.config import RunConfig, configured
from seglab.errors import SeglabError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(fields=RunConfig.model_fields)
    parser.add_argument("--name", help="the run's name (default: the network's, with the time)")
    add_run(parser)
    add_device(parser)
    add_processes(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    config = configuration(arguments, options)
    runs.refuse_unwritable()
    device = device_for(arguments.device)
    with waiting("reading the data"):
        config.data.open()  # a missing folder is told before a run is made, and so is a missing run
    directory = runs.create(config, arguments.name)
    print(directory, flush=True)
    return follow(directory, device, arguments.threads, processes=arguments.processes)


def configuration(arguments: argparse.Namespace, options: dict[str, str]) -> RunConfig:
    """The configuration that the options of `train` describe."""
    given: Any = read(Path(arguments.config)) if arguments.config else {}
    fields = (*RunConfig.model_fields, "preset")
    typed = {name: value for name in fields if (value := getattr(arguments, name)) is not None}
    return runs.settled(configured(given | typed if isinstance(given, dict) else given, options))


def read(file: Path) -> Any:
    """What a configuration's file holds, JSON or YAML by its ending."""
    try:
        text = file.read_text(encoding="utf-8")
        return yaml.safe_load(text) if file.suffix.lower() in (".yaml", ".yml") else json.loads(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SeglabError("{file} cannot be read: {reason}", file=str(file), reason=reason) from None
