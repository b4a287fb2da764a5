"""Runs that leave this machine, and runs that come back."""

from seglab.travel.bring import bring, refuse_no_room
from seglab.travel.command import command
from seglab.travel.take import leaving, take

__all__ = ["bring", "command", "leaving", "refuse_no_room", "take"]
