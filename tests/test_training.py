"""The training loop: what it reports, and that nothing but the configuration decides what it learns."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from seglab import metrics, runs, training
from seglab.data.base import VOID
from seglab.errors import SeglabError
from seglab.evaluation import evaluate, same_size
from seglab.events import Evaluated, Finished, Sentence, Started, Stepped, from_line, to_line
from seglab.loader import batches
from tests.conftest import tiny


def trained(config, **options):
    run = training.Run(config, **options)
    return run, list(training.train(run))


def weights(run):
    return run.evaluated_model().state_dict()


def equal(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_run_reports_its_start_every_epoch_and_its_end():
    run, events = trained(tiny(epochs=3))
    assert isinstance(events[0], Started) and events[0].total_steps == 6 == run.step
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    assert [event.epoch for event in evaluated] == [1, 2, 3] and any(isinstance(event, Stepped) for event in events)
    assert events[-1] == run.finished("completed").model_copy(update={"seconds": events[-1].seconds})
    for event in evaluated:
        assert set(event.scores) == {"train", "search", "val"}
        for score in event.scores.values():
            assert set(score.terms) == {"cross_entropy", "dice"}
            assert score.loss == pytest.approx(sum(score.terms.values()))
            assert 0 <= score.miou <= 1 and len(score.iou) == len(run.data.classes)


def test_events_survive_their_own_lines():
    _, events = trained(tiny(epochs=1))
    assert [from_line(to_line(event)) for event in events] == events
    first = SeglabError("{file}: an empty file", file="masks/a.png")
    why = SeglabError("{count} wrong, the first: {first}", count=2, first=first)
    end = Finished(step=0, seconds=0, reason="failed", why=Sentence.of(why))
    again = from_line(to_line(end)).why.error()
    assert str(again) == end.text == "2 wrong, the first: masks/a.png: an empty file"
    assert again.values["first"].template == first.template


def test_the_loss_falls_on_images_it_has_seen():
    config = tiny(epochs=30, model={"name": "unet", "width": 8, "depth": 2}, optimizer={"name": "adamw", "lr": 5e-3})
    _, events = trained(config)
    losses = [event.scores["train"].loss for event in events if isinstance(event, Evaluated)]
    assert losses[-1] < 0.75 * losses[0]


precisions = pytest.mark.parametrize("precision", ["full", "mixed"])


@precisions
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(precision):
    given = {"techniques": ["flip", "color"], "optimizer": {"name": "adamw", "precision": precision}}
    one, events = trained(tiny(**given))
    two, again = trained(tiny(**given))
    other, _ = trained(tiny(**given, seed=1))
    assert equal(weights(one), weights(two)) and not equal(weights(one), weights(other))
    assert [e.scores for e in events if isinstance(e, Evaluated)] == [
        e.scores for e in again if isinstance(e, Evaluated)
    ]


@precisions
@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_a_run_stopped_at_any_step_goes_on_to_the_same_weights(stop_at, precision):
    config = tiny(techniques=["flip", "ema"], optimizer={"name": "adamw", "precision": precision})
    whole, _ = trained(config)
    first = training.Run(config)
    first.should_stop = lambda: first.step == stop_at
    events = list(training.train(first))
    assert events[-1].reason == "stopped" and first.step == stop_at
    second = training.Run(config)
    second.load_state_dict(first.state_dict())
    events = list(training.train(second))
    assert events[0].resumed_at == stop_at and events[-1].reason == "completed"
    assert equal(weights(whole), weights(second))


def test_a_budget_ends_the_run_after_an_evaluation():
    _, events = trained(tiny(epochs=50, budget_seconds=0.2))
    assert isinstance(events[-2], Evaluated) and events[-1].reason == "budget" and events[-1].epoch < 50


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged():
    run = training.Run(tiny(epochs=3))
    directory, events, best = runs.create(run.config), [], {}
    for event in runs.record(training.train(run), directory, run):
        events.append(event)
        if isinstance(event, Evaluated):
            best = {name: value.clone() for name, value in weights(run).items()}
            with torch.no_grad():
                run.model.net.classifier.weight.fill_(math.nan)
    assert events[-1].reason == "diverged" and "nan" in events[-1].text
    assert sum(isinstance(event, Evaluated) for event in events) == 1 and events[-1].best_epoch == 1.0
    assert equal(best, runs.load(directory).model.state_dict())


def test_weights_that_are_no_numbers_are_never_the_best():
    run = training.Run(tiny(epochs=1))
    step = run.advance

    def spoilt(batch):
        found = step(batch)
        with torch.no_grad():
            run.model.net.classifier.bias.fill_(math.inf)
        return found

    run.advance = lambda batch: spoilt(batch) if run.step == run.total_steps - 1 else step(batch)
    events = list(training.train(run))
    assert events[-1].reason == "diverged" and events[-1].best_epoch is None
    assert not any(isinstance(event, Evaluated) for event in events)


def test_an_absurd_learning_rate_ends_the_run_as_diverged_and_the_best_weights_stay():
    # each step takes four times the weight off the weight, which grows threefold: 3^85 / 100 is beyond float32
    optimizer = {"name": "sgd", "lr": 4, "momentum": 0, "weight_decay": 1}
    directory = runs.create(tiny(epochs=50, optimizer=optimizer))
    run, events, kept = training.Run(runs.config(directory)), [], {}
    for event in runs.record(training.train(run), directory, run):
        events.append(event)
        if isinstance(event, Evaluated) and event.best:
            kept = {name: value.clone() for name, value in weights(run).items()}
    end, evaluated = events[-1], [event for event in events if isinstance(event, Evaluated)]
    assert end.reason == runs.status(directory).state == "diverged" and end.step < 85
    assert re.search(rf"(nan|inf|not finite) after step {end.step}$", end.text)
    assert evaluated and all(math.isfinite(score.loss) for event in evaluated for score in event.scores.values())
    best = max(evaluated, key=lambda event: event.scores["search"].miou)
    assert (end.best_epoch, end.val_miou) == (best.epoch, best.scores["val"].miou)
    assert equal(kept, runs.load(directory).model.state_dict()) and not equal(kept, weights(run))


def test_validation_is_scored_at_the_stored_size_of_the_masks():
    run = training.Run(tiny(data={"name": "streets", "train_images": 8, "val_images": 4, "size": 96}, image_size=64))
    assert run.train[0].mask.shape[1] == 64 and run.scored["val"][0].mask.shape[1] == 96
    found = evaluate(run.model, run.scored["val"], run.terms, keep=[1])
    assert set(found.probabilities) == {1} and (found.probabilities[1].argmax(0) == found.labels[1].labels()).all()
    labeled = sum((run.data.val[n].mask != VOID).sum() for n in range(2))
    assert found.labels[0].shape == run.data.val[0].mask.shape and found.confusions.sum() == labeled
    matrix = metrics.confusion(found.labels[1].labels(), run.data.val[1].mask, len(run.data.classes))
    assert np.array_equal(matrix, found.confusions[1])


def test_large_images_are_scored_strip_by_strip_at_their_stored_size(monkeypatch):
    data = {"name": "streets", "train_images": 8, "val_images": 4, "size": 96}
    run = training.Run(tiny(data=data, image_size=64))
    whole = evaluate(run.model, run.scored["val"], run.terms, keep=[0])
    monkeypatch.setattr("seglab.evaluation.MOST_PIXELS", 2000)
    monkeypatch.setattr("seglab.evaluation.MOST_LOGITS", 11 * 900)
    monkeypatch.setattr("seglab.evaluation.STRIP", 11 * 96 * 7)
    strips = evaluate(run.model, run.scored["val"], run.terms, keep=[0])
    for first, second in zip(whole.labels, strips.labels, strict=True):
        assert first.shape == second.shape == (72, 96)
        assert (first.labels() == second.labels()).mean() > 0.999  # but for ties
    assert np.abs(whole.confusions - strips.confusions).sum() <= 20
    assert strips.probabilities[0].shape[-1] < 96 and strips.loss == pytest.approx(whole.loss, rel=0.1)


def test_truth_is_kept_compressed_and_whole():
    run = training.Run(tiny(data={"name": "streets", "train_images": 8, "val_images": 4, "size": 96}, image_size=64))
    scored = run.scored["val"]
    for n in range(len(scored)):
        for sample in (scored[n], scored[n]):  # decoded, and kept
            assert np.array_equal(sample.mask, run.data.val[n].mask) and sample.image.shape[1] == 64
            assert np.array_equal(sample.instances, run.data.val[n].instances)
    assert scored.shape(0) == (72, 96) and sum(each.nbytes for each in scored.kept[0].held[1:]) < 96 * 72


def test_a_batch_of_large_images_is_smaller(monkeypatch):
    run = training.Run(tiny())
    size = run.scored["val"][0].mask.size
    for most, lengths in [(10 * size, [2]), (2 * size, [2]), (2 * size - 1, [1, 1]), (1, [1, 1])]:
        monkeypatch.setattr("seglab.evaluation.MOST_PIXELS", most)
        assert [len(places) for places in same_size(run.scored["val"])] == lengths


def test_scores_do_not_depend_on_the_batch_size_of_training():
    first, *others = (training.Run(tiny(batch_size=size)).evaluate() for size in (1, 2, 8))
    assert [other.scores for other in others] == [first.scores, first.scores]


def test_images_of_several_sizes_are_padded_with_void_in_training_and_scored_each_at_its_own():
    run = training.Run(tiny())
    cut = [replace(run.train[n], image=run.train[n].image[:40], mask=run.train[n].mask[:40]) for n in (0, 1)]
    for n in (0, 1):
        del run.train.kept[n]
        run.train.keep(n, cut[n])
    batch = run.batch(0, [0, 1, 2])
    assert batch.masks.shape[1] == run.train[2].mask.shape[0]
    assert (batch.masks[0, 40:] == VOID).all() and (batch.masks[2, 40:] != VOID).any()
    run.advance(batch)


def test_no_batch_has_a_single_sample():
    assert batches(range(5), 4) == [[0, 1, 2, 3, 4]]
    assert batches(range(6), 4) == [[0, 1, 2, 3], [4, 5]]
    assert batches(range(3), 1) == [[0], [1], [2]]


def test_folds_hold_out_each_training_image_once():
    config = tiny(data={"name": "streets", "train_images": 9, "val_images": 4, "size": 64})
    everything = set(config.data.open().train.names)
    held_out = []
    for index in range(3):
        data = training.folded(config.data.open(), tiny(data=config.data, fold={"index": index, "of": 3}))
        scored = {*data.search.names, *data.val.names}
        assert set(data.train.names) == everything - scored and len(scored) == 3
        held_out += scored
    assert sorted(held_out) == sorted(everything)


def test_the_best_epoch_is_chosen_on_search_and_reported_on_val():
    _, events = trained(tiny(epochs=4, optimizer={"name": "adamw", "lr": 1e-2}))
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    best = max(evaluated, key=lambda event: event.scores["search"].miou)
    assert events[-1].best_epoch == best.epoch and events[-1].val_miou == best.scores["val"].miou
    assert [event.best for event in evaluated][: int(best.epoch)][-1]
