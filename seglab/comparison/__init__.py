"""Runs side by side."""

from seglab.comparison.scores import LEAK, Comparison, Grid, Group, Row, compare
from seglab.comparison.settings import differing, flat

__all__ = ["LEAK", "Comparison", "Grid", "Group", "Row", "compare", "differing", "flat"]
