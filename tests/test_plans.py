"""Plans: what runs they make, that those wait for each other, and that nothing is lost when they are interrupted."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from seglab import jobs, plans, runs, training
from seglab.comparison.grids import grid
from seglab.comparison.scores import compare
from seglab.config import RunConfig
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Plan
from seglab.metrics import DEFINITION
from seglab.training import folded
from tests.conftest import finish, tiny, writing
from tests.test_cli import SMALL, seglab
from tests.test_jobs import state, wait_until, worker  # noqa: F401 - a fixture

FOLDS = [{"name": "folds", "k": 4, "leak_by_mistake": mistake} for mistake in (False, True)]


def laid_out(plan, *configs, name=None):
    return plans.laid_out(validated(Plan, plan), configs or [tiny()], name)[1]


def made(plan, *configs, name="mine"):
    """A plan's runs, none of them begun."""
    plan = validated(Plan, plan)
    title, steps = plans.laid_out(plan, configs or [tiny(epochs=1)], name)
    return [directory for directory, _ in plans.members(plans.create(plan, title, steps))]


def done(plan, *configs, name="mine"):
    return [finish(directory) for directory in made(plan, *configs, name=name)]


# --- what runs a plan makes


def test_seeds_differ_in_nothing_but_the_seed():
    steps = laid_out({"name": "seeds", "count": 3}, tiny(seed=7))
    assert [step.label for step in steps] == ["seed 7", "seed 8", "seed 9"]
    assert [step.config for step in steps] == [tiny(seed=seed) for seed in (7, 8, 9)]


def test_every_training_image_is_held_out_once_and_never_learned_from_by_the_run_that_is_scored_on_it():
    held, data = [], tiny().data.open()
    for step in laid_out(FOLDS[0]):
        fold = folded(data, step.config)
        scored = [*fold.search.names, *fold.val.names]
        assert set(scored).isdisjoint(fold.train.names)
        assert sorted([*scored, *fold.train.names]) == sorted(data.train.names)
        assert step.config.init_from is None and step.config.needs == ()
        held += scored
    assert sorted(held) == sorted(data.train.names)


def test_the_mistake_carries_weights_into_folds_that_are_scored_on_what_these_have_learned(monkeypatch):
    given = []
    whole = training.Run
    monkeypatch.setattr(training, "Run", lambda *a, **more: given.append(a[3]) or whole(*a, **more))
    honest, leaking = made(FOLDS[0], name="honest"), made(FOLDS[1], name="leaking")
    for directory in (*honest, *leaking):
        list(runs.work(directory))
    assert given[:5] == [None] * 5  # the first fold has nowhere to get weights from
    for before, weights in zip(leaking[:3], given[5:], strict=True):
        best = runs.weights(before)
        assert set(weights) == set(best) and all(bool((weights[name] == best[name]).all()) for name in best)
    for before, after in itertools.pairwise(leaking):
        held = runs.description(after)["images"]
        assert set(held["val"] + held["search"]) <= set(runs.description(before)["images"]["train"])
    found = compare([*honest, *leaking])
    assert [row.leak for row in found.rows] == [False] * 5 + [True] * 3
    assert [(group.places, group.leak) for group in found.groups] == [((0, 1, 2, 3), False), ((4, 5, 6, 7), True)]
    assert found.comparable and not found.same_data
    assert not compare([honest[0], honest[1], runs.find("unet")]).comparable


def test_a_sweep_of_two_options_makes_every_pair_and_is_compared_as_a_grid():
    plan = {"name": "sweep", "over": ["optimizer.lr=3e-3,1e-3", "model.width=4,8"]}
    directories = done(plan)
    configs = [runs.config(directory) for directory in directories]
    assert [(c.optimizer.lr, c.model.width) for c in configs] == [(3e-3, 4), (3e-3, 8), (1e-3, 4), (1e-3, 8)]
    base = tiny(epochs=1)
    for config in configs:
        assert config.model_copy(update={"optimizer": base.optimizer, "model": base.model}) == base
    found = compare(directories)
    layout = grid(found, directories).layout()
    assert {layout.down, layout.right} == {"optimizer.lr", "model.width"} and found.groups == ()
    for value, line in zip(layout.lines, layout.cells, strict=True):
        for other, (place,) in zip(layout.columns, line, strict=True):
            options = {layout.down: value, layout.right: other}
            assert (configs[place].optimizer.lr, configs[place].model.width) == (
                options["optimizer.lr"],
                options["model.width"],
            )
    assert layout.lines == tuple(sorted(layout.lines)) and layout.columns == tuple(sorted(layout.columns))
    assert grid(compare(directories[:2]), directories[:2]) is None


