"""How many cores are ours, by every way in which they are counted, and what the processor is fast in."""

import os
import subprocess
import sys

import pytest
import torch

from seglab import comparison, jobs, machine, runs
from tests.conftest import tiny

ask_processor = machine.native_bfloat16  # before the fixture of all tests puts its own answer in the place of it


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """`machine.cores` where the machine has 16 cores, the process may run on `affinity` of them and is in these control
    groups, whose files are given by path."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.delenv("CPU_CORES", raising=False)

    def cores(own="0::/\n", affinity=16, given=None, **files):
        monkeypatch.setattr(machine, "affinity", affinity and (lambda process: set(range(affinity))))
        monkeypatch.setattr(machine, "AT_FIRST", set(range(affinity or 16)))
        if own is not None:
            (tmp_path / "own").write_text(own)
        if given is not None:
            monkeypatch.setenv("CPU_CORES", given)
        for path, content in files.items():
            file = tmp_path / "cgroup" / path.replace("__", "/").replace("_dot_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return machine.cores()

    return cores


@pytest.mark.skipif(machine.resource is None, reason="processes have no such limits here")
@pytest.mark.parametrize(("most", "expected"), [(2**20, 2**20), (-1, 2**26)])
def test_memory_is_no_more_than_this_process_may_use(most, expected, tmp_path, monkeypatch):
    """As a run on a shared server, whose images would not fit into it else."""
    monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "none")
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 2**26}.__getitem__)
    monkeypatch.setattr(machine.resource, "getrlimit", lambda kind: (most, -1))
    assert machine.memory() == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {}, 64),
        (None, {}, 64),  # no control groups at all
        ("0::/user/run\n", {"user/memory.max": 4 * 2**30, "user/run/memory.max": "max"}, 4),
        ("0::/user\n", {"user/memory.max": 2**60}, 64),  # of the host, not ours
        ("4:memory:/run\n0::/\n", {"memory/run/memory.limit_in_bytes": 2**31}, 2),
        ("4:memory:/run\n", {"memory/memory.limit_in_bytes": 2**33}, 8),  # as a container sees its own group
        ("1:cpu:/run\n", {"cpu/run/memory.limit_in_bytes": 2**31}, 64),  # of another controller
    ],
)
def test_memory_is_that_of_the_machine_or_the_least_that_a_control_group_may_use(
    own, files, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**24}.__getitem__)
    if own is not None:
        (tmp_path / "own").write_text(own)
    for name, content in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(f"{content}\n")
    assert machine.memory() == expected * 2**30


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 16),
        ({"affinity": 3}, 3),
        ({"affinity": None}, 16),  # as on a Mac
        ({"own": None}, 16),  # no control groups at all
        ({"given": "2"}, 2),
        ({"given": "2.0"}, 2),
        ({"given": "64"}, 16),  # of the host, not ours
        ({"given": "many"}, 16),
        ({"given": "-1"}, 16),
        ({"given": "nan"}, 16),
        ({"cpu_dot_max": "200000 100000\n"}, 2),
        ({"cpu_dot_max": "max 100000\n"}, 16),
        ({"cpu_dot_max": "250000 100000\n"}, 2),  # a third thread would be halted half of the time
        ({"cpu_dot_max": "50000 100000\n"}, 1),
        ({"cpu_dot_max": "nonsense\n"}, 16),
        ({"own": "0::/user/run\n", "user__cpu_dot_max": "400000 100000\n"}, 4),  # of a group above
        ({"own": "0::/user/run\n", "user__run__cpu_dot_max": "max 100000\n", "cpu_dot_max": "300000 100000\n"}, 3),
        (
            {"own": "4:cpu,cpuacct:/\n", "cpu__cpu_dot_cfs_quota_us": "200000", "cpu__cpu_dot_cfs_period_us": "100000"},
            2,
        ),
        ({"own": "4:cpu,cpuacct:/\n", "cpu__cpu_dot_cfs_quota_us": "-1", "cpu__cpu_dot_cfs_period_us": "100000"}, 16),
        (
            {"own": "4:cpu:/docker/x\n", "cpu__cpu_dot_cfs_quota_us": "300000", "cpu__cpu_dot_cfs_period_us": "100000"},
            3,
        ),
        ({"own": "5:memory:/\n", "cpu__cpu_dot_cfs_quota_us": "300000", "cpu__cpu_dot_cfs_period_us": "100000"}, 16),
        ({"given": "4", "affinity": 3, "cpu_dot_max": "200000 100000\n"}, 2),
        ({"given": "4", "affinity": 3, "cpu_dot_max": "800000 100000\n"}, 3),
        ({"given": "1", "affinity": 3, "cpu_dot_max": "800000 100000\n"}, 1),
    ],
    ids=str,
)
def test_the_least_of_all_counts_is_ours(counted, settings, expected):
    assert counted(**settings) == expected


def test_a_thread_keeps_a_core_to_itself_only_where_all_are_ours(counted):
    for settings, whole in (({}, True), ({"given": "2"}, False), ({"affinity": 3}, False)):
        counted(**settings)
        assert machine.whole() is whole
        assert (jobs.environment().get("OMP_PROC_BIND") == "true") is whole


@pytest.mark.parametrize("first", ["seglab", "torch"])
@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("true", "1 2 2"),  # torch's threads have a core each; the pool's are not kept to that of torch's first
        ("false", "1 1 1"),  # what the program chose for itself holds for all
        (None, "1 1 1"),
    ],
)
@pytest.mark.skipif(os.cpu_count() == 1 or not machine.affinity, reason="two cores, and threads that are bound to them")
def test_threads_for_other_work_have_all_cores_that_are_ours(first, bind, expected):
    own = sorted(os.sched_getaffinity(0))[:2]
    code = (
        f"import os, {first}, torch\n"
        "from seglab import machine\n"
        f"{bind != 'true'} and os.sched_setaffinity(0, {own[:1]})\n"
        "torch.ones(2_000_000).sum()\n"
        "with machine.pool(1, 'other') as pool:\n"
        "    there = pool.submit(os.sched_getaffinity, 0).result()\n"
        "print(len(os.sched_getaffinity(0)), min(len(there), 2), min(machine.cores(), 2))"
    )
    env = {name: value for name, value in os.environ.items() if name not in ("OMP_PROC_BIND", "CPU_CORES")}
    given = {
        "env": env | ({"OMP_PROC_BIND": bind} if bind else {}),
        "capture_output": True,
        "text": True,
        "check": True,
    }
    assert subprocess.run([sys.executable, "-c", code], **given).stdout.strip() == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ({"architecture": "aarch64"}, False),
    ],
    ids=str,
)
def test_torch_is_asked_whether_the_processor_has_bfloat16(known, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    assert ask_processor() is expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert ask_processor() is False


@pytest.mark.parametrize(("avx", "amx"), [(True, False), (False, True), (False, False)])
def test_an_older_torch_is_asked_in_its_own_way(avx, amx, monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert ask_processor() is (avx or amx)


@pytest.mark.parametrize("module", ["seglab", "seglab.cli", "seglab.jobs", "seglab.ui"])
def test_how_threads_wait_is_settled_before_torch_is_loaded(module):
    code = (
        "import os, sys\n"
        "class Look:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            assert (os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT']) == ('PASSIVE', '1000')\n"
        "sys.meta_path.insert(0, Look())\n"
        f"import {module}\n"
        "print(os.environ['OMP_WAIT_POLICY'])"
    )
    free = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    out = subprocess.run([sys.executable, "-c", code], env=free, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["PASSIVE"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"CPU_CORES": "1"}, ["PASSIVE", "1000", "1"]),
        ({"GOMP_SPINCOUNT": "7", "CPU_CORES": "1"}, ["PASSIVE", "7", "1"]),
        ({"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "1"}, ["ACTIVE", "None", "1"]),
    ],
)
def test_torch_takes_our_cores_unless_it_is_told_otherwise(settings, expected):
    code = (
        "import os, seglab, torch\n"
        "print(os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT'), torch.get_num_threads())"
    )
    free = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    given = {"env": free | settings, "capture_output": True, "text": True, "check": True}
    assert subprocess.run([sys.executable, "-c", code], **given).stdout.split() == expected


def test_a_run_tells_its_precision_and_a_comparison_of_two_says_so():
    made = []
    for precision in ("full", "mixed", "mixed"):
        config = tiny(epochs=1, optimizer={"name": "adamw", "precision": precision})
        made.append(runs.create(config, f"{precision} {len(made)}"))
        list(runs.work(made[-1]))
    told = [runs.events(directory)[0].precision for directory in made]
    assert told == ["float32", "bfloat16", "bfloat16"]
    said = [str(each) for each in comparison.cautions(comparison.compare(made))]
    assert len(said) == 1 and "float32" in said[0] and "bfloat16" in said[0]
    assert comparison.cautions(comparison.compare(made[1:])) == []
