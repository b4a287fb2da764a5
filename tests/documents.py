"""The README and the pages of docs/, and the commands and the code in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATHS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "PACKAGE.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in PATHS}
NAMES = {"MODEL": "unet", "RUN": "any"}  # what stands for a name of the reader's own


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """What is below each heading of a page; a line of code that begins with # is none."""
    parts = re.split(r"^(```.*?^```\n)", text, flags=re.DOTALL | re.MULTILINE)
    found, heading = {}, ""
    for part in parts:
        lines = [part] if part.startswith("```") else part.splitlines(keepends=True)
        for line in lines:
            if re.match(r"#+ ", line):
                heading = line.strip("# \n")
            found[heading] = found.get(heading, "") + line
    return found


def commands(text: str) -> list[list[str]]:
    """The arguments of every command of seglab in the sh blocks of a text."""
    found = []
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for part in " ".join(map(shlex.quote, words)).split(" '&&' "):
                found.append(arguments(shlex.split(part)))
    return [command for command in found if command is not None]


def arguments(words: list[str]) -> list[str] | None:
    """What a command gives to seglab, with names put in; None for other commands."""
    words = words[: words.index(">")] if ">" in words else words
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    rest = words[3:] if words[:3] == ["python", "-m", "seglab"] else words[1:] if words[:1] == ["seglab"] else None
    return rest and [re.sub(rf"\b({'|'.join(NAMES)})\b", lambda name: NAMES[name[0]], word) for word in rest]


def named(command: list[str], option: str) -> str | None:
    """What a command gives for an option, if anything."""
    return command[command.index(option) + 1] if option in command else None
