"""Eight equal runs on a Ray cluster of two nodes with a core each, against the same runs on one of the nodes; and how
long it takes until the first run begins.

python -m benchmarks.cluster [--runs 8] [--epochs 10] [--images 300]

The head of the cluster and what deals out the runs work on the same two cores. With `--images 8 --epochs 240` a run
reports sixteen times a second, each time with its weights and a snapshot.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import psutil

from benchmarks._outcome import small, weights
from seglab import jobs, runs
from seglab.jobs import elsewhere

LINEAR, START = 0.9, 8.0  # of linear, and seconds until a run trains


@contextmanager
def dealing(address: str) -> Iterator[None]:
    """The process that deals out the queue, as the page begins it."""
    child = subprocess.Popen(elsewhere.command(f"ray:{address}"), env=elsewhere.surroundings(), cwd=jobs.ROOT)
    try:
        yield
    finally:
        child.kill()
        child.wait()


def until(condition) -> float:
    """The seconds until the condition holds."""
    began = monotonic()
    while not condition():
        sleep(0.02)
    return monotonic() - began


def pinned(node, core: int) -> None:
    """Keeps a node, and all that it begins from now on, to one core."""
    psutil.Process(node.all_processes["raylet"][0].process.pid).cpu_affinity([core])


def timed(count: int, config) -> tuple[float, set[str]]:
    """The seconds that so many runs take together, and the sha256 of their weights."""
    made = jobs.submit([config] * count)
    seconds = until(lambda: all(runs.status(each).over for each in made))
    return seconds, {weights(each) for each in made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, default=300)
    arguments = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0"}
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        data = {"name": "streets", "train_images": arguments.images, "val_images": 8, "size": 64}
        config = small(data=data, epochs=arguments.epochs, optimizer={"name": "adamw", "precision": "full"})
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            pinned(cluster.add_node(num_cpus=1), 0)
            (first,) = jobs.submit([small()])
            with dealing(cluster.address):
                begins = until(lambda: runs.status(first).state == "running")
                trains = begins + until(lambda: runs.all_events(first))
                until(lambda: runs.status(first).over)
                one, found = timed(arguments.runs, config)
                pinned(cluster.add_node(num_cpus=1), 1)
                two, others = timed(arguments.runs, config)
        finally:
            cluster.shutdown()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"start: the first run begins after {begins:.1f} s and trains after {trains:.1f} s (mark: {START:g} s)")
    share = one / two / 2
    verdict = "met" if share >= LINEAR else "MISSED"
    told = f"{share:.2f} of linear (mark: {LINEAR}): {verdict}"
    print(f"{arguments.runs} runs: {one:.1f} s on one node, {two:.1f} s on two: {told}")
    print(f"weights: {len(found | others)} sha256 of {2 * arguments.runs} runs; load {load}")


if __name__ == "__main__":
    main()
