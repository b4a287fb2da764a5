"""Learning from images whose masks are not used."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from seglab import runs, training
from seglab.data.base import UNLABELED, VOID, Sample
from seglab.data.streets import Streets
from seglab.errors import SeglabError
from seglab.families import Outputs
from seglab.loader import collated
from seglab.preview import preview
from seglab.techniques.semi_supervised import covered, labelled_by, mean_cost, pseudo_labels, unlabeled
from tests.conftest import announced, finish, tiny

NAMES = ["consistency", "cps"]
FEW_MASKS = [*NAMES, "pseudo_labels"]
each = pytest.mark.parametrize("name", NAMES)
PLAIN = {"name": "unet_vgg16", "width": 4, "batch_norm": False}


def run_of(name, also=(), **options):
    own = {key: options.pop(key) for key in ("labeled", "weight", "confidence", "cutmix") if key in options}
    return training.Run(tiny(techniques=[*also, {"name": name, **own}], **options))


def trained(run):
    for event in training.train(run):
        last = event
    assert last.reason == "completed"
    return {name: value.clone() for name, value in run.evaluated_model().state_dict().items()}


def equal(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


# --- which masks are used


def test_the_labelled_images_are_drawn_by_the_seed_and_the_same_for_every_technique():
    found = {}
    for name in FEW_MASKS:
        for labeled in (0.125, 0.25, 0.5, 1):
            hidden = run_of(name, labeled=labeled).train.hidden
            assert len(hidden) == 8 - 8 * labeled
            assert found.setdefault(labeled, hidden) == hidden
    assert found[0.125] > found[0.25] > found[0.5] > found[1]  # more labels are the fewer and others
    assert len({run_of("cps", seed=seed).train.hidden for seed in range(8)}) > 1
    assert len(run_of("cps", labeled=1e-6).train.hidden) == 7


@each
@pytest.mark.parametrize("options", [{}, {"weight": 0}, {"labeled": 0.75}, {"labeled": 0.175}], ids=str)
def test_up_to_half_of_a_batch_is_unlabelled_and_all_others_have_their_turn(name, options):
    data = {"name": "streets", "train_images": 40, "val_images": 4, "size": 64}
    run = run_of(name, data=data, batch_size=8, **options)
    shown, labeled = set(), {*range(40)} - run.train.hidden
    for epoch in range(20):
        order = [place % 40 for place in run.order(epoch)]
        assert len(order) == 40
        for start in range(0, 40, 8):
            count = sum(n in run.train.hidden for n in order[start : start + 8])
            assert count == (0 if "weight" in options else 2 if options.get("labeled") == 0.75 else 4)
        for n in labeled:
            assert abs(order.count(n) - (40 - 5 * count) / len(labeled)) < 1
        shown |= set(order)
    assert shown == ({*range(40)} if options.get("weight", 1) else labeled)


def altered(monkeypatch, names):
    """From here on, the scenes of these names have other masks, other instances and void."""
    scene = Streets.scene

    def other(self, name):
        sample = scene(self, name)
        if name not in names:
            return sample
        mask = (sample.mask[::-1, ::-1].astype(int) * 3 + 1).astype(np.uint8) % 11
        mask[:9] = VOID
        return replace(sample, mask=mask, instances=np.arange(mask.size, dtype=np.int32).reshape(mask.shape))

    monkeypatch.setattr(Streets, "scene", other)


CURIOUS = ["rotate", {"name": "elastic", "rarer_than": 0.2}, "cutmix", "class_balanced", "mixstyle"]


@each
@pytest.mark.parametrize(
    "options",
    [
        {"loss": {"name": "cross_entropy", "class_weights": "median_frequency"}},
        pytest.param({"loss": "dice + boundary + border_weighted + ms_ssim"}, marks=pytest.mark.slow),
        pytest.param({"model": {"name": "unet_3_plus", "width": 4}}, marks=pytest.mark.slow),
        pytest.param({"model": {"name": "panoptic_deeplab", "width": 4}}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_mask_of_an_unlabelled_image_has_no_influence_at_all(name, options, monkeypatch):
    options = options | {"labeled": 0.5, "confidence": 0.1} if name == "consistency" else options | {"labeled": 0.5}
    first = run_of(name, CURIOUS, **options)
    expected, names = trained(first), first.data.train.names
    altered(monkeypatch, {names[n] for n in first.train.hidden})
    assert equal(expected, trained(run_of(name, CURIOUS, **options)))
    altered(monkeypatch, {names[n] for n in range(8) if n not in first.train.hidden})
    assert not equal(expected, trained(run_of(name, CURIOUS, **options)))


@each
def test_with_all_masks_and_no_weight_training_is_the_plain_one(name):
    run, plain = run_of(name, ["flip"], labeled=1, weight=0), training.Run(tiny(techniques=["flip"]))
    assert equal(trained(plain), trained(run))
    batch = plain.batch(0, [0, 1, 2, 3])
    assert run.advance(batch) == plain.advance(batch)


@each
def test_without_weight_a_run_learns_from_the_labelled_images_alone(name, monkeypatch):
    run = run_of(name, labeled=0.5, weight=0)
    seen, terms = [], run.terms
    monkeypatch.setattr(run, "terms", lambda outputs, batch: seen.append(batch) or terms(outputs, batch))
    for places in (run.order(0)[:4], run.order(0)[4:]):
        run.advance(run.batch(0, places))
    assert {*torch.cat([batch.index for batch in seen]).tolist()} == {*range(8)} - run.train.hidden
    assert all((batch.masks != VOID).any() for batch in seen)


@each
def test_pixels_that_are_padded_or_uncovered_are_not_there_and_void_is_not_either(name):
    run = run_of(name, [{"name": "rotate", "p": 1, "degrees": 45}], labeled=0.5)
    hidden, known = (sorted(group)[0] for group in (run.train.hidden, {*range(8)} - run.train.hidden))
    for n in (hidden, known):
        sample = run.train[n]
        mask = sample.mask[:40].copy()
        mask[20:24, 30:34] = VOID if n == known else UNLABELED
        del run.train.kept[n]
        run.train.keep(n, replace(sample, image=sample.image[:40], mask=mask, instances=sample.instances[:40]))
    batch = run.batch(0, [hidden, known, *sorted(run.train.hidden)[1:2]])
    assert batch.masks.shape[1] == 48 and (batch.masks[0] == VOID).all()
    there = unlabeled(batch)
    assert not there[1].any() and not there[0, 40:].any() and not there[0, 0, 0]
    assert there[0, 15:25, 25:40].all() and there[2].float().mean() > 0.5
    assert torch.equal(covered(batch)[1], batch.masks[1] != VOID) and (batch.masks[1, 15:30, 25:40] == VOID).any()
    turned = batch.images[0].sum(0) > 0  # what was uncovered is black
    assert (turned == there[0]).float().mean() > 0.97


def test_cutmix_takes_what_is_unlabelled_along():
    run = run_of("cps", [{"name": "cutmix", "p": 1}], labeled=0.5)
    places = run.order(0)  # of both kinds, in turn
    plain = training.Run(tiny()).batch(0, places)
    mixed = 0
    for epoch in range(10):
        batch = run.batch(epoch, places)
        there = unlabeled(batch)
        assert torch.equal(there, batch.masks == VOID)
        for n, place in enumerate(places):
            own = (batch.images[n] == plain.images[n]).all(0)
            if place in run.train.hidden:
                assert there[n][own].float().mean() > 0.95
                mixed += int((~there[n]).any())
    assert mixed > 5


@pytest.mark.parametrize("name", FEW_MASKS)
def test_a_preview_shows_hidden_masks_as_void(name):
    config = tiny(techniques=[{"name": name, "labeled": 0.5}])
    hidden = training.Run(config).train.hidden
    pairs = preview(config, 8)[1]
    for place, (*pair, _) in zip(training.Run(config).order(0), pairs, strict=True):
        for sample in pair:
            assert (sample.mask == VOID).all() == (place % 8 in hidden) and not (sample.mask == UNLABELED).any()


# --- what is learned from them


def test_pseudo_labels_are_void_below_the_threshold_and_where_nothing_is():
    probabilities = torch.tensor([[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6], [0.97, 0.02, 0.01]])
    logits = probabilities.log().T.reshape(1, 3, 1, 4).requires_grad_()
    there = torch.tensor([[[True, True, True, False]]])
    for threshold, expected in [(0.0, [0, 1, 2]), (0.5, [0, 1, 2]), (0.7, [0, VOID, VOID]), (0.95, [VOID] * 3)]:
        labels = pseudo_labels(logits, there, threshold)
        assert labels.tolist() == [[[*expected, VOID]]] and not labels.requires_grad


def test_the_cost_is_divided_by_all_pixels_that_are_there():
    """Two of three pixels are sure; they cost -log 0.5 and -log 0.25: (0.693 + 1.386) / 3."""
    logits = torch.tensor([[0.5, 0.5], [0.25, 0.75], [0.1, 0.9]]).log().T.reshape(1, 2, 1, 3)
    labels, there = torch.tensor([[[0, 0, VOID]]]), torch.ones(1, 1, 3) > 0
    assert mean_cost(logits, labels, there).item() == pytest.approx(math.log(8) / 3)
    assert mean_cost(logits, torch.full_like(labels, VOID), there & False).item() == 0


def test_pseudo_labels_below_the_confidence_count_for_nothing():
    options = {"model": PLAIN, "labeled": 0.5, "optimizer": {"name": "sgd", "lr": 0.1}}

    def after(**more):
        run = run_of("consistency", **options, **more)
        _, values, _ = run.advance(run.batch(0, run.order(0)[:4]))
        return run.model.state_dict(), values["consistency"]

    (unsure, nothing), (again, _) = after(confidence=1, weight=100), after(confidence=1, weight=0.01)
    assert nothing == 0 and equal(unsure, again)
    sure, something = after(confidence=0, weight=100)
    assert something > 0 and not equal(sure, unsure)


def test_the_weak_view_gets_no_gradient_and_the_strong_one_does():
    run = run_of("consistency", labeled=0.5, confidence=0)
    batch = run.batch(0, run.order(0)[:4])
    weak = torch.randn(4, 11, 48, 64, requires_grad=True)
    value = run.step_hooks["consistency"].difference(batch, weak)
    value.backward()
    assert value > 0 and weak.grad is None
    assert all(parameter.grad is not None for parameter in run.model.parameters())


def test_strong_views_differ_in_colours_alone_and_keep_labelled_images_out():
    run = run_of("consistency", labeled=0.5)
    batch = run.batch(0, run.order(0))
    strong, there = batch.targets["strong"], unlabeled(batch)
    for n, place in enumerate(batch.index.tolist()):
        if place not in run.train.hidden:
            assert torch.equal(strong[n], batch.images[n])
            continue
        assert there[n].all() and strong[n].min() >= 0 and strong[n].max() <= 1
        change = (strong[n] - batch.images[n]).abs().mean()
        light, plain = strong[n].mean(0).flatten(), batch.images[n].mean(0).flatten()
        assert np.corrcoef(light, plain)[0, 1] > 0.5 or change < 0.02  # everything is where it was
    assert not torch.equal(strong, batch.images)


def test_boxes_bring_their_pseudo_labels_along(monkeypatch):
    """Each image has one colour and one pseudo-label; where the strong view has another's colour, it has its label."""
    run = run_of("consistency", labeled=0.125, cutmix=1, confidence=0.5)
    samples = [Sample(np.full((48, 64, 3), 40 * n, np.uint8), np.zeros((48, 64), np.uint8)) for n in range(5)]
    batch = collated(samples, range(5))
    batch.targets["unlabeled"] = torch.ones(5, 1, 48, 64)
    batch.targets["unlabeled"][4] = 0  # which is labeled
    batch.targets["unlabeled"][2, :, 40:] = 0  # padded
    weak = torch.zeros(5, 11, 48, 64)
    for n in range(5):
        weak[n, n] = 9 if n != 3 else 0  # of the fourth it knows nothing
    seen = {}

    def costs(logits, labels, there):
        seen.update(labels=labels, there=there)
        return mean_cost(logits, labels, there)

    monkeypatch.setattr("seglab.techniques.semi_supervised.mean_cost", costs)
    forward = run.model.forward
    monkeypatch.setattr(run.model, "forward", lambda images: seen.update(images=images) or forward(images))
    pasted = 0
    for seed in range(8):
        torch.manual_seed(seed)
        run.step_hooks["consistency"].difference(batch, weak)
        source = (seen["images"][:, 0] * 255 / 40).round().long()
        assert set(source.unique().tolist()) == {0, 1, 2, 3}
        known = seen["labels"] != VOID
        assert torch.equal(seen["labels"][known], source[known]) and not known[source == 3].any()
        assert known[(source < 3) & seen["there"]].all() and not known[~seen["there"]].any()
        pasted += sum(len(each.unique()) > 1 for each in source)
    assert pasted > 10


