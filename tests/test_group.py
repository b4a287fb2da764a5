"""Several processes on one run do what one alone does, and what they leave when one is lost can be resumed."""

import importlib
import os
import signal
import subprocess
import sys
import time
import traceback
from multiprocessing import get_context

import numpy as np
import psutil
import pytest
import torch
from torch import nn

import seglab
from seglab import jobs, runs, torchvision_guard, training
from seglab.cli import main
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started
from seglab.group import ALONE, Group, Several
from tests.conftest import ROOT, finish, free_port, tiny

PLAIN = {"name": "unet_vgg16", "width": 4, "batch_norm": False}
DESCENT = {"name": "sgd", "lr": 0.02, "clip": 1.0, "precision": "full"}
EXACT = {"model": PLAIN, "loss": "cross_entropy", "optimizer": DESCENT, "batch_size": 5, "epochs": 5}


def together(size, work, *arguments):
    """What each of so many processes gives for `work(group, *arguments)`."""
    port, forks = str(free_port()), get_context("fork")
    answers = forks.SimpleQueue()

    def take_part(rank):
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "localhost", "MASTER_PORT": port}
        try:
            answers.put((rank, work(Several("gloo"), *arguments)))
        except BaseException:
            answers.put((rank, traceback.format_exc()))
        os._exit(0)

    processes = [forks.Process(target=take_part, args=(rank,)) for rank in range(size)]
    for process in processes:
        process.start()
    found = dict(answers.get() for _ in processes)
    for process in processes:
        process.join(10)
    return [found[rank] for rank in range(size)]


def weights(run):
    return torch.cat([value.double().flatten() for value in run.evaluated_model().state_dict().values()])


def trained(group, config):
    """The weights after ten steps, the losses on the way and the scores, as numbers that another process can read."""
    run = training.Run(config, group=group)
    run.agree()
    losses = []
    while len(losses) < 10:
        for places in training.batches(run.order(len(losses)), config.batch_size):
            losses.append(run.advance(run.share(len(losses), places))[0])
    scores = run.evaluate().scores
    return weights(run).numpy(), losses, {name: score.model_dump() for name, score in scores.items()}


def assert_as_one(config, size=2, atol=1e-6):
    expected, losses, scores = trained(ALONE, config)
    for found, each, scored in together(size, trained, config):
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
        np.testing.assert_allclose(each, losses, rtol=0, atol=10 * atol)
        for name, score in scores.items():
            assert scored[name]["images"] == score["images"]
            assert scored[name]["loss"] == pytest.approx(score["loss"], abs=10 * atol)
            assert scored[name]["miou"] == pytest.approx(score["miou"], abs=1e-3)  # a pixel on the edge of two classes


@pytest.mark.parametrize("size", [2, 3])
def test_ten_steps_of_several_processes_are_those_of_one(size):
    assert_as_one(tiny(**EXACT), size)


@pytest.mark.parametrize(
    "techniques",
    [
        ["cutmix", "flip", "color"],
        [{"name": "crop", "p": 1}, "rotate"],  # images of several sizes
        [{"name": "accumulation", "at_once": 1}],
        ["ema", {"name": "progressive_size"}],
        ["cps"],
    ],
    ids=str,
)
def test_what_techniques_change_is_the_same(techniques, double):
    assert_as_one(tiny(**EXACT, techniques=techniques), atol=1e-9)


def test_batch_norm_sees_the_images_of_all_processes(double):
    assert_as_one(tiny(**EXACT | {"model": {"name": "unet_vgg16", "width": 4, "batch_norm": True}}), atol=1e-9)


def passed(group, name, options):
    """What a batch norm makes of its share of five images in training, then in evaluation, with what it learned."""
    torchvision_guard.torchvision()
    module, _, kind = name.rpartition(".")
    torch.manual_seed(0)
    norm = getattr(importlib.import_module(module), kind)(3, **options)
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    x = (torch.randn(5, 3, 4, 6) * 3 + 100).requires_grad_()  # far from zero, where squares round
    own = list(group.share(5))
    group.synchronize(norm)
    y = norm(x[own])
    pull = torch.arange(5 * 72.0).view(5, 3, 4, 6).cos()
    (y * pull[own]).sum().backward()
    z = norm.eval()(x[own])
    state = {name: value.numpy() for name, value in norm.state_dict().items()}
    return y.detach().numpy(), z.detach().numpy(), x.grad[own].numpy(), state


