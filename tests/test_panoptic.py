"""Panoptic-DeepLab: what it learns about things, and how it tells them apart."""

import base64
import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from seglab import cli, draw, jobs, prediction, runs
from seglab.architectures.panoptic import PanopticDeepLab, center_maps, grouped, peaks, things_among
from seglab.config import RunConfig
from seglab.data.base import VOID, Sample
from seglab.data.scene import CAR, PERSON
from seglab.data.streets import Streets
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.events import Evaluated, Finished, Stepped
from seglab.families import Outputs
from seglab.loader import collated
from seglab.losses.combined import Sum
from seglab.losses.pixel import CrossEntropy
from seglab.model import Segmenter, resized
from seglab.techniques.augmentation import Augmenting, Flip
from seglab.training import Run, train
from seglab.ui.parts import viewer
from seglab.ui.parts.runlist import begun
from tests.conftest import finish, tiny
from tests.page import Request, heard, latest

SMALL = {"name": "panoptic_deeplab", "encoder": "mobilenet_v2_035", "width": 16}
PAIRS = [(200, 0.01), (10, 0.01), (400, 0.01), (200, 0.001), (200, 0.1)]  # the weights that the sources tried


def sample(instances, mask=None):
    """A sample of what is told apart; its class is 1 where there is something."""
    instances = np.array(instances, np.int32)
    mask = (instances > 0).astype(np.uint8) if mask is None else np.array(mask, np.uint8)
    return Sample(np.zeros((*instances.shape, 3), np.uint8), mask, instances)


def outputs(batch, shift=0.0, things=(1,), num_classes=2):
    """What perfect heads give, and `shift` more; the logits are zero."""
    maps = {name: batch.targets[name] + shift for name in ("center", "offset")}
    logits = torch.zeros(len(batch.masks), num_classes, *batch.masks.shape[-2:])
    return Outputs(logits, maps | {"things": torch.tensor([number in things for number in range(num_classes)])})


def gradients(found, batch):
    """The objective's value for these outputs, and its gradient in each of their maps."""
    maps = [found.logits, found.extras["center"], found.extras["offset"]]
    for each in maps:
        each.requires_grad_()
    total = sum(term.value for term in PanopticDeepLab().terms(found, batch, CrossEntropy(), 0.0).values())
    total.backward()
    return float(total.detach()), [each.grad for each in maps]


def image(found, n):
    """The outputs of one image of a batch."""
    extras = {name: maps[n : n + 1] if maps.dim() == 4 else maps for name, maps in found.extras.items()}
    return Outputs(found.logits[n : n + 1], extras)


def crowd(height=96, width=128):
    """Five things, some of them touching, and what is left of the largest behind a pole."""
    instances = np.zeros((height, width), np.int32)
    for number, (top, left, bottom, right) in enumerate(
        [(50, 4, 80, 40), (40, 40, 70, 60), (60, 62, 90, 120), (20, 70, 30, 76), (20, 77, 32, 84)], 1
    ):
        instances[top:bottom, left:right] = number * 7
    instances[:, 90:93] = 0
    return instances


def same_things(found, truth):
    """Whether two maps part the same pixels alike, whatever the numbers are."""
    pairs = set(zip(found.ravel().tolist(), truth.ravel().tolist(), strict=True))
    return len(pairs) == len(np.unique(found)) == len(np.unique(truth)) and (0, 0) in pairs


# --- targets


def test_the_heatmap_and_the_offsets_of_a_tiny_map_are_those_worked_by_hand():
    instances = np.array([[5, 5, 0, 0, 0, 0], [5, 5, 0, 0, 0, 0], [0] * 6, [0, 0, 0, 0, 0, 9]], np.int32)
    heatmap, offset = center_maps(instances)
    assert heatmap.dtype == offset.dtype == np.float32 and offset.shape == (4, 6, 2)
    # centres (0.5, 0.5) and (3, 5); sigma is 1.5, so 2 sigma^2 is 4.5
    assert heatmap[0, 0] == pytest.approx(math.exp(-0.5 / 4.5))
    assert heatmap[3, 5] == 1
    assert heatmap[1, 3] == pytest.approx(math.exp(-6.5 / 4.5))  # 6.5 from the first centre, 8 from the second
    assert heatmap[2, 3] == pytest.approx(math.exp(-5 / 4.5))  # 8.5 from the first, 5 from the second
    assert offset[0, 0] == pytest.approx([0.5 / 6, 0.5 / 6]) and offset[1, 0] == pytest.approx([-0.5 / 6, 0.5 / 6])
    assert not offset[3, 5].any() and not offset[0, 2:].any()