def test_a_batch_without_unlabelled_images_has_the_term_at_zero():
    run = run_of("consistency", labeled=0.5)
    known = sorted({*range(8)} - run.train.hidden)
    _, values, weights = run.advance(run.batch(0, known))
    assert values["consistency"] == 0 and weights["consistency"] == 1
    _, values, _ = run.advance(run.batch(0, sorted(run.train.hidden)))
    assert values["cross_entropy"] == values["dice"] == 0


# --- two networks


def test_two_networks_begin_with_other_weights_and_both_learn_while_the_first_is_kept():
    run = run_of("cps", labeled=0.5)
    second = run.step_hooks["cps"].second
    one, two = (torch.cat([p.detach().flatten() for p in model.parameters()]) for model in (run.model, second))
    assert one.shape == two.shape and (one - two).abs().mean() > 0.01
    held = {id(parameter) for group in run.optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for model in (run.model, second) for parameter in model.parameters()}
    before = {name: value.clone() for name, value in second.state_dict().items()}
    directory = runs.create(run.config)
    events = list(runs.record(training.train(run), directory, run))
    assert not equal(before, second.state_dict())
    assert run.evaluated_model() is run.model and events[0].parameters == len(one)
    assert set(runs.load(directory).model.state_dict()) == set(run.model.state_dict())
    assert set(events[-2].scores["val"].terms) == {"cross_entropy", "dice"}
    assert equal(training.Run(tiny()).model.state_dict(), training.Run(run.config).model.state_dict())


