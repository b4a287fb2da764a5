"""One process holds a lock, others see it, and the system lets go of it however the holder ends."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from seglab import locks
from tests.conftest import lacking
from tests.documents import ROOT

HOLDS = "from seglab import locks; from pathlib import Path; import sys; path = Path(sys.argv[1])\n"
TRY = (  # says that it is ready, tries at the first line of its input, and holds the lock until there is no more
    f"{HOLDS}print('ready', flush=True); sys.stdin.readline()\n"
    "try:\n"
    "    with locks.held(path, 0): print('held', flush=True); sys.stdin.read()\n"
    "except TimeoutError: print('taken', flush=True)\n"
)
LOOK = HOLDS + "print(locks.is_held(path))"


@pytest.fixture(params=["flock", "no fcntl"])
def environment(request, tmp_path):
    """A process's environment; without fcntl, filelock uses what every system has."""
    return os.environ | {"PYTHONPATH": str(ROOT)} if request.param == "flock" else lacking(tmp_path / "lacking")


def program(code, path, environment):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(path)], env=environment, **pipes)


def looked(path, environment):
    return program(LOOK, path, environment).communicate()[0].strip()


def tried(path, environment, count=1):
    """Processes that try to get the lock at the same moment, and what they say; whoever has it holds it."""
    started = [program(TRY, path, environment) for _ in range(count)]
    assert [each.stdout.readline() for each in started] == ["ready\n"] * count
    for each in started:
        each.stdin.write("\n")
        each.stdin.flush()
    return started, sorted(each.stdout.readline() for each in started)


def test_a_lock_is_seen_by_others_and_gone_once_its_holder_was_killed(tmp_path, environment):
    path = tmp_path / ".lock"
    assert looked(path, environment) == "False" and not path.exists()
    (holder,), said = tried(path, environment)
    assert said == ["held\n"] and looked(path, environment) == "True"
    (other,), said = tried(path, environment)
    assert said == ["taken\n"] and looked(path, environment) == "True"
    holder.kill()
    for each in (holder, other):
        each.communicate()
    assert looked(path, environment) == "False"
    (heir,), said = tried(path, environment)
    assert said == ["held\n"]
    heir.communicate()
    assert heir.returncode == 0 and looked(path, environment) == "False"


def test_of_many_who_want_it_exactly_one_gets_it(tmp_path, environment):
    started, said = tried(tmp_path / ".lock", environment, 5)
    for each in started:
        each.communicate()
    assert said == ["held\n"] + 4 * ["taken\n"] and all(each.returncode == 0 for each in started)


def test_a_process_sees_its_own_lock_and_cannot_take_it_twice(tmp_path):
    path = tmp_path / ".lock"
    with locks.held(path):
        assert locks.is_held(path)
        with pytest.raises(TimeoutError), locks.held(path):
            pass
        assert locks.is_held(path)
    assert not locks.is_held(path)


def test_a_generator_that_another_thread_closes_lets_go(tmp_path):
    def work():
        with locks.held(tmp_path / ".lock"):
            yield

    stream = work()
    next(stream)
    closing = threading.Thread(target=stream.close)
    closing.start()
    closing.join()
    assert not locks.is_held(tmp_path / ".lock")


def test_looking_keeps_nobody_from_taking_it_nor_others_from_looking(tmp_path):
    path, ended, seen = tmp_path / ".lock", threading.Event(), []
    path.touch()

    def look():
        while not ended.is_set():
            seen.append(locks.is_held(path))

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for each in lookers:
        each.start()
    while len(seen) < 1000:
        pass
    assert not any(seen[:1000])
    for _ in range(20):
        with locks.held(path):
            assert locks.is_held(path)
    ended.set()
    for each in lookers:
        each.join()


def test_a_folder_that_is_gone_is_not_made_again(tmp_path):
    with pytest.raises(FileNotFoundError), locks.held(tmp_path / "gone" / ".lock"):
        pass
    assert not locks.is_held(tmp_path / "gone" / ".lock") and not (tmp_path / "gone").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")
def test_somebody_who_may_only_read_sees_it():
    code = "import os; from seglab import locks; os.setuid(65534)\n" + LOOK

    def looked_by_nobody():
        return program(code, path, os.environ | {"PYTHONPATH": str(ROOT)}).communicate()[0].strip()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".lock"
        os.chmod(folder, 0o755)
        with locks.held(path):
            path.chmod(0o444)
            assert looked_by_nobody() == "True"
        assert looked_by_nobody() == "False"
