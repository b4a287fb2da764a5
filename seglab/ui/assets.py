"""The page's own files - scripts, styles, the first pictures - under an address that changes with any of them."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from seglab.ui.text import languages, translation

HERE = Path(__file__).parent
BASE = "seglab"  # of all addresses of the page's own
TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".webp": "image/webp",
}
FOREVER = "public, max-age=31536000, immutable"
SAID = re.compile(r"""\bt\(\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")  # in a script


def texts() -> Iterator[tuple[str, Path]]:
    """What the scripts translate with t('...'), and which script does."""
    for path in sorted((HERE / "js").glob("*.js")):
        for text in said(path.read_text(encoding="utf-8")):
            yield text, path


def said(script: str) -> Iterator[str]:
    """What one of them does."""
    return (ast.literal_eval(found[1]) for found in SAID.finditer(script))


@lru_cache
def assets() -> dict[str, bytes]:
    """The scripts and styles by name, and the texts that scripts say, by language."""
    files = [*(HERE / "js").glob("*.js"), *HERE.glob("*.css")]
    files += [*(HERE / "vendor").rglob("*.*"), *(HERE / "start").glob("*.webp")]
    found = {path.relative_to(HERE).as_posix().removeprefix("js/"): path.read_bytes() for path in files}
    every = sorted({text for text, _ in texts()})
    for code in languages():
        known = {text: translation(text, code) or text for text in every}
        found[f"texts.{code}.json"] = json.dumps(known, ensure_ascii=False).encode()
    return found


@lru_cache
def version() -> str:
    """Twelve letters that are others as soon as one of the files is."""
    content = b"".join(name.encode() + content for name, content in sorted(assets().items()))
    return hashlib.sha256(content).hexdigest()[:12]


def address(name: str) -> str:
    """Where a browser finds the file."""
    return f"{BASE}/assets/{version()}/{name}"


def asset(request: Request) -> Response:
    name = request.path_params["name"]
    content = assets().get(name) if request.path_params["version"] == version() else None
    if content is None:
        return Response("not here", 404)
    return Response(content, media_type=TYPES.get(Path(name).suffix), headers={"Cache-Control": FOREVER})
