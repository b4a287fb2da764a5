"""seglab: a laboratory for comparing semantic-segmentation models."""

import os

from seglab import machine

__version__ = "0.1.0"

# Threads of OpenMP wait for each other asleep instead of spinning: beside one busy process spinning doubles the time of
# a training step, alone it gains nothing. torch reads this when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if machine.cores() < (os.cpu_count() or 1):  # in a container torch would take the host's cores
    os.environ.setdefault("OMP_NUM_THREADS", str(machine.cores()))
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # albumentations asks the network for its version otherwise
