"""Repositories of the Hugging Face Hub, looked up and fetched with suspicion.

Sizes are asked for before anything is fetched; only files that are asked for by name are, and each has to be what the
hub announced, byte for byte. Nothing of them is executed. What was looked up once is remembered in the home of runs:
a full commit hash is not asked for again, and another revision stands for what it stood for last while the hub cannot
be reached.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from seglab.errors import SeglabError
from seglab.places import home, shared

MOST_BYTES = 300 * 2**20  # of all files that are fetched at once
MOST_FILES = 100_000  # of one repository
ANSWER_SECONDS = 10  # for each answer
SEND_SECONDS = 60  # for each answer to what is sent
STALL_SECONDS = 20  # in which a download must give something
SLOWEST = 50 * 2**10  # bytes a second
CHUNK = 1 << 18
ID = re.compile(r"(?!.*(--|\.\.))([a-zA-Z0-9_][\w.-]{0,95}/)?[a-zA-Z0-9_][\w.-]{0,95}(?<![-.])(?<!\.git)", re.ASCII)
REVISION = re.compile(r"(?!.*\.\.)[\w][\w./+-]{0,99}", re.ASCII)
COMMIT, DIGEST = re.compile("[0-9a-f]{40}"), re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
PREFIX = "hf:"  # of what is on the hub, wherever a run is named
ATTRIBUTES = ".gitattributes"  # the hub's own file in each repository
MEMORY = ".hub"  # in the home

Kind = Literal["model", "dataset"]
Token = str | Literal[False] | None  # None: that of whoever runs this program, where there is one; False: none


class MissingError(SeglabError):
    """There is no such repository, or it is not to be seen."""


class UnreachableError(SeglabError):
    """The hub does not answer, or not in time."""


@dataclass(frozen=True)
class File:
    """What the hub announces of a file: its bytes, and the SHA-256 of its content (64 digits) or git's SHA-1 (40)."""

    size: int
    digest: str


@dataclass(frozen=True)
class Repository:
    """A repository at one commit, and its files by their paths; of one that is `gated`, only whom its owner lets in
    gets them."""

    id: str
    kind: Kind
    commit: str
    private: bool
    files: dict[str, File]
    gated: bool = False

    def named(self, *patterns: str) -> list[str]:
        """The files whose paths match one of these patterns, as in `["config.json", "*.safetensors"]`."""
        return sorted(name for name in self.files if any(fnmatchcase(name, pattern) for pattern in patterns))


def look_up(name: str, revision: str | None = None, kind: Kind = "model", token: Token = False) -> Repository:
    """A repository `owner/name` at a branch, a tag or a commit (main if none is given), with the sizes of its files.

    Raises SeglabError for one that is not there or not to be seen, and UnreachableError where nothing is known of it
    and the hub does not answer.
    """
    revision = revision or "main"
    refuse_odd(name, revision)
    if os.environ.get("SEGLAB_HUB") == "0":
        raise SeglabError("this server asks nothing of the hub; whoever runs it may allow that with SEGLAB_HUB=1")
    if COMMIT.fullmatch(revision) and (known := remembered(name, revision, kind)):
        return known
    try:
        found = asked(name, revision, kind, token)
    except UnreachableError:
        if known := remembered(name, revision, kind):
            return known
        raise
    remember(found, revision)
    return found


