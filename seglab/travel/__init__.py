"""Runs that leave this machine."""

from seglab.travel.commands import command
from seglab.travel.pushing import Aim, aimed, departing, push
from seglab.travel.taking import leaving, take

__all__ = ["Aim", "aimed", "command", "departing", "leaving", "push", "take"]
