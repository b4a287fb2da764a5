"""A step on a batch in parts is the step on the whole batch, wherever the loss adds up over images."""

import math

import pytest
import torch

from seglab import training
from seglab.data.base import VOID
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.events import Evaluated
from seglab.families import Outputs, Term
from seglab.losses.weights import ClassWeighted
from tests.conftest import tiny
from tests.test_losses import LOSSES, batch_of, example

ARCHITECTURES = FAMILIES["architectures"].entries
PLAIN = {"name": "unet_vgg16", "width": 4, "batch_norm": False}
DESCENT = {"name": "sgd", "lr": 0.1}


def adds_up(name):
    """Whether all terms of a loss have norms."""
    logits, masks = example()
    batch = batch_of(LOSSES[name], masks)
    return set(LOSSES[name].terms(Outputs(logits), batch, 0.0)) == set(LOSSES[name].norms(batch))


EXACT = [name for name in FAMILIES["losses"].entries if adds_up(name)]
WEIGHTED = [name for name in EXACT if issubclass(FAMILIES["losses"].entries[name], ClassWeighted)]
CASES = [{"name": name} for name in EXACT]
CASES += [{"name": name, "class_weights": "median_frequency"} for name in WEIGHTED]
CASES += ["cross_entropy + 0.1*boundary + focal", {"name": "cross_entropy", "label_smoothing": 0.1}]


def parted(at_once, **options):
    techniques = [*options.pop("techniques", []), {"name": "accumulation", "at_once": at_once}]
    return training.Run(tiny(**options, techniques=techniques))


def weights(run):
    return torch.cat([value.flatten() for value in run.evaluated_model().state_dict().values()])


def test_the_losses_that_add_up_are_those_of_pixels():
    assert EXACT == ["cross_entropy", "focal", "boundary", "border_weighted"] and len(WEIGHTED) == 3


@pytest.mark.parametrize(("rule", "expected"), [("none", 2.0), ("numbers", 2.6)])
def test_parts_count_by_their_labelled_pixels_or_the_weights_of_them(rule, expected):
    """Three pixels of class 0 cost 1 each, one of class 1 costs 5, and a third image is void: 8 / 4, where the mean of
    the parts' means would be 2 or 3; with a weight of 2 for class 1, (3 x 1 + 2 x 5) / (3 + 2)."""
    options = {"class_weights": [1.0, 2.0] + [1.0] * 9} if rule == "numbers" else {}
    run = parted(1, loss={"name": "cross_entropy", **options}, batch_size=3)
    batch = run.batch(0, [0, 1, 2])
    batch.masks[:] = VOID
    batch.masks[0, 0, :3] = 0
    batch.masks[1, 0, 0] = 1
    bias = run.model.net.classifier.bias

    def objective(part):
        (index,) = part.index.tolist()
        value = bias.sum() * 0 + {0: 1.0, 1: 5.0, 2: 0.0}[index]
        return {"cross_entropy": Term(value, 1.0), "other": Term(value, 0.5)}

    run.objective = objective
    loss, values, factors = run.advance(batch)
    assert values["cross_entropy"] == pytest.approx(expected) and values["other"] == pytest.approx(2.0)
    assert loss == pytest.approx(expected + 0.5 * 2) and factors == {"cross_entropy": 1.0, "other": 0.5}


def steps(run, count=3):
    """The weights after some steps on batches with void of very different extents, one image all of it."""
    for step in range(count):
        batch = run.batch(0, [0, 1, 2, 3, 4])
        for n, height in enumerate((0, 3, 48, 20, 40)):
            batch.masks[(n + step) % 5, :height] = VOID
            for target in batch.targets.values():
                target[(n + step) % 5, :, :height] = 0
        assert math.isfinite(run.advance(batch)[0])
    return weights(run)


@pytest.mark.parametrize("loss", CASES, ids=str)
@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_a_step_in_parts_is_the_step_on_the_whole_batch(loss, at_once, double):
    options = {"model": PLAIN, "loss": loss, "optimizer": DESCENT | {"clip": 1.0}, "batch_size": 5}
    whole, before = training.Run(tiny(**options)), weights(training.Run(tiny(**options)))
    expected, found = steps(whole), steps(parted(at_once, **options))
    assert (expected - before).abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", EXACT)