def test_each_network_learns_the_labels_of_the_other():
    run = run_of("cps", labeled=0.5, weight=2)
    hooks, batch = run.step_hooks["cps"], run.batch(0, run.order(0)[:4])
    batch.masks[0, :10] = VOID
    run.model.eval()
    hooks.second.eval()
    terms = run.objective(batch)
    assert set(terms) == {"cross_entropy", "dice", "cross_entropy, second", "dice, second", hooks.term}
    assert terms[hooks.term].weight == 2 and terms["dice, second"].weight == 1
    first, second = (model(batch.images).logits.detach() for model in (run.model, hooks.second))
    there, expected = unlabeled(batch) | (batch.masks != VOID), 0.0
    assert not there.all()
    for learner, teacher in ((first, second), (second, first)):
        costs = torch.nn.functional.cross_entropy(learner, teacher.argmax(1), reduction="none")
        expected += costs[there].mean()
    torch.testing.assert_close(terms[hooks.term].value, expected)
    gradients = torch.autograd.grad(terms[hooks.term].value, [*run.model.parameters(), *hooks.second.parameters()])
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_the_encoder_of_the_second_network_has_the_encoders_learning_rate():
    run = run_of("cps", optimizer={"name": "adamw", "lr": 1e-3, "encoder_lr": 1e-4})
    rest, encoder = run.optimizer.param_groups
    assert (rest["lr"], encoder["lr"]) == (1e-3, 1e-4)
    stages = [stage for model in (run.model, run.step_hooks["cps"].second) for stage in model.net.stages()]
    assert {id(p) for p in encoder["params"]} == {id(p) for stage in stages for p in stage.parameters()}