def test_a_centre_is_8_pixels_wide_on_an_image_of_1024_and_ends_at_3_sigma():
    instances = np.zeros((16, 1024), np.int32)
    instances[8, 500] = 3
    row = center_maps(instances)[0][8]
    assert row[508] == pytest.approx(math.exp(-0.5)) and row[524] == pytest.approx(math.exp(-4.5)) and row[525] == 0
    small = center_maps(instances[:, 450:578])[0][8]  # 128 pixels: 1 would be too narrow
    assert small[52] == pytest.approx(math.exp(-4 / 4.5)) and small[55] == 0


def test_centres_count_where_there_are_labels_and_offsets_where_there_are_things():
    targets = PanopticDeepLab().targets(sample([[1, 1, 0, 2]], [[1, VOID, VOID, 1]]))
    assert targets["center_weight"][..., 0].tolist() == [[1, 0, 0, 1]]
    assert targets["offset_weight"][..., 0].tolist() == [[1, 0, 0, 1]]
    assert PanopticDeepLab().targets(sample([[1, 0]]))["offset_weight"][..., 0].tolist() == [[1, 0]]
    unknown = PanopticDeepLab().targets(replace(sample([[1, 0]]), instances=None))
    assert not any(target.any() for target in unknown.values())
    assert {name: target.shape for name, target in unknown.items()} == {
        "center": (1, 2, 1), "offset": (1, 2, 2), "center_weight": (1, 2, 1), "offset_weight": (1, 2, 1)
    }  # fmt: skip


def test_a_flipped_sample_has_flipped_targets():
    given = Streets(train_images=2).open().train[0]
    flipped = Augmenting(1.0, Flip().transform).on_sample(given, np.random.default_rng(0))
    assert np.array_equal(flipped.mask, given.mask[:, ::-1]) and given.instances.any()
    before, after = (PanopticDeepLab().targets(each) for each in (given, flipped))
    before["offset"] = before["offset"] * np.float32([1, -1])
    for name in before:
        np.testing.assert_allclose(after[name], before[name][:, ::-1], atol=1e-6, err_msg=name)


# --- terms


def test_the_terms_are_those_of_the_loss_and_two_more_raw_with_their_weights():
    batch = collated([sample(crowd())], [0], PanopticDeepLab().targets)
    found = PanopticDeepLab().terms(outputs(batch, 0.03), batch, Sum(parts=[{"loss": "cross_entropy"}]), 0.5)
    assert list(found) == ["cross_entropy", "center", "offset"]
    assert float(found["cross_entropy"].value) == pytest.approx(math.log(2))
    assert float(found["center"].value) == pytest.approx(0.03**2, rel=1e-4)
    assert float(found["offset"].value) == pytest.approx(0.03 * 1024, rel=1e-4)  # pixels of an image 1024 wide
    assert [term.weight for term in found.values()] == [1, 200, 0.01]


@pytest.mark.parametrize(("center", "offset"), PAIRS)
def test_the_weights_that_the_sources_tried_can_be_given(center, offset):
    entry = PanopticDeepLab(center_weight=center, offset_weight=offset)
    batch = collated([sample(crowd())], [0], entry.targets)
    found = entry.terms(outputs(batch, 0.03), batch, CrossEntropy(), 0.0)
    total = sum(term.weight * float(term.value) for term in found.values())
    assert total == pytest.approx(math.log(2) + center * 0.0009 + offset * 30.72, rel=1e-4)


