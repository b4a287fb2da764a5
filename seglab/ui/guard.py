"""What stands between the network and the page: limits that Gradio does not keep, and a broom for its files."""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.responses import PlainTextResponse

from seglab import uploads
from seglab.ui.text import languages

MEGABYTE = 2**20
UPLOAD, OTHER = 30 * MEGABYTE, MEGABYTE  # the largest request bodies
KEEP_SECONDS, MOST_BYTES = 1800, 1024 * MEGABYTE  # of the files that Gradio made for pages
# Gradio asks the browser for its language before anything else can say what the visitor chose.
CHOSEN_LANGUAGE = """<head><script>(() => {
  const chosen = new URLSearchParams(location.search).get("lang");
  if (chosen) for (const [name, value] of [["language", chosen], ["languages", [chosen]]])
    Object.defineProperty(navigator, name, {get: () => value});
  const tag = navigator.language.toLowerCase(), tags = [tag, tag.split("-")[0]];
  document.documentElement.lang = LANGUAGES.find(code => tags.includes(code.toLowerCase())) ?? "en";
})()</script>"""

log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware: refuses large bodies and Gradio's open proxies, and lets `?lang=` decide the page's language."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        if "/file=http" in path or "/file/http" in path or path.endswith("/deep_link") or "/proxy=" in path:
            return await PlainTextResponse("not here", 404)(scope, receive, send)
        limit = UPLOAD if path.endswith("/upload") else OTHER
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            return await PlainTextResponse(f"at most {limit} bytes are allowed", 413)(scope, receive, send)
        if path == "/" and scope["method"] == "GET":
            return await self.app(scope, receive, with_language(send))
        await self.app(scope, limited(receive, limit), send)


def limited(receive: Callable[[], Awaitable[dict]], limit: int) -> Callable[[], Awaitable[dict]]:
    """Reads a body of unknown length up to the limit, and then takes its sender for gone."""
    seen = 0

    async def counting() -> dict:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > limit else message

    return counting


def with_language(send: Callable[[dict], Awaitable[None]]) -> Callable[[dict], Awaitable[None]]:
    """Puts the script that chooses the language first into the page's head."""
    started: list[dict] = []
    body = b""

    async def changing(message: dict) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            started.append(message)
            return
        body += message.get("body", b"")
        if message.get("more_body"):
            return
        script = CHOSEN_LANGUAGE.replace("LANGUAGES", json.dumps(list(languages())))
        content = body.replace(b"<head>", script.encode(), 1)
        headers = [(name, value) for name, value in started[0]["headers"] if name.lower() != b"content-length"]
        await send(started[0] | {"headers": [*headers, (b"content-length", str(len(content)).encode())]})
        await send({"type": "http.response.body", "body": content})

    return changing


def refuse_bombs() -> None:
    """Makes Pillow refuse pictures that are far larger than they seem, wherever they are opened."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = 16 * MEGABYTE
    warnings.simplefilter("error", Image.DecompressionBombWarning)


class Broom(threading.Thread):
    """Sweeps the files that Gradio leaves: those older than half an hour, then the oldest beyond a gigabyte."""

    def __init__(self, folder: Path, every: float = 60.0):
        super().__init__(name="broom", daemon=True)
        self.folder, self.every = folder, every

    def run(self) -> None:
        while True:
            time.sleep(self.every)
            try:
                log.info("%s: %d files and %d uploads swept", self.folder, self.sweep(), uploads.sweep())
            except Exception:
                log.exception("the sweep of %s failed; it will be tried again", self.folder)

    def sweep(self) -> int:
        """Deletes what is too old or too much; gives the number of deleted files."""
        files = []
        for path in self.folder.rglob("*"):
            try:
                if path.is_file():
                    files.append((path.stat().st_mtime, path.stat().st_size, path))
            except FileNotFoundError:
                continue
        swept, total = 0, sum(size for _, size, _ in files)
        for modified, size, path in sorted(files):
            if time.time() - modified > KEEP_SECONDS or total > MOST_BYTES:
                path.unlink(missing_ok=True)
                total -= size
                swept += 1
                if path.parent != self.folder and not any(path.parent.iterdir()):
                    path.parent.rmdir()
        return swept


def private_folder() -> Path:
    """Where Gradio may put files for pages: a folder of this process alone."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="seglab-page-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder
