"""Pages that are written when the site is built: the reference, by the command that lists entries, and the notebook."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent.parent))  # this tree's seglab, wherever mkdocs was started

from seglab import cli


def on_config(config: Any) -> Any:
    """A page for each family in the navigation, below the reference's first page."""
    section = next(item["Reference"] for item in config.nav if "Reference" in item)
    section += [address for family in families() if (address := f"reference/{family}.md") not in section]
    return config


def on_files(files: Files, config: Any) -> Files:
    for family in families():
        files.append(File.generated(config, f"reference/{family}.md", content=page(family)))
    files.append(File.generated(config, "notebook.md", content=notebook()))
    return files


def notebook() -> str:
    """docs/notebook.ipynb as a page, with what its cells gave when it was run."""
    parts = []
    for cell in json.loads((Path(__file__).parent / "notebook.ipynb").read_text())["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                parts.append(f'<div class="output">{"".join(data["text/html"])}</div>'.replace("\n", " "))
            else:
                parts.append(f"```text\n{''.join(output.get('text') or data['text/plain']).rstrip()}\n```")
    parts.append("This page is [a notebook](notebook.ipynb): open it, and run it.")
    return "\n\n".join(parts)


def page(family: str) -> str:
    command = ["list", family, "--markdown"]
    made = f"Written by `python -m seglab {' '.join(command)}` when these pages were built."
    return f"# {family.capitalize()}\n\n{printed(command)}\n\n{made}\n"


def families() -> list[str]:
    return list(json.loads(printed(["list", "--json"])))


def printed(command: list[str]) -> str:
    """What a command of seglab prints; it has to end well."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        cli.main(command)
    if not out.getvalue().strip():
        raise RuntimeError(f"seglab {' '.join(command)} printed nothing")
    return out.getvalue().strip()