@pytest.mark.parametrize("times", [2, 4])
def test_an_offset_is_as_wrong_on_a_larger_image(times):
    small = sample(crowd())
    large = sample(crowd().repeat(times, 0).repeat(times, 1))
    offsets = []
    for each in (small, large):
        batch = collated([each], [0], PanopticDeepLab().targets)
        nothing = {"center": torch.zeros(()), "offset": torch.zeros(())}
        terms = PanopticDeepLab().terms(Outputs(outputs(batch).logits, nothing), batch, CrossEntropy(), 0.0)
        offsets.append(float(terms["offset"].value))
    assert offsets[1] == pytest.approx(offsets[0], rel=0.01) and offsets[0] > 10


def test_void_and_padding_have_zero_gradient():
    mask = (crowd() > 0).astype(np.uint8)
    mask[:60] = VOID
    samples = [sample(crowd(), mask), sample(crowd()[:80, :100])]
    batch = collated(samples, [0, 1], PanopticDeepLab().targets)
    void = batch.masks == VOID
    assert void[0, :60].all() and void[1, 80:].all() and void[1, :, 100:].all()
    _, found = gradients(outputs(batch, 0.1), batch)
    for gradient, counts in zip(found, (~void, ~void, batch.masks == 1), strict=True):
        assert torch.equal(gradient.abs().sum(1) > 0, counts)


def test_a_batch_in_which_nothing_counts_gives_a_zero_with_a_gradient():
    batch = collated([sample([[1, 1], [0, 0]], np.full((2, 2), VOID))], [0], PanopticDeepLab().targets)
    total, found = gradients(outputs(batch, 0.1), batch)
    assert total == 0 and not any(gradient.any() for gradient in found)


# --- grouping


def test_perfect_heads_give_back_exactly_the_things():
    truth = crowd()
    batch = collated([sample(truth)], [0], PanopticDeepLab().targets)
    found = PanopticDeepLab().instances(outputs(batch), batch.masks[0].numpy())
    assert found.dtype == np.int32 and found.shape == truth.shape
    assert same_things(found, truth) and sorted(np.unique(found)) == [0, 1, 2, 3, 4, 5]


def test_perfect_heads_give_back_the_cars_and_people_of_streets():
    scenes = Streets(train_images=2, val_images=12, size=256).open().val
    counts, exact = [], 0
    for n in range(len(scenes)):
        batch = collated([scenes[n]], [n], PanopticDeepLab().targets)
        ids = PanopticDeepLab().instances(outputs(batch, things=(CAR, PERSON), num_classes=11), scenes[n].mask)
        counts.append((ids.max(), scenes[n].instances.max()))
        exact += same_things(ids, scenes[n].instances)
    assert exact >= len(scenes) - 1 and sum(abs(found - truth) for found, truth in counts) <= 1, counts


@pytest.mark.parametrize("size", [(96, 128), (192, 256), (480, 640)], ids=str)
def test_things_survive_maps_at_another_size(size):
    truth = crowd()
    batch = collated([sample(truth)], [0], PanopticDeepLab().targets)
    quarter = [resized(batch.targets[name], (24, 32)) for name in ("center", "offset")]  # as the network gives them
    centre, offset = (resized(resized(maps, (96, 128)), size)[0].numpy() for maps in quarter)
    times = size[0] // 96
    large = truth.repeat(times, 0).repeat(times, 1)
    found = grouped(centre[0], offset, large > 0)
    assert found.max() == 5 and not found[large == 0].any()
    for number in np.unique(truth)[1:]:
        own = np.bincount(found[large == number])
        assert own.max() / own.sum() > 0.9, (number, own)


def test_the_highest_centre_has_the_smallest_number_and_numbers_have_no_gaps():
    heatmap, things = np.zeros((8, 30), np.float32), np.zeros((8, 30), bool)
    heatmap[4, 5], heatmap[4, 15], heatmap[4, 25] = 0.3, 0.9, 0.6
    things[3:6, 4:7] = things[3:6, 24:27] = True
    found = grouped(heatmap, np.zeros((2, 8, 30), np.float32), things)
    assert set(np.unique(found[:, :10])) == {0, 2} and set(np.unique(found[:, 20:])) == {0, 1}
    assert not grouped(heatmap * 0, np.zeros((2, 8, 30), np.float32), things).any()
    assert not grouped(heatmap, np.zeros((2, 8, 30), np.float32), things & False).any()


