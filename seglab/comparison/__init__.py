"""Runs side by side."""

from seglab.comparison.scores import Comparison, Grid, Group, Row, cautions, compare
from seglab.comparison.settings import differing, flat

__all__ = ["Comparison", "Grid", "Group", "Row", "cautions", "compare", "differing", "flat"]
