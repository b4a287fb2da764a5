"""Works on one run in a process of its own: `python -m seglab.jobs DIRECTORY PARENT`."""

import sys
from pathlib import Path

from seglab import runs
from seglab.jobs.limits import bind
from seglab.jobs.process import device, subordinate, threads

subordinate(int(sys.argv[2]))
bind()
for _ in runs.work(Path(sys.argv[1]), device(), threads()):
    pass
