"""A program that serves a page, for as long as it is measured."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0  # seconds until a page that does not answer is given up


@contextmanager
def served(command: list[str], home: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Starts the program with its runs in `home`, gives its address once it answers, and ends it."""
    port = free_port()
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", "SEGLAB_HOME": home}
    with listening(command, port, settings) as program:
        yield f"http://127.0.0.1:{port}/", program


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def listening(command: list[str], port: int, settings: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Starts a program, gives it once it answers on a port, and ends it."""
    program = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.DEVNULL)
    try:
        until = monotonic() + PATIENCE
        while not answers(port):
            if program.poll() is not None or monotonic() > until:
                raise RuntimeError(f"{' '.join(command)} does not answer on port {port}")
        yield program
    finally:
        program.terminate()
        program.wait()


def answers(port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(0.05)
        return trial.connect_ex(("127.0.0.1", port)) == 0