def test_a_pixel_goes_where_its_offset_points():
    heatmap, offset = np.zeros((8, 30), np.float32), np.zeros((2, 8, 30), np.float32)
    heatmap[4, 2], heatmap[4, 27] = 0.9, 0.5
    offset[1] = 20 / 30  # to the right
    things = np.zeros((8, 30), bool)
    things[4, 8] = True
    assert grouped(heatmap, offset, things)[4, 8] == 1 and grouped(heatmap, 0 * offset, things)[4, 8] == 1
    things[4, 3] = True  # the other one points to the right, this one is at the left centre itself
    offset[1, 4, 3] = 0
    found = grouped(heatmap, offset, things)
    assert found[4, 3] == 1 and found[4, 8] == 2


def test_centres_are_above_a_tenth_highest_among_their_neighbours_and_200_at_most():
    heatmap = np.zeros((6, 12), np.float32)
    heatmap[2, 3], heatmap[2, 4], heatmap[4, 9], heatmap[0, 11] = 0.5, 0.4, 0.1, 0.11
    assert peaks(heatmap).tolist() == [[2, 3], [0, 11]]
    heatmap[2, 4] = 0.5  # two that are equally high are one
    assert peaks(heatmap).tolist() == [[2, 3.5], [0, 11]]
    many = np.zeros((64, 64), np.float32)
    many[::3, ::3] = np.linspace(0.2, 1, 22 * 22).reshape(22, 22)
    assert len(peaks(many)) == 200 and peaks(many)[0].tolist() == [63, 63]


@pytest.mark.parametrize(("side", "apart", "count"), [(1024, 3, 1), (1024, 4, 2), (2048, 6, 1), (2048, 8, 2)])
def test_a_centre_is_the_highest_of_7_by_7_pixels_of_an_image_of_1024(side, apart, count):
    heatmap = np.zeros((32, side), np.float32)
    heatmap[16, 100], heatmap[16 + apart, 100] = 0.9, 0.8
    assert len(peaks(heatmap)) == count


# --- which classes are things, and data without any


def test_things_are_the_classes_of_whose_pixels_most_belong_to_an_instance():
    mask = [[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, VOID, VOID]]
    ids = [[0, 0, 0, 1, 1, 1, 1, 0, 1, 2, 3, 3]]
    assert things_among([sample(ids, mask)], 4).tolist() == [False, True, True, False]
    assert things_among([replace(sample(ids, mask), instances=None)], 4).tolist() == [False] * 4


def test_a_run_knows_its_things_from_its_first_step_and_keeps_them_with_its_weights():
    run = Run(tiny(model=SMALL, epochs=1, techniques=["ema"]))
    assert run.model.net.things.nonzero().flatten().tolist() == [CAR, PERSON]
    directory = finish(runs.create(run.config, "told apart"))
    assert runs.load(directory).model.net.things.nonzero().flatten().tolist() == [CAR, PERSON]


def test_data_without_things_are_refused_before_the_first_step(tmp_path):
    for part, values in (("images", (8, 8, 3)), ("masks", (8, 8))):
        (tmp_path / part).mkdir()
        for n in range(6):
            ids = np.random.default_rng(n).integers(0, 2 if part == "masks" else 256, values, dtype=np.uint8)
            Image.fromarray(ids.repeat(8, 0).repeat(8, 1)).save(tmp_path / part / f"{n}.png")
    config = tiny(data={"name": "folder", "root": str(tmp_path)}, model=SMALL)
    with pytest.raises(SeglabError, match=r"training images of folder have none; streets has them"):
        Run(config)
    directory = runs.create(config, "refused")
    with pytest.raises(SeglabError, match="folder"):
        list(runs.work(directory))
    (event,) = runs.events(directory)
    assert isinstance(event, Finished) and event.reason == "failed" and "streets has them" in event.text


# --- training


