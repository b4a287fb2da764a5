"""Runs on a Ray cluster: two nodes of one core on this machine, and kill -9 of each of its parts."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from benchmarks._outcome import leftovers, weights
from seglab import jobs, runs
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started
from seglab.jobs import elsewhere, node
from tests.conftest import finish
from tests.conftest import tiny as tiny_run
from tests.test_jobs import state, wait_until

pytest.importorskip("ray")
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_gcs_rpc_server_reconnect_timeout_s": "3"}


def tiny(**options):
    """A run that computes alike in this process and in others, whatever the processor is fast at."""
    return tiny_run(optimizer={"name": "adamw", "precision": "full"}, **options)


class Cluster:
    """A head without processors, and nodes of one core."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self.port = None
        self.begin = lambda **how: Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **how}
        )
        self.known = self.begin()
        self.address = self.known.address
        self.add(2)

    def add(self, count):
        for _ in range(count):
            self.known.add_node(num_cpus=1, object_store_memory=80 * 2**20)

    def raylets(self):
        """The processes of the nodes that are not the head's."""
        nodes = self.known.worker_nodes
        return [psutil.Process(each.all_processes["raylet"][0].process.pid) for each in nodes]

    def at_work(self):
        """The processes that work on runs."""
        found = [child for raylet in self.raylets() if raylet.is_running() for child in children(raylet)]
        return [child for child in found if title(child).startswith("ray::Node")]


def children(process):
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        made = Cluster()
        yield made
        made.known.shutdown()


@pytest.fixture
def dispatcher(cluster, runs_home):
    """The process that deals out this test's queue."""
    with begun(f"ray:{cluster.address}") as child:
        yield child


class begun:
    def __init__(self, text):
        self.text = text

    def __enter__(self):
        self.child = subprocess.Popen(elsewhere.command(self.text), env=elsewhere.surroundings(), cwd=jobs.ROOT)
        return self.child

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()


def events(directory, kind):
    return [event for event in runs.all_events(directory) if isinstance(event, kind)]


@pytest.mark.slow
def test_runs_go_on_side_by_side_and_end_as_on_this_machine(cluster, dispatcher):
    local = finish(runs.create(tiny(epochs=3)))
    first, second = jobs.submit([tiny(epochs=300), tiny(epochs=300, seed=1)])
    wait_until(lambda: len(events(first, Evaluated)) > 2 and len(events(second, Evaluated)) > 2)
    third, fourth = jobs.submit([tiny(epochs=3), tiny(epochs=1)])
    wait_until(lambda: len(cluster.at_work()) == 2)
    assert [state(each) for each in (first, second, third)] == ["running", "running", "queued"]
    jobs.stop(fourth)  # the cluster is full, and this one waits
    assert state(fourth) == "stopped" and jobs.waiting() == [third]
    jobs.stop(first)
    wait_until(lambda: state(first) == "stopped" and state(third) == "completed")
    assert weights(third) == weights(local) and runs.load(third) and not leftovers(third)
    assert state(second) == "running" and not events(fourth, Started)
    step = runs.status(first).finished.step
    jobs.resubmit(first)
    wait_until(lambda: runs.events(first)[-1].step > step)
    assert events(first, Started)[-1].resumed_at == step
    jobs.stop(first), jobs.stop(second)
    wait_until(lambda: state(first) == state(second) == "stopped")


@pytest.mark.slow
def test_a_run_whose_process_or_node_is_lost_goes_on_from_its_last_snapshot(cluster, dispatcher):
    whole = finish(runs.create(tiny(epochs=60)))
    (directory,) = jobs.submit([tiny(epochs=60)])
    for n, lose in enumerate((lambda process: process, lambda process: process.parent()), 1):
        wait_until(lambda n=n: len(events(directory, Started)) == n and isinstance(runs.events(directory)[-1], Evaluated))
        (process,) = cluster.at_work()
        lose(process).kill()
        wait_until(lambda n=n: len(events(directory, Started)) > n)
    cluster.add(1)
    wait_until(lambda: state(directory) == "completed")
    assert all(each.resumed_at for each in events(directory, Started)[1:])
    assert weights(directory) == weights(whole) and not leftovers(directory)
    assert (directory / "log.txt").read_text().count("was lost, and it goes on from step") == 2
