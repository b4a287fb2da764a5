"""Runs docs/notebook.ipynb and keeps what its cells give: `python docs/notebook.py` (needs the extra dev)."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_suffix(".ipynb")
PATIENCE = 300  # seconds for a cell


def executed(path: Path = NOTEBOOK) -> nbformat.NotebookNode:
    """The notebook with what its cells give now, but for progress bars. Raises CellExecutionError if one fails."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        known = os.environ | {"SEGLAB_HOME": str(Path(folder) / "runs"), "PYTHONPATH": str(path.parents[1])}
        NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": folder}}).execute(env=known)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
    print(f"{NOTEBOOK}: {NOTEBOOK.stat().st_size / 1e3:.0f} kB", file=sys.stderr)