def test_rounding_to_32_bits_makes_less_than_a_millionth_of_difference(loss):
    options = {"model": PLAIN, "loss": loss, "optimizer": DESCENT | {"clip": 1.0}, "batch_size": 5}
    expected, found = steps(training.Run(tiny(**options)), 1), steps(parted(2, **options), 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_the_mean_of_the_parts_would_be_another_step():
    options = {"model": PLAIN, "loss": "cross_entropy", "optimizer": DESCENT, "batch_size": 5}
    naive = parted(1, **options)
    naive.norms = lambda batch: {}
    assert (steps(naive) - steps(parted(1, **options))).abs().max() > 1e-4


def test_a_whole_run_in_parts_has_the_steps_rates_and_averages_of_the_run_without():
    options = {"model": PLAIN, "loss": "cross_entropy", "optimizer": DESCENT, "batch_size": 3, "techniques": ["ema"]}
    options |= {"scheduler": {"name": "cosine", "warmup": 0.5}}
    whole, run, events = training.Run(tiny(**options)), parted(2, **options), {}
    for name, each in (("whole", whole), ("parts", run)):
        events[name] = [event for event in training.train(each) if isinstance(event, Evaluated)]
    assert run.step == whole.step == 6 and run.step_hooks["ema"].average.n_averaged == 6
    assert [(e.step, e.epoch, e.lr) for e in events["parts"]] == [(e.step, e.epoch, e.lr) for e in events["whole"]]
    torch.testing.assert_close(weights(run), weights(whole), rtol=0, atol=1e-6)


VARIANTS = [{"name": name} for name in ARCHITECTURES]
VARIANTS += [{"name": "deeplab_v2", "multi_scale": True}, {"name": "unet_plus_plus", "deep_supervision": False}]
VARIANTS += [{"name": "unet_3_plus", "guidance": guidance} for guidance in ("none", "classes")]


@torch.no_grad()
@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_every_term_that_a_network_adds_or_renames_has_its_norm(model):
    model = model | ({"width": 4} if "width" in ARCHITECTURES[model["name"]].model_fields else {})
    run = training.Run(tiny(model=model, loss="cross_entropy + dice"))
    run.model.eval()
    batch = run.batch(0, [0, 1, 2])
    batch.masks[1, :30] = batch.masks[2] = VOID
    for target in batch.targets.values():
        target[1, :, :30] = target[2] = 0

    def sums(part):
        terms, norms = run.objective(part), run.norms(part)
        assert set(norms) <= set(terms) and all("dice" in name for name in set(terms) - set(norms))
        return {name: terms[name].value * norm for name, norm in norms.items()}

    whole, parts = sums(batch), [sums(batch.take([n])) for n in range(3)]
    assert "cross_entropy" in whole
    for name, value in whole.items():
        torch.testing.assert_close(value, sum(part[name] for part in parts), rtol=1e-4, atol=1e-4)
        assert value > 0


def told(**options):
    run = parted(2, **options)
    return [str(note.error()) for note in run.started().notes]


def test_the_notes_say_what_is_not_exact():
    assert told(model=PLAIN, loss="cross_entropy") == []
    assert told(model=PLAIN, techniques=["mixstyle"]) == [
        "accumulation: dice cannot be summed over images; the mean over the parts is used instead",
        "accumulation: mixstyle can only combine images of the same part",
    ]
    (note,) = told(loss="focal", model={"name": "deeplab_v2", "width": 4, "multi_scale": True})
    assert note == "accumulation: batch norm sees 2 images at a time, not 4"


def test_parts_as_large_as_the_batch_are_refused():
    with pytest.raises(SeglabError, match="at_once is 4 and batch_size 4; at_once must be less than batch_size"):
        parted(4)


def test_no_part_has_a_single_image_unless_it_is_asked_for():
    run = parted(2, batch_size=5)
    assert [part.index.tolist() for part in run.parts(run.batch(0, [4, 2, 0, 1, 3]))] == [[4, 2], [0, 1, 3]]
    assert [len(part.index) for part in parted(1).parts(run.batch(0, [0, 1, 2]))] == [1, 1, 1]
