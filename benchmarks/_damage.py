"""Files that are damaged bit by bit, and files that are none."""

import hashlib
import itertools
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks._outcome import Outcome, small, weights
from seglab import runs, travel, uploads
from seglab.data.images import read_photo
from seglab.data.masks import read_mask
from seglab.errors import SeglabError
from seglab.events import Started

FILES = ("events.jsonl", "config.json", "dataset.json", "weights.safetensors", "state.pt")
BLOCK = 4096


def flipped(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def zeroed(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(0, len(content), BLOCK)
    end = min(len(content), start + BLOCK)
    content[start:end] = bytes(end - start)


DAMAGES = (flipped, cut, zeroed)


def files_damaged(count: int) -> Outcome:
    """Every kind of damage so many times, over the files of a run that was interrupted before its end."""
    outcome = Outcome(
        f"{count} bit flips, {count} truncations, {count} zeroed pages", "told by name, or no harm; resuming falls back"
    )
    told: dict[str, int] = {"told": 0, "fell back": 0, "made again": 0, "the same": 0}
    whole = runs.create(small(), "whole")
    list(runs.work(whole))
    interrupted = runs.home() / "interrupted"
    shutil.copytree(whole, interrupted)
    lines = (whole / "events.jsonl").read_bytes().splitlines(keepends=True)
    (interrupted / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    chance, copy = random.Random(0), runs.home() / "damaged"
    for damage, n in itertools.product(DAMAGES, range(count)):
        name = FILES[n % len(FILES)]
        shutil.copytree(interrupted, copy)
        file = max(copy.glob("last-*")) / name if name == "state.pt" else copy / name
        content = bytearray(file.read_bytes())
        damage(content, chance)
        file.write_bytes(content)
        try:
            became = judged(copy, interrupted, whole, name)
            told[became] += 1
            outcome.add(True)
        except Exception as error:
            outcome.add(False, f"{damage.__name__} {name}: {type(error).__name__}: {error}")
        shutil.rmtree(copy)
    outcome.measured = ", ".join(f"{number} {what}" for what, number in told.items() if number)
    return outcome


def judged(damaged: Path, before: Path, whole: Path, name: str) -> str:
    """What became of the damage; raises AssertionError where something else than before was believed."""
    readers: dict[str, Callable[[Path], object]] = {
        "config.json": runs.config,
        "dataset.json": runs.description,
        "weights.safetensors": lambda run: runs.load(run) and weights(run),
        "events.jsonl": runs.all_events,
    }
    if name in readers:
        try:
            found, known = readers[name](damaged), readers[name](before)
        except SeglabError as error:
            assert name.split(".")[0] in str(error), f"it is not named: {error}"
            return "told"
        if name == "events.jsonl" and found != known:
            assert isinstance(found, list) and isinstance(known, list)
            assert found == known[: len(found)], "other events than before"
            return resumed(damaged, whole)
        assert found == known, "it reads otherwise than before"
        return "the same"
    return resumed(damaged, whole)


def resumed(damaged: Path, whole: Path) -> str:
    """Resumes a damaged run, which is told, or ends with the weights that it would have had."""
    try:
        list(runs.work(damaged))
    except SeglabError as error:
        assert "cannot be resumed" in str(error), f"it is not told: {error}"
        return "told"
    assert weights(damaged) == weights(whole) and runs.load(damaged), "it ends with other weights"
    starts = [event for event in runs.all_events(damaged) if isinstance(event, Started)]
    back = any("went on from step" in str(note.error()) for note in starts[-1].notes)
    return "fell back" if back else "made again"


# --- what is no file of a run at all

BYTES = (
    *(b"", b"\x00", b"\xff\xfe", b"9" * 400, b"[" * 3000, b'{"a":' * 500, b"null", b"-1", b"1e999", b"NaN", b'"', b"{"),
    *(b"\xed\xa0\x80", b"\\ud800"),
)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, taken out, doubled, or replaced by what parsers stumble over."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(found) + 1)
        until = place + chance.choice((0, 1, 4, 30))
        kind = chance.randrange(4)
        if kind == 0:
            found[place:until] = chance.randbytes(until - place)
        elif kind == 1:
            found[place:until] = chance.choice(BYTES)
        elif kind == 2:
            found[place:place] = found[place:until]
        else:
            value = re.search(rb'[\d.]+|"[^"]*"', found[place:])
            if value:
                found[place + value.start() : place + value.end()] = chance.choice(BYTES)
    return bytes(found)


def files_fuzzed(count: int) -> Outcome:
    """Mutations of what comes from elsewhere: only a SeglabError comes of them, or what is sound."""
    outcome = Outcome(
        f"config.json, events.jsonl, a run's zip, its weights, a photograph, a mask and a zip of images, {count} "
        "mutations each",
        "only SeglabError",
    )
    chance = random.Random(0)
    whole = runs.create(small(epochs=1), "whole")
    list(runs.work(whole))
    travel.take(whole, runs.home() / "whole.zip")
    bare = re.sub(rb',"crc32":"\w+"', b"", (whole / "events.jsonl").read_bytes())  # deeper than the checksums
    fuzzed = runs.home() / "fuzzed"
    for name, content in (("config.json", (whole / "config.json").read_bytes()), ("events.jsonl", bare)):
        for _ in range(count):
            fuzzed.mkdir()
            (fuzzed / "config.json").write_bytes((whole / "config.json").read_bytes())
            (fuzzed / name).write_bytes(mutated(content, chance))
            trial(outcome, name, lambda: (runs.config(fuzzed), runs.status(fuzzed), runs.events(fuzzed)))
            shutil.rmtree(fuzzed)
    parcels_fuzzed(outcome, count, chance)
    pictures_fuzzed(outcome, count, chance)
    return outcome


def parcels_fuzzed(outcome: Outcome, count: int, chance: random.Random) -> None:
    """The same of a run that is brought back, as a zip, and with weights whose sha256 was corrected."""
    parcel, content = runs.home() / "fuzzed.zip", (runs.home() / "whole.zip").read_bytes()

    def brought() -> None:
        run, _ = runs.bring(parcel, "brought")
        try:
            assert runs.load(run) and runs.events(run) and runs.status(run).over
        finally:
            shutil.rmtree(run)

    for n in range(count):
        parcel.write_bytes(mutated(content, chance) if n % 2 else inside(content, chance))
        trial(outcome, "zip", brought)
        assert not (runs.home() / "brought").exists()
        parcel.write_bytes(announced(content, chance))
        trial(outcome, "weights", brought)
        assert not (runs.home() / "brought").exists()


def pictures_fuzzed(outcome: Outcome, count: int, chance: random.Random) -> None:
    """The same of pictures, and of a zip of them."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    photos = [written(pixels, kind) for kind in ("png", "jpeg", "tiff", "webp", "bmp", "gif")]
    masks = [written(pixels[..., 0] % 4, kind) for kind in ("png", "tiff", "bmp")]
    for _ in range(count):
        content = mutated(chance.choice(photos), chance)
        trial(outcome, "photograph", lambda content=content: read_photo(content))
        content = mutated(chance.choice(masks), chance)
        trial(outcome, "mask", lambda content=content: read_mask(content))
    target, file = BytesIO(), runs.home() / "images.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for n in range(4):
            archive.writestr(f"images/{n}.png", written(np.roll(pixels, n, 0), "png"))
            archive.writestr(f"masks/{n}.png", masks[0])
        archive.writestr("classes.txt", "road\ncar\nsky\ntree\n")
    whole = target.getvalue()
    for n in range(count):
        file.write_bytes(mutated(whole, chance) if n % 2 else inside(whole, chance))
        trial(outcome, "zip of images", lambda: uploads.take(file))
        shutil.rmtree(uploads.home(), ignore_errors=True)


def written(pixels: np.ndarray, kind: str) -> bytes:
    target = BytesIO()
    Image.fromarray(pixels).save(target, kind)
    return target.getvalue()


def inside(content: bytes, chance: random.Random) -> bytes:
    """The zip with one of its files mutated."""
    with zipfile.ZipFile(BytesIO(content)) as source:
        chosen = chance.choice(source.namelist())
    return replaced(content, lambda name, file: mutated(file, chance) if name == chosen else file)


def announced(content: bytes, chance: random.Random) -> bytes:
    """The run's zip with mutated weights whose sha256 its events announce, so that nothing but the weights is wrong."""
    with zipfile.ZipFile(BytesIO(content)) as source:
        (name,) = (each for each in source.namelist() if each.endswith("weights.safetensors"))
        before = source.read(name)
    head = 8 + int.from_bytes(before[:8], "little")  # where most harm can be done
    after = mutated(before[:head], chance) + before[head:]
    old, new = (hashlib.sha256(each).hexdigest().encode() for each in (before, after))

    def changed(file_name: str, file: bytes) -> bytes:
        if file_name == name:
            return after
        if file_name.endswith("events.jsonl"):
            return re.sub(rb',"crc32":"\w+"', b"", file.replace(old, new))
        return file

    return replaced(content, changed)


def replaced(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The zip with each of its files as `change` gives it for its name and content."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, change(name, source.read(name)))
    return target.getvalue()


def trial(outcome: Outcome, name: str, action: Callable[[], object]) -> None:
    """Adds whether nothing but a SeglabError came of it."""
    try:
        action()
    except SeglabError:
        pass
    except Exception as error:
        return outcome.add(False, f"{name}: {type(error).__name__}: {str(error)[:100]}")
    outcome.add(True)