def test_an_entry_that_takes_another_s_place_keeps_options_that_were_set_and_that_it_has_too():
    plan = {"name": "sweep", "over": ["model=unet,encoder_decoder,segnet", "optimizer.lr=1e-3,3e-3"]}
    base = tiny(model={"name": "unet", "width": 8, "skip": "add"}, optimizer={"name": "adamw", "lr": 0.5, "clip": 1})
    models = [step.config.model for step in laid_out(plan, base)][::2]
    assert [(model.name, model.width) for model in models] == [("unet", 8), ("encoder_decoder", 8), ("segnet", 8)]
    assert models[0].skip == "add" and models[0].depth == models[1].depth == 4
    assert [step.config.optimizer.clip for step in laid_out(plan, base)] == [1] * 6
    (sgd, adam) = laid_out({"name": "sweep", "over": ["optimizer=sgd,adam"]}, tiny(optimizer="adamw"))
    assert sgd.config == tiny(optimizer="sgd") and adam.config == tiny(optimizer="adam")


def test_techniques_and_losses_can_be_swept_as_they_are_typed():
    base = tiny(techniques=[{"name": "color", "p": 0.25}])
    steps = laid_out({"name": "sweep", "over": ["techniques=,flip,flip+color"]}, base)
    assert [[t.name for t in step.config.techniques] for step in steps] == [[], ["flip"], ["flip", "color"]]
    assert steps[2].config.techniques[1].p == 0.25
    steps = laid_out({"name": "sweep", "over": ["loss=focal + dice,focal + 0.5*dice", "loss.dice.smooth=1,2"]})
    losses = [step.config.loss.parts[1] for step in steps]
    assert [(part.weight, part.loss.smooth) for part in losses] == [(1, 1), (1, 2), (0.5, 1), (0.5, 2)]
    steps = laid_out({"name": "sweep", "over": ["loss.class_weights=none; 1,2,3"]}, tiny(loss="cross_entropy"))
    assert [step.config.loss.class_weights for step in steps] == ["none", (1, 2, 3)]
    dice, focal = laid_out({"name": "sweep", "over": ["loss=dice,focal"]}, tiny(loss={"name": "dice", "smooth": 3}))
    assert dice.config.loss.smooth == 3 and focal.config == tiny(loss="focal")


def test_a_plan_of_several_models_makes_its_runs_for_each_of_them():
    other = tiny(model={"name": "encoder_decoder", "width": 4})
    steps = laid_out({"name": "folds", "k": 2, "leak_by_mistake": True}, tiny(), other)
    assert [step.label for step in steps][2:] == ["encoder_decoder, fold.index 0", "encoder_decoder, fold.index 1"]
    assert [step.config.needs for step in steps] == [(), (steps[0].directory,), (), (steps[2].directory,)]
    assert len({step.directory for step in steps}) == 4
    short = [re.fullmatch(r"folds \d\d:\d\d:\d\d · (\d)", runs.short_name(step.directory)) for step in steps]
    assert [match[1] for match in short] == ["1", "2", "3", "4"]


STUDENT = {"name": "noisy_student", "labeled": 0.5}


def test_a_student_waits_for_its_teacher_and_each_sees_the_same_masks():
    plan = STUDENT | {"confidence": 0.75, "rounds": 2, "student": ["model.width=8", "techniques=flip+color"]}
    base = tiny(techniques=["flip"], seed=3)
    steps = laid_out(plan, base)
    own = ", model.width 8, techniques flip+color"
    assert [step.label for step in steps] == ["teacher", f"student 1{own}", f"student 2{own}"]
    teacher, *students = [step.config for step in steps]
    assert [step.config.needs for step in steps] == [(), (steps[0].directory,), (steps[1].directory,)]
    assert [t.name for t in teacher.techniques] == ["flip", "pseudo_labels"]
    assert teacher.techniques[1].teacher is None and teacher.model == base.model
    for student in students:
        assert [t.name for t in student.techniques] == ["flip", "color", "pseudo_labels"]
        assert student.techniques[2].confidence == 0.75 and student.model.width == 8 and student.seed == 3
        assert student.techniques[2].hidden(8, 3) == teacher.techniques[1].hidden(8, 3)
    alike, student = (step.config for step in laid_out(STUDENT, base))
    assert student.model_copy(update={"techniques": alike.techniques}) == alike and student.needs


