"""Times runs in a process of its own: `python -m seglab.plans PARENT`, configurations as JSON on standard input."""

import json
import sys

from seglab import jobs
from seglab.config import RunConfig
from seglab.entry import validated
from seglab.plans.timing import timed

jobs.subordinate(int(sys.argv[1]))
configs = [validated(RunConfig, config) for config in json.load(sys.stdin)]
print(json.dumps([timed(config, jobs.device(), jobs.threads()) for config in configs]))
