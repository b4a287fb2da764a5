"""Runs that leave this machine."""

from seglab.travel.commands import command
from seglab.travel.pushing import Aim, aimed, outlook, push
from seglab.travel.taking import leaving, take

__all__ = ["Aim", "aimed", "command", "leaving", "outlook", "push", "take"]
