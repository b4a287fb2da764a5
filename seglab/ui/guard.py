"""What stands between the network and the page: limits that Gradio does not keep."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import socket
import warnings
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from seglab import locks
from seglab.ui.text import language, languages

MEGABYTE = 2**20
UPLOAD, OTHER = 30 * MEGABYTE, MEGABYTE  # the largest request bodies
PAGE = "seglab-page-"  # how the folders of pages are called
# Gradio asks the browser for its language before anything else can say what the visitor chose.
CHOSEN_LANGUAGE = """<head><script>(() => {
  const chosen = new URLSearchParams(location.search).get("lang");
  if (chosen) for (const [name, value] of [["language", chosen], ["languages", [chosen]]])
    Object.defineProperty(navigator, name, {get: () => value});
  const tag = navigator.language.toLowerCase(), tags = [tag, tag.split("-")[0]];
  document.documentElement.lang = LANGUAGES.find(code => tags.includes(code.toLowerCase())) ?? "en";
})()</script>"""

FIRST_SCREEN = """<div id="first-screen">{content}</div><script>
  document.body.classList.toggle("dark", window.seglab.dark());
  if (!/^(#start.*)?$/.test(location.hash)) document.getElementById("first-screen").hidden = true;
</script>"""
FRAMES = "frame-ancestors 'self' https://huggingface.co https://*.hf.space; base-uri 'self'; object-src 'none'"
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", FRAMES.encode()),
)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Guard:
    """ASGI middleware: refuses other sites' requests, large bodies and Gradio's open proxies; puts scripts, styles and
    the first picture into the page's document, and lets `?lang=` decide its language.

    `hosts` are the names by which this server may be asked for, None for any; `head` belongs into the document's head,
    where Gradio would put it only once its own scripts are there; `first` gives what is seen first, in a language.
    """

    def __init__(
        self,
        app: Any,
        hosts: frozenset[str] | None = None,
        head: str = "",
        first: Callable[[str], str] = lambda lang: "",
    ):
        self.app, self.hosts, self.head, self.first = app, hosts, head, first

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path, headers = scope["path"], dict(scope["headers"])
        if refused := self.foreign(scope["method"], headers):
            return await PlainTextResponse(refused, 403)(scope, receive, send)
        send = with_headers(send)
        if "/file=http" in path or "/file/http" in path or path.endswith("/deep_link") or "/proxy=" in path:
            return await PlainTextResponse("not here", 404)(scope, receive, send)
        limit = UPLOAD if path.endswith("/upload") else OTHER
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            return await PlainTextResponse(f"at most {limit} bytes are allowed", 413)(scope, receive, send)
        if path == "/" and scope["method"] == "GET":
            asking = Request(scope)
            head, first = ("", "") if unknown(asking) else (self.head, self.first(language(asking)))
            return await self.app(scope, receive, with_first_picture(send, head, first))
        await self.app(scope, limited(receive, limit), send)

    def foreign(self, method: str, headers: dict[bytes, bytes]) -> str:
        """Why a request is refused that comes by another name of this server, as after DNS rebinding, or, where it
        could change something, from another site's page; empty where it is not."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self.knows(host):
            return f"{host[:80]!r} is not a name of this server; SEGLAB_HOSTS names those that are"
        if method in ("GET", "HEAD", "OPTIONS"):
            return ""
        origin = headers.get(b"origin", b"").decode("latin-1")
        if headers.get(b"sec-fetch-site") == b"cross-site" or origin == "null":
            return "this request came from another site's page"
        asked = origin.partition("://")[2]
        if origin and asked != host and not (self.hosts and named(asked) in self.hosts):
            return "this request came from another site's page"
        return ""

    def knows(self, host: str) -> bool:
        """Whether the server may be asked for by this name. A number is no name that another site could have."""
        if self.hosts is None or named(host) in self.hosts:
            return True
        with contextlib.suppress(ValueError):
            return bool(ip_address(named(host)))
        return False


def named(host: str) -> str:
    """A host without its port: localhost for localhost:7860, ::1 for [::1]:7860."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:  # as of half an IPv6 address
        return ""


def allowed_hosts(own: str) -> frozenset[str]:
    """The names by which this server may be asked for: this machine's, the Space's, `own`, where it is served, and
    those that SEGLAB_HOSTS names."""
    name = socket.gethostname().lower()
    given = os.environ.get("SEGLAB_HOSTS", "").replace(",", " ").split()
    known = ["localhost", own, name, f"{name}.local", os.environ.get("SPACE_HOST", ""), *given]
    return frozenset(named(each) for each in known if each)


def with_headers(send: Send) -> Send:
    """Adds to every answer what browsers are to allow: nothing guessed of files, no foreign frame but the Space's."""

    async def adding(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *SECURITY]}
        await send(message)

    return adding


def limited(receive: Callable[[], Awaitable[dict]], limit: int) -> Callable[[], Awaitable[dict]]:
    """Reads a body of unknown length up to the limit, and then takes its sender for gone."""
    seen = 0

    async def counting() -> dict:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > limit else message

    return counting


def with_first_picture(send: Send, head: str, first: str) -> Send:
    """Puts the script that chooses the language and the page's own head first into the document's head, and what is to
    be seen first, if anything, first into its body."""
    started: list[MutableMapping[str, Any]] = []
    body = b""

    async def changing(message: MutableMapping[str, Any]) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            started.append(message)
            return
        body += message.get("body", b"")
        if message.get("more_body"):
            return
        script = CHOSEN_LANGUAGE.replace("LANGUAGES", json.dumps(list(languages())))
        content = body.replace(b"<head>", f"{script}{head}".encode(), 1)
        begun = re.search(rb"<body[^>]*>", content)
        if first and begun and started[0]["status"] == 200:
            screen = FIRST_SCREEN.format(content=first).encode()
            content = content[: begun.end()] + screen + content[begun.end() :]
        headers = [(name, value) for name, value in started[0]["headers"] if name.lower() != b"content-length"]
        await send({**started[0], "headers": [*headers, (b"content-length", str(len(content)).encode())]})
        await send({"type": "http.response.body", "body": content})

    return changing


def refuse_bombs() -> None:
    """Makes Pillow refuse pictures that are far larger than they seem, wherever they are opened."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = 16 * MEGABYTE
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def unknown(request: Request) -> Response | None:
    """Where the page asks for a name and a password, nobody without them sees anything here either."""
    app: Any = request.scope.get("app")
    if getattr(app, "auth", None) is None:
        return None
    token = request.cookies.get(f"access-token-{app.cookie_id}")
    unsafe = request.cookies.get(f"access-token-unsecure-{app.cookie_id}")
    known = app.tokens.get(token) or app.tokens.get(unsafe)
    return None if known else Response("Not authenticated", 401)


def private_folder() -> Path:
    """Where Gradio may put files for pages: a folder of this process alone. Those of processes that were killed, with
    what visitors sent them, are deleted."""
    import tempfile

    beside = Path(tempfile.gettempdir())
    locks.sweep(beside, PAGE)
    kept = contextlib.ExitStack()
    folder = kept.enter_context(locks.new_folder(beside, PAGE))
    atexit.register(kept.close)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder
