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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", "SEGLAB_HOME": home}
    program = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.DEVNULL)
    try:
        until = monotonic() + PATIENCE
        while not answers(port):
            if program.poll() is not None or monotonic() > until:
                raise RuntimeError(f"{' '.join(command)} does not answer on port {port}")
        yield f"http://127.0.0.1:{port}/", program
    finally:
        program.terminate()
        program.wait()


def answers(port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(0.05)
        return trial.connect_ex(("127.0.0.1", port)) == 0