def test_cps_in_parts_is_cps_on_the_whole_batch(double):
    options = {"model": PLAIN, "loss": "cross_entropy", "labeled": 0.5, "optimizer": {"name": "sgd", "lr": 0.1}}
    whole, parts = run_of("cps", **options), run_of("cps", [{"name": "accumulation", "at_once": 1}], **options)
    before = {name: value.clone() for name, value in whole.model.state_dict().items()}
    for run in (whole, parts):
        for epoch in range(3):
            batch = run.batch(epoch, run.order(epoch)[:4])
            batch.masks[:2, :20] = VOID
            run.advance(batch)
    for models in ((whole.model, parts.model), (whole.step_hooks["cps"].second, parts.step_hooks["cps"].second)):
        for one, other in zip(*(model.state_dict().values() for model in models), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert not equal(before, whole.model.state_dict())


# --- how a run holds them


@pytest.mark.parametrize("stop_at", [1, 3])
@pytest.mark.parametrize(
    "names", [["consistency", "ema"], ["cps", "accumulation"], ["cutmix", "cps", "freeze"]], ids="+".join
)
def test_a_run_stopped_within_an_epoch_goes_on_to_the_same_weights(names, stop_at):
    config = tiny(techniques=names)
    whole = trained(training.Run(config))
    first = training.Run(config)
    first.should_stop = lambda: first.step == stop_at
    list(training.train(first))
    second = training.Run(config, fresh=False)
    second.load_state_dict(first.state_dict())
    assert second.step == stop_at and equal(whole, trained(second))


@each
def test_the_order_in_which_techniques_are_listed_does_not_matter(name):
    others = ["class_balanced", "cutmix", "mixstyle", {"name": "freeze", "stages": 1}]
    one, two = (training.Run(tiny(techniques=techniques)) for techniques in ([*others, name], [name, *others]))
    assert equal(trained(one), trained(two))


@each
def test_frozen_stages_stay_as_they_are_beside_it(name):
    run = run_of(name, [{"name": "freeze", "stages": 2}])
    before = [{k: v.clone() for k, v in stage.state_dict().items()} for stage in run.model.net.stages()]
    trained(run)
    after = [stage.state_dict() for stage in run.model.net.stages()]
    assert [equal(old, new) for old, new in zip(before, after, strict=True)] == [True, True, False]


@each
def test_a_note_says_how_many_masks_are_used(name):
    notes = [str(note.error()) for note in run_of(name).started().notes]
    assert notes == [f"{name} uses the masks of 1 of the 8 training images"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"techniques": NAMES}, "consistency cannot be used here: cps learns without masks too; pick one of them"),
        ({"techniques": ["cps", "pseudo_labels"]}, "cps cannot be used here: pseudo_labels learns without masks too"),
        ({"techniques": ["cps"], "batch_size": 1}, "batch_size must be 2 or more"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(SeglabError, match=words):
        tiny(**options)


def test_a_class_whose_id_marks_hidden_masks_is_refused(monkeypatch):
    opened = Streets().open()
    many = replace(opened, classes=tuple(map(str, range(255))), colors=((0, 0, 0),) * 255)
    monkeypatch.setattr(Streets, "open", lambda self: many)
    with pytest.raises(SeglabError, match="cps: the data has 255 classes; allowed: 254 or fewer"):
        run_of("cps")
    assert run_of("cps", labeled=1).train.hidden == frozenset()


# --- a teacher and its student


def taught(teacher, also=(), labeled=0.5, confidence=0.0, **options):
    """The configuration of a run that learns the labels of a teacher; without one, that of a teacher."""
    own = {"name": "pseudo_labels", "labeled": labeled, "confidence": confidence, "teacher": teacher}
    return tiny(techniques=[*also, own], **options)


def done(config, name):
    return finish(runs.create(config, name))


def student_of(teacher, also=(), **options):
    return training.Run(taught(teacher, also, **options), load=runs.load)


class Seer(torch.nn.Module):
    """Sees class 1 with a probability of 0.6 where an image is dark, else class 2 with one of 0.9."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, images):
        dark = images.mean(1) < 0.5
        rows = torch.full((len(images), 11, *dark.shape[1:]), 0.01)
        rows[:, 1], rows[:, 2] = torch.where(dark, 0.6, 0.0), torch.where(dark, 0.31, 0.9)
        return Outputs((rows / rows.sum(1, keepdim=True)).log())


def test_a_teacher_labels_what_it_is_sure_of_and_the_rest_is_void():
    image = np.full((4, 6, 3), 255, np.uint8)
    image[:, :2] = 0
    for threshold, dark, light in [(0.0, 1, 2), (0.7, VOID, 2), (0.95, VOID, VOID)]:
        labels = labelled_by(Seer(), image, threshold)
        assert labels.dtype == np.uint8 and (labels[:, :2] == dark).all() and (labels[:, 2:] == light).all()


def test_a_student_learns_its_teacher_s_labels_for_the_images_whose_masks_are_hidden_and_the_masks_of_the_others():
    teacher = done(taught(None), "teacher")
    model, plain = runs.load(teacher).model, training.Run(tiny())
    images = torch.stack([torch.from_numpy(plain.train[n].image).permute(2, 0, 1) / 255 for n in range(8)])
    with torch.no_grad():
        probabilities, likeliest = torch.cat([model(image[None]).logits for image in images]).softmax(1).max(1)
    half = probabilities.median().item()  # so sure is the teacher of half of the pixels
    run, void = student_of(teacher, confidence=half), 0
    assert len(run.train.hidden) == 4
    for n in range(8):
        sample, truth = run.train[n], plain.train[n]
        assert np.array_equal(sample.image, truth.image)
        if n not in run.train.hidden:
            assert np.array_equal(sample.mask, truth.mask) and np.array_equal(sample.instances, truth.instances)
            continue
        assert np.array_equal(sample.mask, likeliest[n].where(probabilities[n] >= half, VOID).numpy())
        assert sample.instances is None
        void += (sample.mask == VOID).mean() / 4
    assert 0 < void < 1
    notes = [str(note.error()) for note in run.started().notes]
    assert notes[1:] == [f"pseudo_labels: teacher labels {1 - void:.0%} of the other images"]


def test_a_teacher_s_labels_move_with_their_images_and_the_loss_counts_them():
    teacher = done(taught(None), "teacher")
    run, still = student_of(teacher, [{"name": "flip", "p": 1}]), student_of(teacher)
    places = sorted(run.train.hidden)
    flipped, batch = run.batch(0, places), still.batch(0, places)
    assert torch.equal(flipped.masks, batch.masks.flip(2)) and torch.equal(flipped.images, batch.images.flip(3))
    assert not unlabeled(batch).any() and not (batch.masks == VOID).any()
    _, values, _ = still.advance(batch)
    assert values["cross_entropy"] > 0


@pytest.mark.parametrize("also", [[], CURIOUS], ids=["alone", "beside others"])
def test_hidden_masks_have_no_influence_on_a_teacher_and_its_student(also, monkeypatch):
    options = {"loss": {"name": "cross_entropy", "class_weights": "median_frequency"}}

    def both(name):
        teacher = done(taught(None, also, **options), name)
        return trained(student_of(teacher, also, **options))

    expected, run = both("first"), training.Run(taught(None))
    names = run.data.train.names
    altered(monkeypatch, {names[n] for n in run.train.hidden})
    assert equal(expected, both("second"))
    altered(monkeypatch, {names[n] for n in range(8) if n not in run.train.hidden})
    assert not equal(expected, both("third"))


def test_with_no_masks_hidden_a_student_learns_as_if_it_had_no_teacher():
    teacher = done(tiny(epochs=1), "teacher")
    assert equal(trained(training.Run(tiny())), trained(student_of(teacher, labeled=1)))


def test_panoptic_deeplab_learns_centres_from_masks_alone():
    model = {"name": "panoptic_deeplab", "width": 4}
    run = student_of(done(taught(None, epochs=1, model=model), "teacher"), model=model)
    batch = run.batch(0, run.order(0))
    for n, place in enumerate(batch.index.tolist()):
        assert (batch.targets["center_weight"][n].sum() > 0) == (place not in run.train.hidden)
        assert (batch.masks[n] != VOID).any()


@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_student_stopped_within_an_epoch_goes_on_to_the_same_weights(stop_at):
    config = taught(done(taught(None), "teacher"), ["flip", "cutmix", "class_balanced"])
    whole = trained(training.Run(config, load=runs.load))
    first = training.Run(config, load=runs.load)
    first.should_stop = lambda: first.step == stop_at
    list(training.train(first))
    second = training.Run(config, fresh=False, load=runs.load)
    second.load_state_dict(first.state_dict())
    assert second.step == stop_at and equal(whole, trained(second))


def test_a_student_does_not_go_on_with_another_teacher_than_it_began_with():
    teacher = done(taught(None), "teacher")
    state = student_of(teacher).state_dict()
    student_of(teacher).load_state_dict(state)
    shutil.rmtree(teacher)
    done(taught(None, epochs=1), "teacher")
    with pytest.raises(SeglabError, match="the weights of teacher are not those that this run started with"):
        student_of(teacher).load_state_dict(state)


def test_a_teacher_of_other_classes_or_one_that_is_gone_is_refused_with_its_name():
    other = done(tiny(epochs=1), "other")
    description = json.loads((other / "dataset.json").read_text())
    description["classes"][0] = "heaven"
    (other / "dataset.json").write_text(json.dumps(description))
    announced(other)
    with pytest.raises(SeglabError, match="pseudo_labels: the classes of other differ from those of the data"):
        student_of(other)
    shutil.rmtree(other)
    student = runs.create(taught(other), "student")
    with pytest.raises(SeglabError, match=r"there is no run .*other"):
        list(runs.work(student))
    assert runs.status(student).state == "failed"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (taught(None, epochs=1), False),
        (taught(None, labeled=0.25, epochs=1), False),
        (taught(None, labeled=0.75, epochs=1), True),
        (taught(None, seed=1, epochs=1), True),
        (taught(None, fold={"index": 0, "of": 2}, epochs=1), True),
        (tiny(epochs=1), True),
    ],
    ids=["the same masks", "fewer", "more", "others", "a fold", "all"],
)
def test_a_note_says_when_the_teacher_has_learned_from_masks_that_are_hidden(config, told):
    notes = [str(note) for note in student_of(done(config, "teacher")).notes()]
    assert ("pseudo_labels: teacher was trained with other masks than this run uses" in notes) == told


def test_a_preview_shows_a_teacher_s_labels():
    config = taught(done(taught(None), "teacher"), ["flip"])
    for before, after, _ in preview(config, 8)[1]:
        assert (before.mask != VOID).any() and (after.mask != VOID).any()