@pytest.mark.parametrize("options", [{}, {"momentum": None}], ids=str)
@pytest.mark.parametrize(
    "name", ["torch.nn.BatchNorm2d", "timm.layers.BatchNormAct2d", "seglab.architectures._blocks.LoneNorm"]
)
def test_a_batch_norm_of_parts_is_that_of_the_whole(name, options):
    *expected, state = passed(ALONE, name, options)
    found = together(2, passed, name, options)
    for n, values in enumerate(expected):  # what it gives, then in evaluation, and the gradient
        np.testing.assert_allclose(np.concatenate([each[n] for each in found]), values, atol=1e-4)
    for *_, known in found:
        assert known.keys() == state.keys()
        for each, value in known.items():
            np.testing.assert_allclose(value, state[each], rtol=1e-5, err_msg=each)


def test_a_norm_that_cannot_be_shared_is_named():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm1d(3))
    with pytest.raises(SeglabError, match="1 is a BatchNorm1d, which cannot be shared by processes"):
        Several.synchronize(Group(), network)


@pytest.mark.parametrize("name", sorted(set(FAMILIES["techniques"].entries) - {"pseudo_labels"}))
def test_no_technique_takes_the_processes_apart(name):
    model = {"name": "unet", "width": 4, "depth": 2}
    one, two = together(2, walked, tiny(model=model, loss="cross_entropy + dice", techniques=[name], epochs=3))
    assert one == two


@pytest.mark.parametrize(
    ("size", "technique"),
    [(5, {"name": "accumulation", "at_once": 1}), (2, {"name": "consistency"})],  # parts, and images without masks
    ids=str,
)
def test_no_process_goes_through_a_batch_norm_that_the_others_leave_out(size, technique):
    model = {"name": "unet", "width": 4, "depth": 2}
    one, two = together(2, walked, tiny(model=model, batch_size=size, techniques=[technique], epochs=3))
    assert one == two


@pytest.mark.parametrize("name", FAMILIES["architectures"].entries)
def test_no_network_takes_the_processes_apart(name):
    fields = FAMILIES["architectures"].entries[name].model_fields
    one, two = together(2, walked, tiny(model={"name": name} | ({"width": 4} if "width" in fields else {})))
    assert one == two


def walked(group, config):
    """The first step of two epochs."""
    run = training.Run(config, group=group, fresh=group.rank == 0)
    run.agree()
    losses = []
    for epoch in range(2):
        for hooks in run.step_hooks.values():
            hooks.on_epoch(epoch)
        losses.append(run.advance(run.share(epoch, run.order(epoch)[: config.batch_size]))[0])
    assert all(np.isfinite(losses))
    return losses, weights(run).tolist()


def test_a_batch_with_fewer_images_than_processes_is_refused():
    with pytest.raises(SeglabError, match="3 processes cannot share a batch of 2 images"):
        group = Group()
        group.size = 3
        training.Run(tiny(batch_size=6), group=group)


# --- by the launcher


WHOLE = {**EXACT, "epochs": 3}


