"""The files that lie in a folder, at any depth."""

from __future__ import annotations

import os
import re
from pathlib import Path

from seglab.data.images import SUFFIXES, printable
from seglab.data.naming import meaning
from seglab.errors import SeglabError

MOST_FILES = 500_000  # entries of a folder that are looked through
MOST_DEPTH = 12  # folders within folders
PASSED_OVER = re.compile(r"(^|/)(__MACOSX(/|$)|\.|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)

Row = tuple[str, SeglabError]  # a file's path, and what is wrong with it


def walked(root: Path) -> tuple[list[str], list[Row]]:
    """The paths of all files below `root`, and of folders, which end with /; and folders that cannot be read.

    Where images and masks lie side by side, folders beside them are looked into, but not further. Links to folders are
    followed within `root`, and elsewhere only from a folder that is called images, masks, train or the like. Raises
    SeglabError for more than MOST_FILES entries, and for more than MOST_DEPTH folders within each other.
    """
    found: list[str] = []
    rows: list[Row] = []
    home, seen = os.path.realpath(root), set[str]()

    def look(folder: str, depth: int, further: bool = True) -> None:
        where = os.path.realpath(root / folder)
        if where in seen:
            return
        seen.add(where)
        try:
            with os.scandir(root / folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            place = printable(folder.rstrip("/")) or "images"
            rows.append((place, SeglabError("{folder}: there is no such folder, or it cannot be read", folder=place)))
            return
        inside = [entry for entry in inside if not PASSED_OVER.search(entry.name)]
        folders = [entry for entry in inside if _is_folder(entry)]
        found.extend(folder + entry.name + "/" * (entry in folders) for entry in inside)
        if len(found) > MOST_FILES or depth > MOST_DEPTH:
            raise SeglabError(
                "{folder}: has more than {most} files, or more than {depth} folders within each other; give the folder "
                "that has only the images and masks",
                folder=printable(str(root)),
                most=MOST_FILES,
                depth=MOST_DEPTH,
            )
        kinds = {meaning(entry.name).kind for entry in folders}
        for entry in folders if further else ():
            known = meaning(entry.name)
            within = os.path.realpath(entry.path).startswith(home + os.sep) or home == os.sep
            if Path(entry.name).suffix.lower() not in SUFFIXES and (within or known.kind or known.split):
                look(f"{folder}{entry.name}/", depth + 1, known.kind is not None or not {"image", "mask"} <= kinds)

    look("", 0)
    return found, rows


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