@pytest.mark.parametrize(("classes", "parameters"), [(19, 55_308_870), (21, 55_309_384)])
def test_the_authors_network_for_cityscapes_has_its_number_of_parameters(classes, parameters):
    with torch.device("meta"):
        network = PanopticDeepLab(**PanopticDeepLab.paper).build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert parts["encoder"] == 23_508_032  # ResNet-50's
    # by hand: skips of 1024, 512 and 256 channels, projected to 64, 32 and 16, and three 5x5 mixtures of 128
    assert sum(p.numel() for p in network.instance.project.parameters()) == 86_240
    assert sum(p.numel() for p in network.instance.mix.parameters()) == 97_488


def test_maps_come_at_a_quarter_of_the_size_and_have_one_and_two_channels():
    for stride in (16, 32):
        network = PanopticDeepLab(encoder="mobilenet_v2_035", width=8, output_stride=stride).build(5)
        found = network(torch.rand(2, 3, 64, 96))
        assert found.logits.shape == (2, 5, 16, 24)
        assert found.extras["center"].shape == (2, 1, 16, 24) and found.extras["offset"].shape == (2, 2, 16, 24)


STEEP = [  # width, weight of the centers, optimizer: whether three of four epochs on streets diverged, or nearly did
    (64, 200, {"name": "sgd"}, "0.003"),
    (64, 200, {"name": "sgd", "lr": 0.006}, "0.003"),
    (64, 200, {"name": "sgd", "momentum": 0.0}, "0.003"),
    (16, 200, {"name": "sgd"}, "0.006"),
    (128, 200, {"name": "sgd", "lr": 0.003}, "0.001"),
    (256, 200, {"name": "sgd", "lr": 0.003}, "0.0009"),
    (64, 200, {"name": "sgd", "lr": 0.003}, None),
    (16, 200, {"name": "sgd", "lr": 0.003}, None),
    (64, 20, {"name": "sgd"}, None),
    (64, 0, {"name": "sgd", "lr": 10.0}, None),
    (64, 200, {"name": "sgd", "clip": 1.0}, None),
    (64, 200, {"name": "adamw"}, None),
    (64, 200, {"name": "adam"}, None),
]


@pytest.mark.parametrize(("width", "weight", "optimizer", "most"), STEEP, ids=str)
def test_a_step_too_long_for_the_heatmap_s_loss_is_told_before_it_is_taken(width, weight, optimizer, most):
    config = tiny(model={"name": "panoptic_deeplab", "width": width, "center_weight": weight}, optimizer=optimizer)
    told = [str(note) for note in config.model.advice(config)]
    assert len(told) == (most is not None)
    if most:
        assert f"diverge with sgd at a learning rate of {config.optimizer.lr:g}" in told[0] and told[0].endswith(most)
        rate = config.optimizer.model_copy(update={"lr": float(most)})
        assert config.model.advice(config.model_copy(update={"optimizer": rate})) == []


@pytest.mark.parametrize(("lr", "fate"), [(1e-2, "diverged"), (3e-3, "learns")])
def test_the_defaults_of_sgd_diverge_as_they_are_said_to(lr, fate):
    run = Run(tiny(model="panoptic_deeplab", optimizer={"name": "sgd", "lr": lr}, epochs=8))
    notes = [str(note) for note in run.notes() if "diverge" in str(note)]
    losses = [run.advance(run.batch(0, [0, 1, 2, 3]))[0] for _ in range(12)]
    worst = max(loss if math.isfinite(loss) else math.inf for loss in losses)
    assert (worst > 100) == bool(notes) == (fate == "diverged")


def test_the_advice_comes_before_the_run_on_the_page_and_in_a_plan(capsys):
    config = tiny(model="panoptic_deeplab", optimizer="sgd", epochs=1)
    added, *advice = begun(lambda: jobs.submit([config, config]), "en")["messages"]
    assert added[0] == "right" and "Runs added" in added[1]
    assert [kind for kind, _ in advice] == ["note"] and "will probably diverge" in advice[0][1]
    command = ["plan", "seeds", "--dry-run", "--model", "panoptic_deeplab", "--optimizer", "sgd", "--image_size", "64"]
    with pytest.raises(SystemExit):
        cli.main([*command, "--data.train_images", "8", "--data.val_images", "4", "--data.size", "64"])
    told = capsys.readouterr()
    assert told.err.count("seglab: note: panoptic_deeplab will probably diverge") == 1 and "runs, about" in told.out