@pytest.mark.parametrize(
    ("plan", "options", "words"),
    [
        ({"name": "seeds", "count": 1}, {}, ["count", "1", "2 or more"]),
        ({"name": "seeds", "cuont": 3}, {}, ["'cuont'", "'count'"]),
        ({"name": "seeds"}, {"seed": 2**31 - 1}, ["seed", "2147483648", "less than 2147483648"]),
        ({"name": "folds", "k": 21}, {}, ["k", "21", "20 or less"]),
        ({"name": "folds"}, {"fold": {"index": 1, "of": 3}}, ["fold", "1", "leave it out"]),
        ({"name": "sweep", "over": ["model.width=8,1"]}, {}, ["model.width", "'1'", "4 or more"]),
        ({"name": "sweep", "over": ["model.width=8,wide"]}, {}, ["model.width", "'wide'", "whole number"]),
        ({"name": "sweep", "over": ["model.widht=8,16"]}, {}, ["'widht'", "'width'"]),
        ({"name": "sweep", "over": ["modle=unet,segnet"]}, {}, ["'modle'", "'model'"]),
        ({"name": "sweep", "over": ["model=unet,segnte"]}, {}, ["'segnte'", "'segnet'"]),
        ({"name": "sweep", "over": ["techniques=flip,colr"]}, {}, ["'colr'", "'color'"]),
        ({"name": "sweep", "over": ["techniques.color.p=0,1"]}, {}, ["techniques.color.p"]),
        ({"name": "sweep", "over": ["model.width"]}, {}, ["over", "'model.width'", "model.width=8,16"]),
        (STUDENT | {"labeled": 1}, {}, ["labeled", "1", "less than 1"]),
        (STUDENT | {"student": ["model.width"]}, {}, ["student", "'model.width'", "model.width=32"]),
        (STUDENT | {"student": ["model.width=1"]}, {}, ["model.width", "'1'", "4 or more"]),
        (STUDENT | {"student": ["seed=1"]}, {}, ["student", "seed"]),
        (STUDENT | {"student": ["data.size=32"]}, {}, ["student", "data.size"]),
        (STUDENT, {"techniques": ["pseudo_labels"]}, ["techniques", "pseudo_labels", "leave it out"]),
        (STUDENT | {"student": ["techniques=pseudo_labels"]}, {}, ["techniques", "pseudo_labels", "leave it out"]),
        (STUDENT, {"techniques": ["cps"]}, ["cps", "pseudo_labels", "pick one"]),
        ({"name": "sweep", "over": ["=8,16"]}, {}, ["over", "'=8,16'"]),
        ({"name": "sweep", "over": []}, {}, ["over", "1 or more"]),
        ({"name": "sweep", "over": ["seed=1,2"] * 7}, {}, ["over", "7 given", "6 or fewer"]),
        ({"name": "sweep", "over": ["seed=1,2,01"]}, {}, ["seed 1", "seed 01", "same run"]),
        ({"name": "sweep", "over": ["seed=1,2", "seed=3,4"]}, {}, ["same run"]),
        ({"name": "sweep", "over": ["seed=" + ",".join(map(str, range(101)))]}, {}, ["101", "allowed: 100"]),
        ("sweeps", {}, ["'sweeps'", "'sweep'"]),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else None,
)
def test_a_mistake_is_named_with_its_value_and_nothing_is_made(plan, options, words):
    with pytest.raises(SeglabError) as caught:
        made(plan, tiny(**options))
    for word in words:
        assert word in str(caught.value)
    assert not runs.home().exists()


def test_a_name_that_is_taken_or_not_allowed_is_refused():
    made({"name": "seeds", "count": 2}, name="mine")
    refused = [(name, f"a plan or a run named '{name}' already exists") for name in ("mine", "mine 1", "unet")]
    for name, words in [*refused, ("a/b", "not allowed"), ("x" * 79, "x 1' is not allowed")]:
        with pytest.raises(SeglabError, match=words):
            laid_out({"name": "seeds", "count": 2}, name=name)
    with pytest.raises(SeglabError, match="a plan or a run named 'mine' already exists"):
        runs.create(tiny(), "mine")  # `compare mine` would not find it
    assert len(list(runs.home().glob("mine*"))) == 3  # two runs and their plan


def test_a_folder_that_is_called_like_a_plan_s_file_hides_no_plan(runs_home):
    for make in (partial(runs.create, tiny()), partial(laid_out, {"name": "seeds", "count": 2})):
        with pytest.raises(SeglabError, match=r"'x.plan.json' is not allowed; only a plan's file ends in \.plan\.json"):
            make(name="x.plan.json")
    made({"name": "seeds", "count": 2}, name="mine")
    (runs_home / "x.plan.json").mkdir()  # of an older seglab
    assert plans.every() == [plans.located("mine")]


def test_of_two_plans_with_one_name_at_once_one_is_made_whole():
    one, other = (validated(Plan, {"name": "seeds", "count": count}) for count in (2, 3))
    both = [(plan, *plans.laid_out(plan, [tiny()], "mine")) for plan in (one, other)]
    plans.create(*both[0])
    with pytest.raises(SeglabError, match="'mine 1' already exists"):
        plans.create(*both[1])
    assert [path.name for path, _ in plans.members(plans.located("mine"))] == ["mine 1", "mine 2"]
    assert len(list(runs.home().glob("mine*"))) == 3


@pytest.mark.parametrize(
    "fits", range(10)
)  # three labels and configurations, the plan's file, three places in the queue
def test_runs_that_cannot_all_be_made_are_not_made_at_all(monkeypatch, fits):
    write, count = runs.write, itertools.count()

    def full(*given):
        if next(count) == fits:
            raise OSError(28, "No space left on device")
        write(*given)

    plan = validated(Plan, {"name": "seeds", "count": 3})
    writing(monkeypatch, full)
    with pytest.raises(SeglabError, match=r"the disk is full.*\(No space left on device\).*SEGLAB_HOME"):
        plans.submit(plan, *plans.laid_out(plan, [tiny()], "mine"))
    assert [path for path in runs.home().iterdir() if path.name[0] != "."] == [] and jobs.waiting() == []


# --- the queue


@pytest.mark.slow
def test_a_run_waits_until_the_one_that_it_needs_is_finished(worker):  # noqa: F811
    (first, second), other = (
        made({"name": "folds", "k": 2, "leak_by_mistake": True}, tiny(epochs=2)),
        runs.create(tiny(epochs=1)),
    )
    for directory in (second, other, first):
        jobs.enqueue(directory)
    wait_until(lambda: state(other) == "completed")
    assert not (second / "events.jsonl").exists()
    wait_until(lambda: state(second) == "completed")
    ends = [(directory / "events.jsonl").stat().st_mtime_ns for directory in (other, first, second)]
    assert ends == sorted(ends) and runs.status(first).state == "completed"


@pytest.mark.slow
def test_a_run_fails_with_the_one_that_it_needs_and_says_why_and_the_others_go_on(worker, tmp_path):  # noqa: F811
    plan = validated(Plan, {"name": "folds", "k": 3, "leak_by_mistake": True})
    gone = tiny(data={"name": "camvid", "root": str(tmp_path / "gone")})
    first, second, third = plans.submit(plan, *plans.laid_out(plan, [gone], "bad"))
    (other,) = jobs.submit([tiny(epochs=1)])
    wait_until(lambda: state(third) == "failed")
    why = runs.status(third).finished.text
    assert why.startswith("it needs bad 2, which ended as failed: it needs bad 1, which ended as failed: ")
    assert "gone" in why and state(first) == state(second) == "failed"
    wait_until(lambda: state(other) == "completed")
    assert jobs.waiting() == []


@pytest.mark.slow
def test_a_run_whose_need_was_stopped_fails_and_both_can_be_resumed(worker):  # noqa: F811
    first, second = made({"name": "folds", "k": 2, "leak_by_mistake": True})
    jobs.stop(first)
    jobs.enqueue(second)
    wait_until(lambda: state(second) == "failed")
    assert runs.status(second).finished.text == "it needs mine 1, which ended as stopped"
    jobs.resubmit(second)
    wait_until(lambda: state(second) == "failed" and not (second / "queued").exists())
    jobs.resubmit(first)
    jobs.resubmit(second)
    wait_until(lambda: state(second) == "completed")
    assert state(first) == "completed"


def test_a_needed_run_that_was_interrupted_comes_back_into_the_queue():
    first, second = made({"name": "folds", "k": 2, "leak_by_mistake": True}, tiny(epochs=3))
    stream = runs.work(first)
    while not (first / "last").exists():
        next(stream)
    stream.close()  # as when the program is killed
    jobs.enqueue(second)
    assert state(first) == "interrupted" and jobs.next_run() is None and jobs.waiting() == [second, first]
    assert jobs.next_run() == first
    list(runs.work(first))
    assert jobs.next_run() == second


def test_a_run_that_has_begun_goes_on_without_the_one_that_it_took_its_weights_from():
    first, second = made({"name": "folds", "k": 2, "leak_by_mistake": True}, tiny(epochs=2))
    finish(first)
    stream = runs.work(second)
    while not (second / "last").exists():
        next(stream)
    stream.close()
    shutil.rmtree(first)
    jobs.resubmit(second)
    assert jobs.next_run() == second
    list(runs.work(second))
    assert state(second) == "completed"


def test_a_run_whose_need_is_gone_fails_and_does_not_wait_for_ever():
    (second,) = jobs.submit([tiny(init_from=str(runs.home() / "nowhere"))])
    assert jobs.next_run() is None and jobs.waiting() == []
    assert "there is no run" in runs.status(second).finished.text


def test_a_plan_that_does_not_fit_into_the_queue_makes_nothing(monkeypatch):
    monkeypatch.setattr(jobs.queue, "MOST_WAITING", 30)
    jobs.submit([tiny()] * (jobs.queue.MOST_WAITING - 2))
    plan = validated(Plan, {"name": "seeds", "count": 3})
    with pytest.raises(SeglabError, match="28 runs are waiting and 3 more do not fit"):
        plans.submit(plan, *plans.laid_out(plan, [tiny()], "mine"))
    assert not plans.located("mine").exists() and len(jobs.waiting()) == 28


@pytest.mark.slow
def test_a_student_is_worked_on_when_its_teacher_is_finished(worker):  # noqa: F811
    plan = validated(Plan, STUDENT | {"rounds": 2})
    directories = plans.submit(plan, *plans.laid_out(plan, [tiny(epochs=1)], "mine"))
    wait_until(lambda: state(directories[2]) == "completed")
    for teacher, student in itertools.pairwise(directories):
        assert runs.status(teacher).state == "completed"
        notes = [str(note.error()) for note in runs.all_events(student)[0].notes]
        assert notes[0] == "pseudo_labels uses the masks of 4 of the 8 training images"
        assert notes[1].startswith(f"pseudo_labels: {teacher.name} labels ") and len(notes) == 2


# --- the command line


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_plan_that_was_interrupted_goes_on_where_it_was(capsys, number):
    options = [*SMALL, "--over", "epochs=1,40,2", "--name", "mine"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seglab", "plan", "sweep", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    first, second, third = (runs.home() / f"mine {n}" for n in (1, 2, 3))
    wait_until((second / "weights.safetensors").exists)
    process.send_signal(number)
    out, err = process.communicate(timeout=240)
    assert out == f"{plans.located('mine')}\n"
    assert state(second) == {signal.SIGKILL: "interrupted", signal.SIGINT: "stopped"}[number]
    assert ("plan resume mine" in err) == (number == signal.SIGINT)
    before = (first / "events.jsonl").read_bytes()
    reached = runs.events(second)[-1].step
    assert not (third / "events.jsonl").exists() and reached < 80
    code, _, err = seglab(capsys, "plan", "resume", "mine", "--device", "cpu", "--threads", "1")
    assert code == 0 and "run 2 of 3: epochs 40" in err and "run 1 of 3" not in err, err
    assert [state(directory) for directory in (first, second, third)] == ["completed"] * 3
    assert (first / "events.jsonl").read_bytes() == before
    assert sum(event.kind == "started" for event in runs.all_events(second)) == 2


def test_runs_of_a_plan_that_fail_do_not_keep_the_others_from_going_on(capsys, tmp_path):
    bad = tiny(data={"name": "camvid", "root": str(tmp_path / "gone")})
    first, second, third, fourth = made({"name": "folds", "k": 2, "leak_by_mistake": True}, bad, tiny(epochs=1))
    code, _, err = seglab(capsys, "plan", "resume", "mine", "--threads", "1")
    assert code == 1 and [state(each) for each in (first, second, third, fourth)] == ["failed"] * 2 + ["completed"] * 2
    assert "it needs mine 1, which ended as failed" in err and "not finished: unet, fold.index 0; unet" in err


def test_a_dry_run_shows_the_runs_and_how_long_they_take_and_makes_nothing(capsys):
    arguments = ["plan", "folds", "--k", "2", "--leak_by_mistake", *SMALL, "--dry-run"]
    code, out, err = seglab(capsys, *arguments)
    lines = out.splitlines()
    assert code == 0, err
    assert not runs.home().exists()
    assert "fold.index 0" in lines[0] and lines[1].endswith("after run 1")
    assert lines[2].startswith("2 runs, about ") and lines[2].endswith("a few steps of each kind of run, just now")
    finish(runs.create(tiny(epochs=1, seed=3, fold={"index": 1, "of": 2}), "alike"))
    assert seglab(capsys, *arguments)[1].splitlines()[2].endswith("finished runs with the same settings")
    code, out, err = seglab(capsys, *arguments[:-1], "--name", "mine")  # which tells the same before it begins
    assert code == 0 and out == f"{runs.home() / 'mine.plan.json'}\n", err
    told, _, followed = err.partition("2 runs, about ")
    assert "fold.index 0" in told and "after run 1" in told and "run 1 of 2" not in told and "run 1 of 2" in followed


def test_the_time_is_that_of_finished_runs_alike_or_what_was_measured_and_no_more_than_the_budget(monkeypatch):
    configs = [tiny(epochs=2), tiny(epochs=4, seed=1), tiny(epochs=4, image_size=96), tiny(epochs=9, budget_seconds=5)]
    measured = []

    def measure(kinds):
        measured.extend(kinds)
        return [(10.0, config.image_size / 32) for config in kinds]

    found = plans.estimate(configs, measure)
    assert found.seconds == (14, 18, 22, 5) and found.timed
    assert [config.image_size for config in measured] == [64, 96]
    assert plans.estimate(configs) is None
    directory = runs.create(tiny(epochs=2, seed=5, optimizer={"name": "adamw", "lr": 0.5}))
    ending = {"epoch": 2.0, "seconds": 7.0}
    runs.append(directory, runs.ending(directory, "completed").model_copy(update=ending))
    found = plans.estimate(configs, measure)
    assert found.seconds == (7, 14, 22, 5) and found.timed
    assert plans.estimate(configs[:2]) == plans.Estimate((7, 14), timed=False)


@pytest.mark.slow
def test_a_timed_epoch_takes_as_long_as_one_that_is_trained(monkeypatch):
    monkeypatch.setattr(time, "monotonic", time.process_time)  # the processor's time, which other work leaves alone
    config = tiny(epochs=6, data={"name": "streets", "train_images": 40, "val_images": 8, "size": 96}, image_size=96)
    once, epoch = plans.timed(config, "cpu", 1)
    assert 0 < plans.timed_apart([config])[0][1] < 50 * epoch  # by the clock
    directory = runs.create(config)
    list(runs.work(directory))
    assert 0.2 < (once + 6 * epoch) / runs.status(directory).finished.seconds < 5


def test_a_plan_s_name_stands_for_its_runs_where_runs_are_compared(capsys):
    done({"name": "seeds", "count": 3}, tiny(epochs=2, optimizer={"name": "adamw", "lr": 1e-2}))
    plain = json.loads(seglab(capsys, "compare", "mine 1", "mine 2", "mine 3", "--json")[1])
    found = json.loads(seglab(capsys, "compare", "mine", "mine 2", "--json")[1])
    assert found == plain and found["definition"] == DEFINITION
    scores = [run["miou"] for run in found["runs"]]
    mean = sum(scores) / 3
    deviation = (sum((score - mean) ** 2 for score in scores) / 2) ** 0.5
    (group,) = found["groups"]
    assert (
        group["count"] == 3 and group["mean"] == pytest.approx(mean) and group["deviation"] == pytest.approx(deviation)
    )
    assert (
        f"unet: mean mIoU {mean:.4f} ± {deviation:.4f} (standard deviation, n = 3)"
        in seglab(capsys, "compare", "mine")[1]
    )


def test_teachers_and_students_are_named_so_where_they_are_compared():
    assert compare(made(STUDENT, name=None)).labels == ("unet (teacher)", "unet (student)")
    *one, last = made(STUDENT | {"rounds": 2, "student": ["model.width=8"]}, name=None)
    found = compare([last, *one])
    assert found.labels == ("unet (student 2, width 8)", "unet (teacher, width 4)", "unet (student 1, width 8)")
    assert found.differences["techniques.pseudo_labels.teacher"] == [one[1], None, one[0]]
    assert compare([last]).labels == ("unet",)
    assert compare(made(STUDENT)).labels == ("mine 1 (teacher)", "mine 2 (student)")


def test_a_student_whose_teacher_was_trained_on_what_it_is_validated_on_is_told_of():
    teacher = runs.create(tiny(epochs=1), "teacher")
    finish(teacher)
    for fold, leak in ((None, False), ({"index": 0, "of": 2}, True)):
        technique = {"name": "pseudo_labels", "labeled": 0.5, "teacher": teacher}
        student = runs.create(tiny(epochs=1, techniques=[technique], fold=fold))
        list(runs.work(student))
        assert [row.leak for row in compare([teacher, student]).rows] == [False, leak]


def test_the_time_of_a_student_is_known_before_there_is_a_teacher(capsys):
    arguments = ["plan", "noisy_student", "--labeled", "0.5", *SMALL, "--student", "model.width=8", "--dry-run"]
    code, out, err = seglab(capsys, *arguments)
    assert code == 0, err
    first, second, _ = out.splitlines()
    assert "teacher" in first and "student, model.width 8" in second and second.endswith("after run 1")
    assert not runs.home().exists()
    teacher, student = (step.config for step in laid_out(STUDENT, tiny(epochs=4)))
    keys = {plans.timing.pace_key(config.model_dump(mode="json")) for config in (teacher, student)}
    other = plans.timing.pace_key(laid_out(STUDENT, tiny(epochs=2), name="other")[1].config.model_dump(mode="json"))
    assert len(keys) == 2 and other in keys


def test_a_teacher_is_given_by_its_name_on_the_command_line(capsys):
    technique = ["--techniques", "pseudo_labels", "--techniques.pseudo_labels.teacher"]
    assert "there is no run 'nobody'" in seglab(capsys, "train", *SMALL, *technique, "nobody")[2]
    teacher = runs.create(tiny(epochs=1), "teacher")
    assert "teacher has no weights yet" in seglab(capsys, "train", *SMALL, *technique, "teacher")[2]
    finish(teacher)
    code, _, err = seglab(capsys, "train", *SMALL, *technique, "teacher", "--name", "student")
    assert code == 0 and runs.config(runs.home() / "student").needs == (teacher,), err


def test_runs_that_a_plan_names_are_found_from_everywhere(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where a run of that name lies, too
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("SEGLAB_HOME", str(tmp_path))
        finish(runs.create(tiny(epochs=1), "big"))
    finish(runs.create(tiny(epochs=1, seed=1), "large"))
    for named in (
        ["sweep", "--over", "init_from=big,large"],
        ["sweep", "--over", "techniques.pseudo_labels.teacher=big,large"],
    ):
        technique = ["--techniques", "pseudo_labels"] if "teacher" in named[2] else []
        code, _, err = seglab(capsys, "plan", *named, *SMALL, *technique, "--name", named[2].split("=")[0])
        assert code == 0, err
        found = [runs.config(runs.home() / f"{named[2].split('=')[0]} {n}").needs for n in (1, 2)]
        assert found == [((tmp_path / "big").resolve(),), ((runs.home() / "large").resolve(),)]


def test_a_run_that_has_no_score_yet_is_left_out_of_the_mean():
    directories = made({"name": "seeds", "count": 3})
    assert [(group.count, group.mean) for group in compare(directories).groups] == [(0, None)]
    finish(directories[1])
    (group,) = compare(directories).groups
    assert (group.count, group.deviation) == (1, None) and group.mean == runs.status(directories[1]).finished.val_miou


def test_a_run_that_was_brought_back_is_no_further_seed(tmp_path):
    directories = [finish(each) for each in made({"name": "seeds", "count": 2})]
    runs.ship(directories[0], tmp_path / "back")
    (group,), (again,) = (compare(each).groups for each in (directories, [*directories, tmp_path / "back"]))
    assert again.places == (0, 1, 2)
    assert (again.count, again.mean, again.deviation) == (group.count, group.mean, group.deviation)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "sweep", "--over", "model.width=1,8", *SMALL], ["model.width", "'1'", "4 or more"]),
        (["plan", "sweep", "--ovr", "model.width=8,16"], ["'ovr'", "'over'"]),
        (["plan", "seeds", "--cuont", "3"], ["'cuont'", "'count'"]),
        (["plan", "seeds", "--count", "many"], ["count", "'many'", "whole number"]),
        (["plan", "folds", "--k", "9", *SMALL], ["8 training images are too few for 9 folds"]),
        (["plan", "seeds", "--data", "camvid", "--data.root", "/nowhere"], ["/nowhere"]),
        (["plan", "seeds", "--model.widht", "8"], ["'widht'", "'width'"]),
        (["plan", "sweep", "--over", "init_from=nobody,unet", *SMALL], ["there is no run 'nobody'"]),
        (["plan", "sweeps"], ["sweeps", "sweep"]),
        (["plan"], ["PLAN"]),
        (["plan", "resume", "nothing"], ["'nothing'", "known plans: -"]),
    ],
    ids=lambda value: " ".join(value[:4]) if isinstance(value, list) else None,
)
def test_a_mistake_on_the_command_line_is_told_in_one_line(capsys, arguments, words):
    code, out, err = seglab(capsys, *arguments)
    assert code == 2 and out == "" and err.count("\n") == 1 and "Traceback" not in err
    for word in words:
        assert word in err
    assert not runs.home().exists()


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"null", b'{"plan": "seeds"}', b'{"plan": "sedes", "runs": []}', b"\xff"]
)
def test_a_damaged_plan_is_told(capsys, content):
    made({"name": "seeds", "count": 2})
    plans.located("mine").write_bytes(content)
    for command in (["compare", "mine"], ["plan", "resume", "mine"]):
        code, _, err = seglab(capsys, *command)
        assert code == 2 and "mine.plan.json cannot be read" in err and err.count("\n") == 1


