"""Two sides against each other: every number again from the stored files, with other packages."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, jaccard_score

from seglab import cli, runs
from seglab.cache import Cache
from seglab.comparison import compare, verdicts
from seglab.comparison.pairs import pair, pair_of
from seglab.comparison.readings import Reading, Side, sides
from seglab.errors import SeglabError
from tests.conftest import finish, tiny

NAMES = ("unet", "unet_vgg16")


def paired(*names):
    directories = [runs.find(name) for name in names]
    return pair_of(compare(directories), directories)


@pytest.fixture(scope="module")
def shipped():
    return paired(*NAMES)


@pytest.fixture(scope="module")
def maps():
    """uint8 (50, H, W) each: the truth and what two shipped runs predict, as the files have them."""
    folders = [("unet", "truth"), ("unet", "predictions"), ("unet_vgg16", "predictions")]
    return [
        np.stack([np.asarray(Image.open(file)) for file in sorted((runs.find(run) / folder).glob("*.png"))])
        for run, folder in folders
    ]


def test_the_verdict_and_the_classes_are_those_of_the_files(shipped, maps):
    truth, first, second = (each.ravel() for each in maps)
    labeled = truth != 255
    scores = [
        jaccard_score(truth[labeled], each[labeled], average=None, labels=range(11)) for each in (first, second)
    ]  # fmt: skip
    assert shipped.verdict.difference == pytest.approx(scores[1].mean() - scores[0].mean())
    by_name = {each.name: each for each in shipped.per_class}
    for n, name in enumerate(shipped.classes):
        assert (by_name[name].a, by_name[name].b) == pytest.approx((scores[0][n], scores[1][n]))
        assert by_name[name].share == pytest.approx((truth[labeled] == n).mean())
    assert sum(each.carried for each in by_name.values()) == pytest.approx(1)
    assert [each.name for each in shipped.per_class][:3] == ["pole", "person", "fence"]
    assert {each.name for each in shipped.per_class if each.apart} == {"pole", "person", "fence"}
    matrix = confusion_matrix(truth[labeled], first[labeled], labels=range(11))
    assert np.array_equal(shipped.summed[0].sum(0), matrix)


def test_agreement_and_borders_are_those_of_the_files(shipped, maps):
    truth, first, second = maps
    right = [(each == truth) & (truth != 255) for each in (first, second)]
    counts = np.stack([(right[0] & right[1]), (right[0] & ~right[1]), (~right[0] & right[1])]).sum((2, 3)).T
    assert np.array_equal(shipped.agreement.counts[:, :3], counts)
    share = (right[0] ^ right[1]).mean((1, 2))
    assert shipped.agreement.order("difference")[0] == int(share.argmax())
    for side, labels in zip(shipped.borders, (first, second), strict=True):
        assert side.wrong.sum() == ((labels != truth) & (truth != 255)).sum()


def test_slices_are_images_with_something_in_common(shipped, maps):
    truth = maps[0]
    found = {(each.kind, each.value): each for each in shipped.slices}
    weathers = [value for kind, value in found if kind == "domain"]
    assert weathers == ["day", "dusk", "fog", "rain"]
    assert sorted(n for value in weathers for n in found["domain", value].images) == list(range(50))
    sample = runs.opened(runs.find("unet")).val[found["domain", "fog"].images[0]]
    assert sample.domain == "fog"
    with_fence = np.flatnonzero((truth == shipped.classes.index("fence")).any((1, 2)))
    fence = found["class", "fence"]
    assert list(fence.images) == with_fence.tolist() and fence.interval[0] < fence.b - fence.a < fence.interval[1]
    labels, places = maps[1][with_fence].ravel(), truth[with_fence].ravel()
    assert fence.a == pytest.approx(jaccard_score(places, labels, average="macro"))
    assert ("class", "sky") not in found or len(found["class", "sky"].images) < 50


def test_two_settings_of_several_seeds_are_two_sides(runs_home):
    made = {
        (width, seed): finish(runs.create(tiny(model={"name": "unet", "width": width, "depth": 2}, seed=seed)))
        for width in (4, 6)
        for seed in (1, 0)
    }
    directories = list(made.values())
    found = sides(compare(directories), directories)
    assert [len(side.readings) for side in found] == [2, 2] and found[0].seeds == found[1].seeds == [0, 1]
    both = pair_of(compare(directories), directories)
    assert both.paired and [len(each) for each in both.matrices] == [2, 2]
    assert both.verdict.images == len(both.names)
    two = [made[4, 0], made[4, 1]]  # nothing but the seed differs: each is a side
    assert [len(side.readings) for side in sides(compare(two), two)] == [1, 1]
    assert pair_of(compare(two), two).a.name != pair_of(compare(two), two).b.name
    three = [made[4, 0], made[6, 0], runs.find("unet")]
    assert pair_of(compare(three), three) is None


def test_the_data_is_opened_once_for_all_pairs_of_it(monkeypatch):
    directories = []
    real = runs.trained.opened
    monkeypatch.setattr(runs.trained, "opened", lambda directory: directories.append(directory) or real(directory))
    monkeypatch.setattr(runs.trained, "OPENED", Cache(16, lambda data: 1))
    first, second = paired(*NAMES).attributes, paired(NAMES[1], "encoder_decoder").attributes
    assert first == second and set(first["domain"]) == {"day", "dusk", "fog", "rain"}
    assert len(directories) == 1


def test_of_a_short_video_there_is_a_verdict_but_none_on_its_classes(monkeypatch):
    both = paired(*NAMES)
    monkeypatch.setattr(type(both.a.readings[0].config.data), "sequence", True)
    assert "50 frames of a video are too few" in str(both.verdict.sentences[0])
    monkeypatch.setattr(verdicts, "BLOCK", 16)
    both = paired(*NAMES)
    assert both.verdict.apart is not None and both.bootstrap.units == 3
    assert "50 frames of a video say little more than 3 images" in str(both.verdict.sentences)
    assert {(each.alone, each.together) for each in both.per_class} == {(None, None)}
    assert {each.interval for each in both.slices} == {None}


def test_runs_on_other_images_or_without_a_score_are_no_pair(runs_home):
    one, other = (finish(runs.create(tiny(data={"name": "streets", "val_images": n}))) for n in (4, 5))
    assert pair_of(compare([one, other]), [one, other]) is None
    with pytest.raises(SeglabError, match="scored on different images"):
        pair(Side("a", (Reading(one),)), Side("b", (Reading(other),)))
    begun = runs.create(tiny(seed=8))
    assert pair_of(compare([one, begun]), [one, begun]) is None


def test_the_folds_of_a_cross_validation_give_no_verdict_but_all_else(runs_home):
    def folds(width):
        model = {"name": "unet", "width": width, "depth": 2}
        return [finish(runs.create(tiny(model=model, fold={"index": n, "of": 2}))) for n in range(2)]

    directories = [*folds(4), *folds(6)]
    both = pair_of(compare(directories), directories)
    assert both.a.folded and both.verdict.apart is None and "folds of a cross-validation" in str(both.verdict.sentences)
    assert len(both.names) == sum(len(reading.evidence.names) for reading in both.a.readings)
    assert len(both.agreement.counts) == len(both.names) == len(both.summed[0])
    assert json.dumps(both.as_json())
    assert pair_of(compare(directories[:2]), directories[:2]) is None  # the folds of one setting are one side


def test_a_side_that_was_trained_on_what_it_is_scored_on_gets_no_verdict():
    a, b = (Side(name, (Reading(runs.find(name)),)) for name in NAMES)
    found = pair(a, b, leak=True).verdict
    assert found.apart is None and "trained on images that it is scored on" in str(found.sentences[0])


def test_a_side_that_was_not_trained_to_its_end_is_told_with_its_epochs(runs_home, capsys):
    complete = finish(runs.create(tiny(seed=1), "complete"))
    begun = runs.create(tiny(model={"name": "unet", "width": 6, "depth": 2}), "begun")

    def sentences():
        return [str(each) for each in pair_of(compare([complete, begun]), [complete, begun]).verdict.sentences]

    working = runs.work(begun)
    while next(working).kind != "evaluated":
        pass
    *before, last = sentences()
    assert last == "begun is still training: it has done 1 of its 2 epochs" and not any("complete" in s for s in before)
    assert last in command(capsys, "complete", "begun")
    working.close()
    stopped = "begun was not trained to its end: it has done 1 of its 2 epochs"
    assert sentences() == [*before, stopped]
    (begun / "queued").touch()
    assert sentences() == [*before, stopped]
    (begun / "queued").unlink()
    assert list(runs.work(begun, unstop=True))[-1].reason == "completed"
    assert not any("epochs" in each for each in sentences())
    budget = finish(runs.create(tiny(seed=1, epochs=50, budget_seconds=0.001), "budget"))
    assert runs.status(budget).state == "budget"
    assert not any(
        "epochs" in str(each) for each in pair_of(compare([complete, budget]), [complete, budget]).verdict.sentences
    )


def command(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *words])
    assert not ended.value.code
    return capsys.readouterr().out


def test_the_command_prints_the_verdict_and_the_most_different_images(capsys, shipped):
    printed = command(capsys, *NAMES)
    assert "verdict: on these 50 images unet_vgg16 is lower than unet by 0.033 (0.026 to 0.040 with" in printed
    for place in shipped.agreement.order("difference")[:3]:
        assert f"  {shipped.names[place]}: only one is right in " in printed
    assert "verdict" not in command(capsys, "unet")


def test_json_has_every_number_and_no_nan(capsys, shipped):
    found = json.loads(command(capsys, *NAMES, "--json"), parse_constant=pytest.fail)["pair"]
    assert found["verdict"]["difference"] == shipped.verdict.difference
    assert found["agreement"]["counts"] == shipped.agreement.counts.tolist()
    assert [each["name"] for each in found["per_class"]] == [each.name for each in shipped.per_class]
    assert found["definitions"][0]["set"] == pytest.approx(0.6708, abs=1e-4)
    assert [each["runs"] for each in found["sides"]] == [["unet"], ["unet_vgg16"]]


def test_a_stored_matrix_that_is_changed_changes_the_verdict(runs_home, shipped):
    for name in NAMES:
        shutil.copytree(runs.find(name), runs_home / f"copy {name}")
    file = runs_home / "copy unet_vgg16" / "evaluation.npz"
    with np.load(file) as stored:
        arrays = {name: stored[name] for name in stored}
    arrays["val"][7] = arrays["val"][7][:, ::-1]
    np.savez(file, **arrays)
    a, b = (Side(name, (Reading(runs_home / f"copy {name}"),)) for name in NAMES)
    changed = pair(a, b)
    assert str(changed.verdict.sentences[0]) != str(shipped.verdict.sentences[0])
    assert changed.verdict.difference != shipped.verdict.difference
    assert changed.as_json()["per_class"] != shipped.as_json()["per_class"]