def test_the_command_line_gives_the_output_stride_as_a_word():
    assert validated(RunConfig, {"model": {**SMALL, "output_stride": "32"}}).model.output_stride == 32


def test_raw_terms_and_their_weights_are_reported_apart():
    events = list(train(Run(tiny(model={**SMALL, "center_weight": 10, "offset_weight": 0.1}, loss="dice", epochs=1))))
    scores = [score for event in events if isinstance(event, Evaluated) for score in event.scores.values()]
    steps = [event for event in events if isinstance(event, Stepped)]
    assert steps and len(scores) == 3
    for each in [*scores, *steps]:
        assert each.term_weights == {"dice": 1, "center": 10, "offset": 0.1}
        assert each.loss == pytest.approx(sum(each.terms[name] * each.term_weights[name] for name in each.terms))
        assert 0.2 < each.terms["dice"] < 1 and each.terms["center"] < 0.1 and 5 < each.terms["offset"] < 200


def learned(entry, batch, steps):
    """A network trained on one batch for so many steps, and the objective's raw terms before and after."""
    torch.manual_seed(0)
    model = Segmenter(entry, 11).train()
    model.net.things[[CAR, PERSON]] = True
    optimizer, values = torch.optim.AdamW(model.parameters(), 3e-3), []
    for _ in range(steps):
        optimizer.zero_grad()
        found = entry.terms(model(batch.images), batch, CrossEntropy(), 0.0)
        sum(term.weight * term.value for term in found.values()).backward()
        optimizer.step()
        values.append({name: float(term.value.detach()) for name, term in found.items()})
    return model, values[0], values[-1]


def test_training_lowers_each_of_the_terms():
    data = Streets(train_images=4, size=64).open()
    batch = collated([data.train[n] for n in range(4)], range(4), PanopticDeepLab().targets)
    _, first, last = learned(PanopticDeepLab(width=16), batch, 60)
    assert all(last[name] < 0.8 * first[name] for name in first), (first, last)


@pytest.mark.slow
def test_the_things_of_two_images_learned_by_heart_are_found():
    data = Streets(train_images=8, weather="day").open()
    samples, entry = [data.train[n] for n in (2, 5)], PanopticDeepLab()
    batch = collated(samples, range(2), entry.targets)
    model, _, _ = learned(entry, batch, 250)
    with torch.no_grad():
        found = model.eval()(batch.images)
    overlaps = []
    for n, each in enumerate(samples):
        ids = entry.instances(image(found, n), found.logits[n].argmax(0).to(torch.uint8).numpy())
        truth, pixels = np.unique(each.instances, return_counts=True)
        assert abs(ids.max() - (len(truth) - 1)) <= 2, (ids.max(), len(truth) - 1)
        for number in truth[1:][pixels[1:] >= 20]:  # smaller ones are smaller than a pixel of the network's maps
            own = each.instances == number
            best = np.bincount(ids[own]).argmax()
            overlaps.append(bool(best) and (own & (ids == best)).sum() / (own | (ids == best)).sum())
    assert len(overlaps) > 10 and np.mean(np.array(overlaps) > 0.5) > 0.75, overlaps


# --- predictions, pictures, files


@pytest.fixture
def trained():
    return runs.load(finish(runs.create(tiny(model=SMALL, epochs=1), "one")))


