"""Runs that leave this machine, and runs that come back."""

from seglab.travel.bringing import bring, refuse_no_room
from seglab.travel.commands import command
from seglab.travel.taking import leaving, take

__all__ = ["bring", "command", "leaving", "refuse_no_room", "take"]
