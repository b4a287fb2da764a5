"""What this machine computes with: how many cores and how much memory are ours, and in which precision it is fast."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
LIMITS = ("memory.limit_in_bytes", "memory.max")  # of a control group of version 1, and of version 2
UNTOLD = 8 * 2**30  # bytes of memory, where the system does not tell
affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it


def bound() -> bool:
    """Whether OpenMP keeps each of its threads to one core: from when torch is loaded, this one among them."""
    return os.environ.get("OMP_PROC_BIND", "").lower() not in ("", "false")


AT_FIRST = affinity(0) if affinity and not (bound() and "torch" in sys.modules) else set(range(os.cpu_count() or 1))


def cores() -> int:
    """How many threads can compute at once: the least of $CPU_CORES, which Spaces set, the quota of the container, the
    cores that this process may run on, and those that there are."""
    own = affinity(0) if affinity and not bound() else AT_FIRST
    counts = [len(own), os.cpu_count() or 1, *quotas()]
    counts += [given] if (given := number(os.environ.get("CPU_CORES", ""))) else []
    return max(1, math.floor(min(counts)))


def whole() -> bool:
    """Whether all cores of the machine are ours, for the whole time: then a thread can keep one to itself."""
    return cores() == (os.cpu_count() or 1)


def pool(threads: int, name: str) -> ThreadPoolExecutor:
    """Threads for other work than torch's, on any of our cores: they would begin on the one of whoever starts them."""
    freed = (lambda: os.sched_setaffinity(0, AT_FIRST)) if affinity and bound() else None
    return ThreadPoolExecutor(threads, name, freed)


def quotas() -> Iterator[float]:
    """The processors' worth of time that each of the process's control groups may use, where it is bounded.

    Version 2 writes quota and period in one file, version 1 in two (kernel documentation, cgroup-v2 and sched-bwc).
    """
    for folder, second in groups("cpu"):
        if second:
            values = text_of(folder / "cpu.max").split()
        else:
            values = [text_of(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
        quota, period = (number(value) for value in (*values, "", "")[:2])
        if quota and period:
            yield quota / period


def memory() -> int:
    """The bytes of memory that are ours: the least of what the machine has and what our control groups and this
    process may use; those of a small machine where nothing tells."""
    names = getattr(os, "sysconf_names", {})  # Windows has none
    bounds = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if "SC_PHYS_PAGES" in names else []
    limits = [number(text_of(folder / LIMITS[second])) for folder, second in groups("memory")]
    limits += [number(str(resource.getrlimit(resource.RLIMIT_DATA)[0]))] if resource else []
    return int(min([*bounds, *filter(None, limits)], default=UNTOLD))


def groups(controller: str) -> Iterator[tuple[Path, bool]]:
    """The folders of the control groups that bound the process in this, and whether each is of version 2."""
    try:
        lines = OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for _, controllers, group in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers and controller not in controllers.split(","):
            continue
        own = Path(group.lstrip("/"))
        for above in (own, *own.parents):  # a container often sees its own group as the topmost one
            yield CGROUPS / (controller if controllers else "") / above, not controllers


@contextlib.contextmanager
def unswept() -> Iterator[None]:
    """While many objects are made that stay: without Python's search for unused ones, which takes as long again."""
    if not gc.isenabled():  # somebody else sees to it
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def text_of(file: Path) -> str:
    """What a file of the kernel says; nothing where there is none."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def number(text: str) -> float | None:
    """The positive number that a text says; None for any other, such as `max` and -1, which mean that none is set."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value > 0 and math.isfinite(value) else None


def native_bfloat16() -> bool:
    """Whether the processor itself multiplies bfloat16 (avx512_bf16 or AMX), as torch sees it.

    Elsewhere torch does it in many more instructions, and mixed precision is slower than full.
    """
    import torch

    if not torch.backends.mkldnn.is_available():
        return False
    ask = getattr(torch.cpu, "get_capabilities", None)  # older torch has two questions in its place
    if ask is None:
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    known = ask()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
