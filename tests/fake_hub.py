"""A hub on loopback that does as huggingface.co does, as far as seglab and the libraries of others ask: models and data
sets, public and private, looked up, fetched and pushed to. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

API = re.compile(r"/api/(model|dataset)s/(.+?)(?:/(revision|tree|preupload|commit)/([^/]+)(?:/(.+))?)?")
RESOLVE = re.compile(r"/(datasets/)?(.+?)/resolve/([^/]+)/(.+)")
USER, TOKEN = "mina", "hf_of_mina"


@dataclass
class Repository:
    private: bool = False
    gated: bool = False
    large: frozenset[str] = frozenset()  # files that are announced by their SHA-256, as large ones are
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)  # announced instead of the true ones
    messages: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Puts files into a branch; gives the commit's hash."""
        sha = hashlib.sha1(repr((len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[sha], self.branches[branch] = dict(files), sha
        return sha

    def files(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        sha = self.branches.get(revision, revision)
        return (sha, self.commits[sha]) if sha in self.commits else None

    def announced(self, name: str, content: bytes) -> dict[str, Any]:
        size = self.sizes.get(name, len(content))
        found = {"size": size, "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}
        if name in self.large:
            sha = hashlib.sha256(content).hexdigest()
            found["lfs"] = {"size": size, "sha256": sha, "oid": sha, "pointerSize": 130}
        return found


class FakeHub:
    """`repositories` by kind and ID; `asked` are the requests so far; `instead` may answer one in another way, and says
    whether it did."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.tokens = {TOKEN: USER}
        self.asked: list[tuple[str, str]] = []
        self.authorized: list[str | None] = []
        self.instead: Callable[[Any], bool] | None = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Answers nothing any more, on connections that are open neither."""
        self.instead = lambda request: True
        self.server.shutdown()
        self.server.server_close()

    def add(self, name: str, files: dict[str, bytes], kind: str = "model", **how: Any) -> Repository:
        """A repository with one commit."""
        found = self.repositories[kind, name] = Repository(**how)
        found.commit(files)
        return found


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_GET

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path))
        authorization = self.headers.get("Authorization")
        self.hub.authorized.append(authorization)
        self.user = self.hub.tokens.get((authorization or "").removeprefix("Bearer "))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.hub.instead and self.hub.instead(self):
            self.close_connection = True
            return
        raw = urlsplit(self.path).path
        if raw == "/api/whoami-v2":
            self.json(
                {"type": "user", "name": self.user, "orgs": []} if self.user else {"error": "?"},
                200 if self.user else 401,
            )
        elif raw == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif raw == "/api/repos/create":
            self.create(json.loads(self.body))
        elif match := API.fullmatch(raw):
            kind, name, what, revision, rest = match.groups()
            self.api(kind, unquote(name), what, unquote(revision or "main"), unquote(rest or ""))
        elif match := RESOLVE.fullmatch(raw):
            dataset, name, revision, file = match.groups()
            self.resolve("dataset" if dataset else "model", unquote(name), unquote(revision), unquote(file))
        else:
            self.error(404, "EntryNotFound")

    def create(self, wanted: dict[str, Any]) -> None:
        owner = wanted.get("organization") or self.user
        if self.user is None or owner != self.user:
            return self.error(
                403 if self.user else 401, "", "You don't have the rights to create a model under this namespace"
            )
        kind, name = wanted.get("type") or "model", f"{owner}/{wanted['name']}"
        url = f"{self.hub.address}/{'datasets/' if kind == 'dataset' else ''}{name}"
        if (kind, name) in self.hub.repositories:
            return self.json({"error": "You already created this model repo", "url": url}, 409)
        private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
        self.hub.repositories[kind, name] = Repository(private=private)
        self.hub.repositories[kind, name].commit({".gitattributes": b""})
        self.json({"url": url, "name": name})

    def found(self, kind: str, name: str, revision: str) -> tuple[Repository, str, dict[str, bytes]] | None:
        """The repository and its files, as far as they may be seen; else it has been answered."""
        repository = self.hub.repositories.get((kind, name))
        if repository is None or (repository.private and self.user is None):
            return self.error(404 if self.user else 401, "RepoNotFound")
        files = repository.files(revision)
        return (repository, *files) if files else self.error(404, "RevisionNotFound")

    def api(self, kind: str, name: str, what: str | None, revision: str, below: str) -> None:
        if not (seen := self.found(kind, name, revision)):
            return
        repository, sha, files = seen
        if what in (None, "revision"):
            siblings = [
                {"rfilename": path, "blobId": (known := repository.announced(path, content))["oid"]}
                | {key: known[key] for key in ("size", "lfs") if key in known}
                for path, content in files.items()
            ]
            told = {"private": repository.private, "gated": repository.gated, "siblings": siblings, "tags": []}
            self.json({"id": name, "modelId": name, "_id": "0", "sha": sha, "downloads": 0, "likes": 0} | told)
        elif what == "tree":
            under = {path: content for path, content in files.items() if path.startswith(below)}
            self.json(
                [
                    {"type": "file", "path": path} | repository.announced(path, content)
                    for path, content in under.items()
                ]
            )
        elif self.user != name.partition("/")[0]:
            self.error(403, "", "You don't have the required permissions to perform this action")
        elif what == "preupload":
            wanted = json.loads(self.body)["files"]
            self.json(
                {"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in wanted]}
            )
        else:
            self.commit(repository, revision, dict(files))

    def commit(self, repository: Repository, branch: str, files: dict[str, bytes]) -> None:
        for line in self.body.splitlines():
            each = json.loads(line)
            if each["key"] == "header":
                repository.messages.append(each["value"]["summary"])
                if (parent := each["value"].get("parentCommit")) and parent != repository.branches[branch]:
                    return self.error(412, "", "A commit has happened since. Please refresh and try again.")
            elif each["key"] == "file":
                files[each["value"]["path"]] = base64.b64decode(each["value"]["content"])
            elif each["key"] == "deletedFile":
                del files[each["value"]["path"]]
            elif each["key"] == "deletedFolder":
                folder = each["value"]["path"].rstrip("/") + "/"
                files = {path: content for path, content in files.items() if not path.startswith(folder)}
        sha = repository.commit(files, branch)
        self.json({"success": True, "commitOid": sha, "commitUrl": f"{self.hub.address}/x/y/commit/{sha}"})

    def resolve(self, kind: str, name: str, revision: str, file: str) -> None:
        if not (seen := self.found(kind, name, revision)):
            return
        repository, sha, files = seen
        if repository.gated and self.user is None:  # what files there are is told all the same
            return self.error(401, "GatedRepo")
        if file not in files:
            return self.error(404, "EntryNotFound")
        content, known = files[file], repository.announced(file, files[file])
        headers = {"ETag": f'"{known["lfs"]["sha256"] if "lfs" in known else known["oid"]}"', "X-Repo-Commit": sha}
        status = 200
        if span := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(span[1]), min(int(span[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            content, status = content[start : end + 1], 206
        self.send(content, status, "application/octet-stream", **headers)

    # --- how it is said

    def json(self, value: Any, status: int = 200) -> None:
        self.send(json.dumps(value).encode(), status, "application/json")

    def error(self, status: int, code: str, message: str = "") -> None:
        headers = {"X-Error-Code": code} if code else {}
        self.send(json.dumps({"error": message or code}).encode(), status, "application/json", **headers)

    def send(self, content: bytes, status: int, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