def fetch(
    repository: Repository,
    names: Sequence[str],
    folder: Path | None = None,
    most_bytes: int = MOST_BYTES,
    token: Token = False,
    most_seconds: float | None = None,
) -> Path:
    """Writes files of a repository to a folder, by their paths, and gives the folder; without one, to that of this
    commit in the home. Files that are there are not fetched again.

    Raises SeglabError, before anything is fetched, for a file that is not in the repository and for more bytes than
    are allowed; and for one that is not what the hub announced, or that comes too slowly: slower than SLOWEST, or when
    `most_seconds` are over.
    """
    folder = place(repository.id, repository.kind) / repository.commit if folder is None else folder
    if missing := [name for name in names if name not in repository.files]:
        raise SeglabError("{id} has no file {file}", id=repository.id, file=missing[0])
    left = [name for name in names if not is_there(folder / name, repository.files[name])]
    size = sum(repository.files[name].size for name in left)
    if size > most_bytes:
        raise SeglabError(
            "{id}: its files have {size} MB; allowed: {most} MB",
            id=repository.id,
            size=-(-size // 2**20),
            most=most_bytes // 2**20,
        )
    from tqdm import tqdm

    end = time.monotonic() + (STALL_SECONDS + size / SLOWEST if most_seconds is None else most_seconds)
    with tqdm(desc=repository.id, total=size, unit="B", unit_scale=True, unit_divisor=1024, disable=None) as bar:
        for name in left:
            keep(folder / name, arriving(repository, name, token, end), bar)
    return folder


def parsed(named: str) -> tuple[str, str | None]:
    """The repository and the revision, if one is given, in hf:OWNER/NAME or hf:OWNER/NAME@REVISION."""
    name, at, revision = named.removeprefix(PREFIX).partition("@")
    refuse_odd(name, revision if at else "main")
    return name, revision if at else None


def own_token() -> str | None:
    """The token of whoever runs this program: HF_TOKEN, or that of `hf auth login`."""
    from huggingface_hub import get_token

    return get_token()


def login() -> Token:
    """The login of whoever runs this program; none on a server that several people use."""
    return False if shared() else None


def on_page() -> bool:
    """Whether the page's visitors may have it ask the hub."""
    return os.environ.get("SEGLAB_HUB") == "1"


def endpoint() -> str:
    """The address of the hub: $HF_ENDPOINT, or that of Hugging Face."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def refuse_odd(name: str, revision: str = "main") -> None:
    """Raises SeglabError for what is no name of a repository, or of a revision of one."""
    if not ID.fullmatch(name):
        raise SeglabError("{id} is not a repository of the hub; allowed: OWNER/NAME", id=repr(name))
    if not REVISION.fullmatch(revision):
        raise SeglabError(
            "{id}: {revision} is not a revision; allowed: a branch, a tag or a commit", id=name, revision=repr(revision)
        )


def send(
    name: str, folder: Path, message: str, token: str, known: Repository | None = None, private: bool = False
) -> str:
    """Makes a folder's files those of a model repository, in one commit, and gives its hash. `known` is the repository
    as it was looked at; None makes a new one, which only its owner sees if it is `private`.

    Raises SeglabError where that may not be, or the repository has changed since then.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session

    api = HfApi(endpoint(), token=token, library_name="seglab")
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    old = [path for path in known.files if path not in paths and path != ATTRIBUTES] if known else []
    session = get_session()
    patience, session.timeout = session.timeout, SEND_SECONDS  # it would wait forever for an answer
    try:
        with telling(name):
            if known is None:
                api.create_repo(name, private=private)
            found = api.create_commit(
                name,
                [
                    *(CommitOperationAdd(path, str(file)) for path, file in paths.items()),
                    *(CommitOperationDelete(path) for path in old),
                ],
                commit_message=message,
                parent_commit=known.commit if known else None,
            )
    finally:
        session.timeout = patience
    return str(found.oid)


# --- asked for


def asked(name: str, revision: str, kind: Kind, token: Token) -> Repository:
    """What the hub says of a repository now."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint(), token=token, library_name="seglab")
    with telling(name, revision):
        info: Any = api.repo_info(name, revision=revision, repo_type=kind, timeout=ANSWER_SECONDS, files_metadata=True)
        listed = info.siblings or []
        if len(listed) > MOST_FILES:
            raise SeglabError("{id} has {count} files; allowed: {most}", id=name, count=len(listed), most=MOST_FILES)
        files = {each.rfilename: announced(each) for each in listed if is_plain(each.rfilename)}
        commit = str(info.sha)
        if not COMMIT.fullmatch(commit):
            raise ValueError("no commit")
    return Repository(name, kind, commit, bool(info.private), files, bool(getattr(info, "gated", False)))


def announced(sibling: Any) -> File:
    """What the hub says of a file; raises ValueError where that is no size and no hash."""
    size, digest = (sibling.lfs.size, sibling.lfs.sha256) if sibling.lfs else (sibling.size, sibling.blob_id)
    if not isinstance(size, int) or size < 0 or not DIGEST.fullmatch(str(digest)):
        raise ValueError("no size or no hash")
    return File(size, digest)


def is_plain(name: str) -> bool:
    """Whether a path of a repository leads to a file below its folder, on every system."""
    parts = name.split("/")
    odd = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name) or any(
        map(name.__contains__, '\\:*?"<>|')
    )
    return not odd and all(part.strip(". ") and not part.endswith((".", " ")) for part in parts)


def arriving(repository: Repository, name: str, token: Token, end: float) -> Iterator[bytes]:
    """The content of a file as it comes; raises SeglabError for one that stalls, is not whole at the `end`, or is not
    what was announced, at the latest after its last byte."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    file = repository.files[name]
    url = hf_hub_url(repository.id, name, repo_type=repository.kind, revision=repository.commit, endpoint=endpoint())
    headers = build_hf_headers(token=token, library_name="seglab") | {"Accept-Encoding": "identity"}
    read = 0
    digest = hashlib.sha256() if len(file.digest) == 64 else hashlib.sha1(b"blob %d\0" % file.size)
    changed = SeglabError(
        "{id}: {file} is not what the hub announced; nothing of it is kept", id=repository.id, file=name
    )
    with (
        telling(repository.id, repository.commit),
        get_session().stream("GET", url, headers=headers, timeout=STALL_SECONDS, follow_redirects=True) as answer,
    ):  # to another host, such as that of large files, the token does not go along
        hf_raise_for_status(answer)
        for chunk in answer.iter_bytes(CHUNK):
            read += len(chunk)
            if read > file.size:
                raise changed
            if time.monotonic() > end:
                raise UnreachableError("{id}: {file} comes too slowly; try again later", id=repository.id, file=name)
            digest.update(chunk)
            yield chunk
    if read != file.size or digest.hexdigest() != file.digest:
        raise changed


def keep(path: Path, chunks: Iterable[bytes], bar: Any) -> None:
    """Writes a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with open(beside, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())  # only its size is looked at from now on
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def is_there(path: Path, file: File) -> bool:
    return path.is_file() and path.stat().st_size == file.size


@contextlib.contextmanager
def telling(name: str, revision: str = "main") -> Iterator[None]:
    """Turns what goes wrong between here and the hub into a SeglabError that names the repository."""
    from huggingface_hub import errors

    told: dict[str, Any] = {"id": name, "hub": endpoint()}
    try:
        yield
    except errors.GatedRepoError:
        raise SeglabError(
            "{id} is gated: ask for access on {hub}/{id}, log in with hf auth login, and try again", **told
        ) from None
    except errors.RevisionNotFoundError:
        raise SeglabError("{id} has no revision {revision}", revision=revision, **told) from None
    except (errors.RepositoryNotFoundError, errors.DisabledRepoError):
        raise MissingError(
            "{id} is not on {hub}, or it is private and this login does not see it; allowed: OWNER/NAME", **told
        ) from None
    except errors.HfHubHTTPError as error:
        if error.response.status_code >= 500:
            raise UnreachableError(
                "{hub} does not answer: {reason}", reason=error.response.status_code, **told
            ) from None
        reason = f"{error.response.status_code} {error.server_message or ''}"[:300].strip()
        raise SeglabError("{hub} refuses {id}: {reason}", reason=reason, **told) from None
    except (errors.HTTPError, errors.OfflineModeIsEnabled) as error:
        reason = str(error).partition("\n")[0][:300] or type(error).__name__
        raise UnreachableError("{hub} does not answer: {reason}", reason=reason, **told) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SeglabError(
            "{hub} gives an answer about {id} that makes no sense: {reason}", reason=error, **told
        ) from None


# --- remembered


def place(name: str, kind: Kind) -> Path:
    """The folder of the home for what is known of a repository, and for its files."""
    return home() / MEMORY / f"{kind}s--{name.replace('/', '--')}"


def remember(found: Repository, revision: str) -> None:
    """Writes down what the hub said; where nothing can be written, it is asked again."""
    folder = place(found.id, found.kind)
    commits = {f"{found.commit}.json": json.dumps(asdict(found)), f"{quote(revision, safe='')}.revision": found.commit}
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in commits.items():
            beside = folder / f".{secrets.token_hex(8)}"
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, folder / name)


def remembered(name: str, revision: str, kind: Kind) -> Repository | None:
    """What was looked up before."""
    folder = place(name, kind)
    try:
        commit = revision
        if not COMMIT.fullmatch(revision):
            commit = (folder / f"{quote(revision, safe='')}.revision").read_text(encoding="utf-8")
        known = json.loads((folder / f"{commit}.json").read_text(encoding="utf-8"))
        return Repository(**known | {"files": {path: File(**file) for path, file in known["files"].items()}})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
