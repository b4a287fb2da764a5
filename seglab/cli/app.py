"""Serve the page, and work through its queue of runs, until it is ended."""

from __future__ import annotations

import argparse
import gc
import os
import socket
from pathlib import Path

from seglab import runs
from seglab.errors import SeglabError


def arguments(parser: argparse.ArgumentParser) -> None:
    served = "the address to serve on; 0.0.0.0 for the whole network (default: GRADIO_SERVER_NAME, or 127.0.0.1)"
    parser.add_argument("--host", type=host, help=served)
    free = "the port to serve on (default: the first free one from GRADIO_SERVER_PORT, or 7860, on)"
    parser.add_argument("--port", type=port, help=free)
    parser.add_argument("--home", type=Path, metavar="DIR", help="where runs live (default: SEGLAB_HOME, or runs)")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    if arguments.home:
        os.environ["SEGLAB_HOME"] = str(arguments.home.absolute())
        runs.refuse_unwritable()  # whoever names a folder wants runs there; elsewhere the page tells
    gc.disable()  # as in app.py
    from seglab.ui import launch

    try:
        page = launch(server_name=arguments.host, server_port=arguments.port)
    except OSError:  # its own words are on Gradio's functions
        raise SeglabError(
            "port {port}: something else is served there already; give another --port",
            port=arguments.port or os.environ.get("GRADIO_SERVER_PORT", "7860"),
        ) from None
    finally:
        gc.freeze()
        gc.enable()
    page.block_thread()
    return 0


def host(text: str) -> str:
    """An address of this machine; those of IPv6 are in brackets, as Gradio takes them."""
    address = text.strip("[]")
    six = ":" in address
    try:
        socket.create_server((address, 0), family=socket.AF_INET6 if six else socket.AF_INET).close()
    except OSError:
        raise argparse.ArgumentTypeError(f"{text!r} is no address of this machine") from None
    return f"[{address}]" if six else address


def port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 to 65535")
    return int(text)
