"""Files that are damaged bit by bit, and files that are none."""

import itertools
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from benchmarks._outcome import Outcome, small, weights
from seglab import runs, travel
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
    """Mutated config.json, lines of events and zips of a run: only a SeglabError comes of them, or a sound run."""
    outcome = Outcome(f"config.json, events.jsonl and a zip, {count} mutations each", "only SeglabError")
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
    parcel = runs.home() / "fuzzed.zip"
    for n in range(count):
        content = (runs.home() / "whole.zip").read_bytes()
        parcel.write_bytes(mutated(content, chance) if n % 2 else inside(content, chance))

        def brought() -> None:
            run, _ = travel.bring(parcel, "brought")
            try:
                assert runs.load(run) and runs.events(run) and runs.status(run).over
            finally:
                shutil.rmtree(run)

        trial(outcome, "zip", brought)
        assert not (runs.home() / "brought").exists()
    return outcome


def inside(content: bytes, chance: random.Random) -> bytes:
    """The zip with one of its files mutated."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        chosen = chance.choice(source.namelist())
        for name in source.namelist():
            archive.writestr(name, mutated(source.read(name), chance) if name == chosen else source.read(name))
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