def test_a_run_of_a_plan_that_is_gone_is_told_and_the_others_go_on(capsys):
    first, second = made({"name": "seeds", "count": 2})
    shutil.rmtree(first)
    assert "there is no run" in seglab(capsys, "compare", "mine")[2]
    code, _, err = seglab(capsys, "plan", "resume", "mine", "--threads", "1")
    assert code == 1 and "not finished: seed 0" in err and state(second) == "completed" and not first.exists()


@pytest.mark.parametrize(
    "content", ["[]", "null", "{", "{}", '{"optimizer": "adamw", "fold": null, "techniques": [1]}']
)
def test_a_damaged_run_does_not_keep_the_time_from_being_known(content):
    directory = runs.create(tiny())
    (directory / "config.json").write_text(content)
    assert plans.estimate([tiny()], lambda configs: [(1.0, 2.0)]).seconds == (5,)


def test_a_process_that_cannot_time_a_run_says_why(monkeypatch):
    config = tiny()
    gone = config.model_copy(update={"data": config.data.model_copy(update={"left_out": "fog", "weather": "fog"})})
    with pytest.raises(SeglabError, match=r"cannot be estimated: .*left_out: fog is the weather"):
        plans.timed_apart([gone])
    monkeypatch.setattr(plans.timing, "PATIENCE", 0.1)
    with pytest.raises(SeglabError, match=r"cannot be estimated in 0\.1 s"):
        plans.timed_apart([config])


def test_a_plan_s_record_gives_the_same_plan():
    made(FOLDS[1])
    record = validated(plans.files.Record, json.loads(plans.located("mine").read_bytes()))
    assert record.plan == validated(Plan, FOLDS[1]) and [each.run for each in record.runs] == [
        f"mine {n}" for n in (1, 2, 3, 4)
    ]
    assert RunConfig.model_validate_json((runs.home() / "mine 2" / "config.json").read_text()).fold.index == 1