@pytest.fixture
def known(monkeypatch):
    """Whatever a network says, its instances are two halves of the image, but for its first row."""

    def halves(self, outputs, labels):
        assert outputs.extras["center"].shape[-2:] == labels.shape and labels.dtype == np.uint8
        instances = np.ones(labels.shape, np.int32)
        instances[:, labels.shape[1] // 2 :] = 2
        instances[0] = 0
        return instances * (labels != 255)

    monkeypatch.setattr(PanopticDeepLab, "instances", halves)


def test_other_probabilities_have_their_things_grouped_anew(trained, monkeypatch):
    monkeypatch.setattr(PanopticDeepLab, "instances", lambda self, outputs, labels: (labels == 3).astype(np.int32))
    image = np.zeros((50, 70, 3), np.uint8)
    found = prediction.predict(trained, image)
    assert np.array_equal(found.instances, found.labels == 3)
    other = np.zeros_like(found.probabilities)
    other[3, :, :9] = other[2, :, 9:] = 1
    refined = found.refined(other)
    assert refined.probabilities is other and refined.instances.sum() == 50 * 9


def test_a_model_that_tells_nothing_apart_has_no_instances():
    directory = finish(runs.create(tiny(epochs=1), "plain"))
    found = prediction.predict(runs.load(directory), np.zeros((50, 70, 3), np.uint8))
    assert found.instances is None and found.refined(found.probabilities).instances is None


def test_things_are_outlined_in_white_and_differ_in_shade():
    picture = np.full((7, 12, 3), 100, np.uint8)
    instances = np.zeros((7, 12), np.int32)
    instances[1:6, 1:6], instances[1:6, 6:11] = 1, 2
    drawn = draw.outlined(picture, instances)
    white = (drawn == 255).all(-1)
    expected = np.zeros((7, 12), bool)
    expected[1:6, 1:11] = True
    expected[2:5, 2:5] = expected[2:5, 7:10] = False
    assert np.array_equal(white, expected)
    assert (drawn[instances == 0] == 100).all() and (picture == 100).all()
    shades = [np.unique(drawn[2:5, columns]).tolist() for columns in (slice(2, 5), slice(7, 10))]
    # 0.25 (2 * 0.618 - 1) = 0.059 towards white, 0.25 (2 * 0.236 - 1) = -0.132 towards black
    assert shades == [[109], [87]]


def test_the_command_line_writes_the_numbers_of_things_with_16_bits(trained, known, tmp_path, capsys):
    photo = tmp_path / "street.png"
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(photo)
    with pytest.raises(SystemExit) as ended:
        cli.main(["predict", "one", str(photo), "--out", str(tmp_path / "out")])
    assert ended.value.code == 0, capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "street.png", "street_instances.png", "street_overlay.png"
    ]  # fmt: skip
    with Image.open(tmp_path / "out" / "street_instances.png") as image:
        assert image.mode == "I;16"
        ids = np.array(image)
    assert not ids[0].any() and (ids[1:, :30] == 1).all() and (ids[1:, 30:] == 2).all()
    overlay = np.array(Image.open(tmp_path / "out" / "street_overlay.png"))
    assert overlay.shape == (40, 60, 3) and (overlay[1:, 29:31] == 255).all() and (overlay[5:35, 10:20] < 255).any()


def test_the_numbers_of_things_overwrite_no_other_file(trained, tmp_path, capsys):
    for name in ("a", "a_instances"):
        Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / f"{name}.jpg")
    photos = [str(tmp_path / f"{name}.jpg") for name in ("a", "a_instances")]
    with pytest.raises(SystemExit) as ended:
        cli.main(["predict", "one", *photos, "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and "would overwrite" in capsys.readouterr().err


def test_the_predict_tab_is_told_where_things_end_and_how_many_there_are(trained, known):
    told = heard(viewer.predict(latest(runs=["one"]), Request()))
    (result,) = told["results"]
    assert result["things"][0] == 2
    with Image.open(io.BytesIO(base64.b64decode(result["edges"][0].partition("base64,")[2]))) as image:
        edges = np.array(image)
    assert edges.shape == (48, 64) and set(np.unique(edges)) == {0, 1}
    expected = np.zeros((48, 64), np.uint8)  # of two halves; the first row belongs to none
    expected[1] = expected[1:, 31:33] = 1  # where the picture ends no thing does
    assert np.array_equal(edges, expected)


def test_a_model_without_things_has_no_edges_to_outline():
    finish(runs.create(tiny(epochs=1), "plain"))
    (result,) = heard(viewer.predict(latest(runs=["plain"]), Request()))["results"]
    assert result["edges"] == result["things"] == []
