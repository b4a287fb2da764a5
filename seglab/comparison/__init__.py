"""Runs side by side."""

from seglab.comparison.scores import Comparison, Group, Row, cautions, compare
from seglab.comparison.settings import differing, flat
from seglab.comparison.tables import curves_csv, scores_csv

__all__ = [
    "Comparison", "Group", "Row", "cautions", "compare", "curves_csv", "differing", "flat", "scores_csv",
]  # fmt: skip
