"""What a network is made of: its size, its cost, how far a pixel of it sees, and its structure as a few blocks."""

from seglab.anatomy.numbers import Anatomy, anatomy, milliseconds
from seglab.anatomy.reach import UNKNOWN, WHOLE

__all__ = ["UNKNOWN", "WHOLE", "Anatomy", "anatomy", "milliseconds"]