def values(directory):
    return torch.cat([value.flatten() for _, value in sorted(runs.weights(directory).items())])


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """The weights of a run of one process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(tmp_path_factory.mktemp("one")))
        directory = runs.create(tiny(**WHOLE))
        list(runs.work(directory))
        yield values(directory)


def test_the_command_trains_in_two_processes_and_goes_on_in_one(one_process, capfd):
    directory = runs.create(tiny(**WHOLE), "shared")
    working = jobs.several.work(directory, 2)
    for event in working:
        if isinstance(event, Evaluated):
            runs.stop(directory)
    assert runs.status(directory).state == "stopped"
    with pytest.raises(SystemExit) as ended:
        main(["resume", "shared"])
    assert ended.value.code == 0
    begun = [event.processes for event in runs.all_events(directory) if isinstance(event, Started)]
    assert begun == [2, 1]
    torch.testing.assert_close(values(directory), one_process, rtol=0, atol=1e-6)


def test_a_lost_process_leaves_a_run_that_two_go_on_with(one_process, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    directory = runs.create(tiny(**WHOLE))
    with pytest.raises(
        SeglabError, match=r"interrupted: one of its processes ended \(process 2 ended with status -9\); .*resume"
    ):
        killed = 0
        for event in jobs.several.work(directory, 2):
            if isinstance(event, Evaluated) and not killed:  # two may come at once, and then one more would be lost
                killed = max(ranks(directory))
                os.kill(killed, signal.SIGKILL)
    assert runs.status(directory).state == "interrupted" and not ranks(directory)
    *_, last = jobs.several.work(directory, 2)
    assert last.reason == "completed" and not list(tmp_path.glob("torchelastic*"))
    torch.testing.assert_close(values(directory), one_process, rtol=0, atol=1e-6)


def test_who_waits_for_several_processes_reads_each_event_once(monkeypatch):
    """Whatever they are, a line that is yet to be whole among them: all of them ten times a second would be a core."""
    directory = runs.create(tiny(**WHOLE))
    events = list(runs.work(directory))
    path = directory / "events.jsonl"
    content = path.read_bytes()
    found, place = [], 0
    for end in range(0, len(content) + 100, 100):
        path.write_bytes(content[:end])
        new, place = runs.events_after(directory, place)
        found += new
    assert found == events and runs.events_after(directory, place) == ([], len(content))
    path.write_bytes(b"nonsense\n")
    with pytest.raises(SeglabError, match=r"events\.jsonl is damaged: a line of it cannot be read"):
        runs.events_after(directory)
    path.unlink()
    assert runs.events_after(directory) == ([], 0)


def test_processes_meet_on_a_machine_whose_name_leads_nowhere(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import socket; socket.getfqdn = lambda *_: 'nowhere.invalid'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", str(ROOT))]))
    (*_, last) = jobs.several.work(runs.create(tiny(**WHOLE | {"epochs": 1})), 2)
    assert last.reason == "completed"


def test_an_interrupt_before_the_processes_have_begun_stops_the_run():
    directory = runs.create(tiny(**WHOLE))
    (*_, last) = jobs.several.work(directory, 2, interrupted=lambda: True)
    assert last.reason == "stopped" and runs.status(directory).state == "stopped"


def test_a_run_that_is_recorded_whole_is_complete_however_its_processes_end(monkeypatch):
    directory, popen = runs.create(tiny()), subprocess.Popen

    def aborts(*_, **__):
        finish(directory)
        return popen([sys.executable, "-c", "import os; os.abort()"])

    monkeypatch.setattr(jobs.several.subprocess, "Popen", aborts)
    (*_, last) = jobs.several.work(directory, 2)
    assert last.reason == "completed" and runs.status(directory).state == "completed"


def test_no_process_outlives_the_command(tmp_path):
    command = [sys.executable, "-m", "seglab", "train", "--processes", "2", "--name", "orphan", "--epochs", "50"]
    options = ["--data.train_images", "8", "--data.val_images", "4", "--model.width", "4", "--threads", "2"]
    child = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    directory = runs.home() / "orphan"
    until(lambda: any(isinstance(event, Started) for event in runs.all_events(directory)), child)
    child.kill()
    child.wait()
    until(lambda: not ranks(directory) and runs.status(directory).state == "interrupted")  # the last lets go of it


def test_more_processes_than_are_allowed_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--processes", "65"])
    assert "'65' is not allowed; allowed: 1 to 64" in capsys.readouterr().err
    with pytest.raises(SeglabError, match="processes: 0 is not allowed"):
        seglab.train(processes=0)


def ranks(directory):
    """The processes that have to do with a run, and are not this one or its own."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "seglab.jobs.several" in words and str(directory) in words:
            found.append(process.pid)
    return found


def until(there, child=None):
    """Waits until something is there; the test's own time limit ends it."""
    while not there():
        assert child is None or child.poll() is None, "the command ended"
        time.sleep(0.05)
