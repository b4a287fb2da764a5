"""What every architecture must do."""

import math

import pytest
import torch

from seglab import metrics
from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.data.streets import Streets
from seglab.entry import FAMILIES
from seglab.loader import at_side, collated
from seglab.losses.pixel import CrossEntropy
from seglab.model import Segmenter

ARCHITECTURES = list(FAMILIES["architectures"].entries.values())
each = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: architecture.name)


def narrow(architecture):
    return architecture(width=4) if "width" in architecture.model_fields else architecture()


def small(architecture, num_classes=5, seed=0):
    torch.manual_seed(seed)
    return Segmenter(narrow(architecture), num_classes)


@each
def test_the_papers_network_has_its_published_number_of_parameters(architecture):
    with torch.device("meta"):
        network = architecture(**architecture.paper).build(21)
    assert sum(parameter.numel() for parameter in network.parameters()) == architecture.parameters


@each
@pytest.mark.parametrize(("size", "num_classes"), [((64, 64), 2), ((97, 131), 21)], ids=str)
def test_logits_come_at_the_size_of_the_images(architecture, size, num_classes):
    images = torch.rand(2, 3, *size)
    model = small(architecture, num_classes)
    outputs = model(images)
    assert all(value.shape[-2:] == size for value in outputs.extras.values() if value.dim() == 4)
    assert outputs.logits.shape == (2, num_classes, *size) and outputs.logits.dtype == torch.float32
    outputs.logits.square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


@each
def test_a_batch_of_one_can_be_trained_on(architecture):
    model = small(architecture).train()
    model(torch.rand(1, 3, 64, 64)).logits[:, 0].sum().backward()
    given = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(gradient.isfinite().all() for gradient in given) and any(gradient.any() for gradient in given)


def streets(architecture, count, side):
    """A batch of street scenes, with what the architecture's objective needs of them."""
    data = Streets(train_images=max(2, count), size=side).open()
    samples = [at_side(data.train[n], side) for n in range(count)]
    return collated(samples, list(range(count)), narrow(architecture).targets)


def objective(architecture, model, batch):
    terms = narrow(architecture).terms(model(batch.images), batch, CrossEntropy(), 0.5)
    return sum(term.weight * term.value for term in terms.values())


@each
def test_a_gradient_reaches_every_parameter(architecture):
    model = small(architecture, 11).train()
    objective(architecture, model, streets(architecture, 3, 96)).backward()
    without = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


@each
def test_a_network_learns_as_well_with_sixteen_bits(architecture):
    entry, batch = narrow(architecture), streets(architecture, 3, 96)
    losses: dict[bool, list[float]] = {}
    for mixed in (False, True):
        model = small(architecture, 11).train().to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
        losses[mixed] = []
        for step in range(12):
            torch.manual_seed(step)  # of dropout
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                outputs = model(batch.images)
            assert outputs.logits.dtype == torch.float32
            terms = entry.terms(outputs, batch, CrossEntropy(), 0.5)
            loss = sum(term.weight * term.value for term in terms.values())
            loss.backward()
            optimizer.step()
            losses[mixed].append(float(loss.detach()))
    assert losses[True][0] == pytest.approx(losses[False][0], rel=0.02) and losses[True][0] != losses[False][0]
    assert losses[True][-1] == pytest.approx(losses[False][-1], rel=0.05) and losses[True][-1] < losses[True][0]


@pytest.mark.slow
@each
def test_two_images_are_learned_by_heart(architecture):
    torch.manual_seed(0)
    entry, batch = architecture(), streets(architecture, 2, 128)
    model = Segmenter(entry, 11).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    # Logits on an eighth of the resolution cannot tell thin things apart: freely chosen ones reach 0.93 here.
    enough = 0.9 if architecture.name in ("fcn", "deeplab_v1", "deeplab_v2", "deeplab_v3") else 0.95
    first, loss, accuracy = math.inf, math.inf, 0.0
    for step in range(600):
        optimizer.zero_grad()
        outputs = model(batch.images)
        terms = entry.terms(outputs, batch, CrossEntropy(), step / 600)
        total = sum(term.weight * term.value for term in terms.values())
        total.backward()
        optimizer.step()
        loss = float(total.detach())
        first = loss if step == 0 else first
        if step % 10 == 9 and loss < first / 10:
            model.eval()  # with the running statistics, which a user's images meet
            with torch.no_grad():
                labels = model(batch.images).logits.argmax(1).to(torch.uint8).numpy()
            model.train()
            accuracy = metrics.pixel_accuracy(metrics.confusion(labels, batch.masks.to(torch.uint8).numpy(), 11))
            if accuracy > enough:
                break
    assert accuracy > enough, f"after 600 steps: loss {first} -> {loss}"


@each
@torch.no_grad()
def test_a_saved_network_gives_the_same_when_loaded(architecture):
    model = small(architecture).train()
    model(torch.rand(4, 3, 64, 64))  # moves the statistics of batch norm away from where they begin
    model.eval()
    copy = small(architecture, seed=1)
    copy.load_state_dict(model.state_dict())
    images = torch.rand(2, 3, 97, 131)
    assert torch.equal(copy.eval()(images).logits, model(images).logits)


@each
@torch.no_grad()
def test_two_evaluations_are_equal(architecture):
    model = small(architecture).eval()
    images = torch.rand(2, 3, 64, 96)
    assert torch.equal(model(images).logits, model(images).logits)


@each
@torch.no_grad()
def test_an_image_is_labelled_alike_alone_and_in_a_batch(architecture):
    model = small(architecture).eval()
    images = torch.rand(3, 3, 64, 96)
    together = model(images).logits
    alone = torch.cat([model(image[None]).logits for image in images])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


@each
def test_stages_run_from_shallow_to_deep(architecture):
    network = narrow(architecture).build(5)
    assert len(network.stages()) >= 3
    owned = {id(parameter) for stage in network.stages() for parameter in stage.parameters()}
    assert owned < {id(parameter) for parameter in network.parameters()}


def test_the_skips_are_all_that_sets_the_unet_apart_from_the_encoder_decoder():
    with torch.device("meta"):
        nets = [FAMILIES["architectures"].entries[name](width=64).build(21) for name in ("encoder_decoder", "unet")]
    plain, unet = ({name: p.shape for name, p in net.named_parameters()} for net in nets)
    assert plain.keys() == unet.keys()
    different = {name for name in plain if plain[name] != unet[name]}
    assert different == {f"decoder.{n}.0.weight" for n in range(4)}  # the convolutions that see the concatenated skip


def test_padding_to_a_multiple_of_32_is_cropped_away_again():
    class Position(torch.nn.Module):
        def forward(self, x):
            return torch.arange(x.shape[-1]).float().expand(x.shape[0], 2, *x.shape[-2:])

    model = small(FAMILIES["architectures"].entries["unet"], 2)
    model.net = Position()
    logits = model(torch.rand(1, 3, 70, 100)).logits
    assert logits.shape[-2:] == (70, 100)
    assert torch.equal(logits[0, 0, 0], torch.arange(100).float())
