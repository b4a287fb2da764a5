"""A finished run put on the hub: what leaves is what is taken away, with a card that the hub reads."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seglab import hub, runs
from seglab.comparison.scores import Row
from seglab.data.hub import Hub
from seglab.entry import along, kinds_in
from seglab.errors import SeglabError
from seglab.places import shared
from seglab.travel.taking import README, pack, readme, show

LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
PRIVATE = "private data"  # what the card calls data that nobody else has
USE = """```sh
seglab predict hf:{id} photo.jpg --out masks
seglab compare hf:{id} RUN
```

```python
import seglab

seglab.load("hf:{id}").predict("photo.jpg")
```

seglab takes it in with suspicion: only safetensors are read, nothing in it is executed."""


@dataclass(frozen=True)
class Aim:
    """A place on the hub for a run: `known` is the repository that is there, None if a new one will be made."""

    id: str
    private: bool
    token: str
    known: hub.Repository | None = None

    @property
    def address(self) -> str:
        return f"{hub.endpoint()}/{self.id}"


def aimed(name: str, private: bool = False, token: str | None = None) -> Aim:
    """Looks at where a run shall go, OWNER/NAME, with a token or with the login of whoever runs this program, which on
    a server that several people use is nobody's.

    Raises SeglabError where there is no login, where the repository holds something else than a run of seglab, and
    where others already see what shall be private.
    """
    hub.refuse_odd(name)
    if "/" not in name:
        raise SeglabError("{id} is not a repository of the hub; allowed: OWNER/NAME", id=repr(name))
    token = token or (None if shared() else hub.own_token())
    if not token:
        raise SeglabError("there is no login for {hub}: run hf auth login, or set HF_TOKEN", hub=hub.endpoint())
    try:
        known = hub.asked(name, "main", "model", token)
    except hub.MissingError:
        return Aim(name, private, token)
    refuse_others(known)
    if private and not known.private:
        raise SeglabError(
            "{id} is there and everybody sees it; make it private on {hub}/{id}/settings first, or give another name",
            id=name,
            hub=hub.endpoint(),
        )
    return Aim(name, known.private, token, known)


def refuse_others(known: hub.Repository) -> None:
    """Raises SeglabError for a repository that holds anything but a run of seglab, or nothing."""
    names = known.files.keys()
    if not (names <= {hub.ATTRIBUTES} or names >= set(runs.REQUIRED)) or names - runs.OWN_ON_HUB:
        odd = sorted(names - runs.OWN_ON_HUB) or sorted(names)
        raise SeglabError(
            "{id} holds something else than a run of seglab, such as {file}, and stays as it is; give another name",
            id=known.id,
            file=odd[0],
        )


def outlook(aim: Aim, license: str | None = None) -> list[SeglabError]:
    """Who sees a run at its place on the hub, and what becomes of what is there, in sentences; raises SeglabError for
    what is no license."""
    refuse_odd_license(license)
    told = {"address": aim.address, "owner": aim.id.partition("/")[0]}
    if aim.private:
        found = [SeglabError("it is private: only {owner}, and whom they let in, see it at {address}", **told)]
    else:
        found = [SeglabError("everybody sees it at {address}", **told)]
    if aim.known and runs.WEIGHTS in aim.known.files:
        found.append(SeglabError("it takes the place of the run that was there, which stays in the history"))
    if license is None and not aim.private:
        found.append(SeglabError("it has no license: others may look at it and not use it"))
    return found


def refuse_odd_license(license: str | None) -> None:
    if license is not None and not LICENSE.fullmatch(license):
        raise SeglabError("license: {license} is not one, such as mit, apache-2.0 or cc-by-4.0", license=repr(license))


def push(directory: Path, aim: Aim, names: bool = False, pictures: bool = False, license: str | None = None) -> str:
    """Puts a finished run on the hub and gives what it is called from now on, hf:OWNER/NAME@COMMIT; names and pictures
    as in `take`."""
    refuse_odd_license(license)
    with tempfile.TemporaryDirectory(prefix="seglab-") as beside:
        target = Path(beside) / directory.name
        what = runs.ship(directory, target, names, pictures)
        with along(tuple(kinds_in(runs.config(directory)))):
            row = show(target, what)
            repack(target)
            text = card(directory, target, what, row, aim.id, license)
        (target / README).write_text(text, encoding="utf-8")
        message = f"{directory.name}: mIoU {row.miou:.4f} on val" if row.miou is not None else directory.name
        commit = hub.send(aim.id, target, message, aim.token, aim.known, aim.private)
    return f"{hub.PREFIX}{aim.id}@{commit}"


def repack(target: Path) -> None:
    """Gives a shipped run the files that a repository has: the weights under the name that the hub reads, and all its
    pictures as one file."""
    (target / "weights.safetensors").rename(target / runs.WEIGHTS)
    inside = [name for name in runs.files(target) if name not in runs.OWN_ON_HUB]
    if inside:
        pack(target, inside, target / runs.MAPS)
        for name in inside:
            (target / name).unlink()
        for folder in {name.partition("/")[0] for name in inside if "/" in name}:
            shutil.rmtree(target / folder)


def card(directory: Path, target: Path, what: runs.Shipped, row: Row, name: str, license: str | None) -> str:
    """The card of a run on the hub: what the hub reads of it, and what a person does."""
    settings = runs.config(target)
    named = settings.data.id if isinstance(settings.data, Hub) else settings.data.name
    data = PRIVATE if what.private else named
    scores = {("mean_iou", "mIoU"): row.miou, ("accuracy", "pixel accuracy"): row.pixel_accuracy}
    known = [
        {"type": kind, "name": title, "value": value} for (kind, title), value in scores.items() if value is not None
    ]
    result = {
        "task": {"type": "image-segmentation", "name": "Semantic segmentation"},
        "dataset": {"type": data.replace(" ", "-"), "name": data, "split": "val"},
        "metrics": known,
    }
    front: dict[str, Any] = {
        "library_name": "seglab",
        "pipeline_tag": "image-segmentation",
        **({"license": license} if license else {}),
        "tags": ["semantic-segmentation", "seglab", settings.model.name],
        "model-index": [{"name": name.partition("/")[2], "results": [result]}],
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{readme(directory, target, what, row, USE.format(id=name))}"
