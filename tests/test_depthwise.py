"""Gradients of depthwise convolutions in bfloat16 are torch's, and so is everything else within `depthwise.Quick`."""

from contextlib import nullcontext

import pytest
import torch

from seglab import depthwise, model
from seglab.entry import validated
from seglab.families import RunConfig

SHAPES = [  # height, width, kernel, stride, padding, bias
    (16, 20, (5, 5), 1, 2, False),
    (17, 21, (5, 5), 2, 2, True),
    (16, 20, (3, 3), 2, 1, False),
    (16, 20, (7, 7), 1, 3, False),
    (16, 20, (1, 5), 1, (0, 2), False),
    (15, 20, (5, 3), (2, 1), 0, True),
    (16, 20, (4, 4), 2, 1, False),
    (19, 19, (6, 6), (3, 3), (2, 1), True),
    (3, 2, (5, 5), 1, 2, False),  # a kernel larger than the image
    (20, 20, (5, 5), 4, 0, False),  # the last pixels are in no window
]


def results(height, width, kernel, stride, padding, bias, dtype=None, batch=2):
    """A convolution and its gradients: in bfloat16 by autocast, or in `dtype` from inputs of bfloat16."""
    torch.manual_seed(0)
    made = [torch.randn(batch, 8, height, width), torch.randn(8, 1, *kernel), torch.randn(8)]
    x, weight, b = (each.bfloat16().to(dtype or torch.float32).requires_grad_() for each in made)
    given = [x, weight, b] if bias else [x, weight]
    with torch.autocast("cpu", enabled=dtype is None):
        y = torch.conv2d(x, weight, b if bias else None, stride, padding, 1, 8)
    grad = torch.randn(y.shape).bfloat16()
    return y, *torch.autograd.grad(y, given, grad.to(y.dtype))


def ours(y):
    return type(y.grad_fn).__name__ == "DepthwiseBackward"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_gradients_are_as_near_to_the_exact_ones_as_torchs(shape, batch):
    exact, torchs = results(*shape, torch.float64, batch), results(*shape, batch=batch)
    with depthwise.Quick():
        own = results(*shape, batch=batch)
    assert ours(own[0])
    for found, reference, truth in zip(own, torchs, exact, strict=True):
        assert found.shape == truth.shape and found.dtype == reference.dtype
        allowed = 1.5 * (reference.double() - truth).abs().max() + 1e-6
        assert (found.double() - truth).abs().max() <= allowed


@pytest.mark.parametrize(
    ("weight", "options"),
    [
        ((8, 1, 3, 3), {"groups": 8}),  # quick as it is
        ((8, 8, 5, 5), {}),
        ((8, 2, 5, 5), {"groups": 4}),
        ((16, 1, 5, 5), {"groups": 8}),
        ((8, 1, 5, 5), {"groups": 8, "dilation": 2}),
        ((8, 1, 5, 5), {"groups": 8, "padding": "same"}),
    ],
    ids=str,
)
def test_other_convolutions_are_torchs_own(weight, options):
    x, kernel = torch.randn(2, 8, 16, 16, requires_grad=True), torch.randn(weight, requires_grad=True)
    with torch.autocast("cpu"):
        expected = torch.conv2d(x, kernel, **options)
        with depthwise.Quick():
            found = torch.conv2d(x, kernel, **options)
    assert type(found.grad_fn) is type(expected.grad_fn) and torch.equal(found, expected)


def test_full_precision_and_scoring_are_torchs_own():
    x, kernel = torch.randn(2, 8, 16, 16), torch.randn(8, 1, 5, 5, requires_grad=True)
    with depthwise.Quick():
        assert not ours(torch.conv2d(x, kernel, groups=8))
        with torch.no_grad(), torch.autocast("cpu"):
            assert torch.conv2d(x, kernel, groups=8).grad_fn is None


def test_only_training_in_bfloat16_is_looked_at():
    assert isinstance(depthwise.quick(), nullcontext)
    with torch.autocast("cpu"):
        assert isinstance(depthwise.quick(), depthwise.Quick)
        with torch.no_grad():
            assert isinstance(depthwise.quick(), nullcontext)


def test_a_network_of_depthwise_convolutions_learns_by_them(monkeypatch):
    """All kernels that torch is slow for are ours, and their gradients are torch's."""
    settings = {"model": {"name": "panoptic_fpn", "encoder": "lite0"}}
    torch.manual_seed(0)
    network = model.Segmenter(validated(RunConfig, settings).model, 3).eval()  # batch norm of few pixels is all noise
    images, parameters = torch.rand(2, 3, 64, 64), list(network.parameters())
    convolutions = [each for each in network.modules() if isinstance(each, torch.nn.Conv2d) and each.groups > 1]
    slow = [each for each in convolutions if max(each.kernel_size) > 3 or max(each.stride) > 1]

    def gradients():
        with torch.autocast("cpu"):
            loss = network(images).logits.square().mean()
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        return torch.cat([each.flatten() for each in found if each is not None])

    computed, gradient = [], depthwise.weight_gradient
    monkeypatch.setattr(depthwise, "weight_gradient", lambda *given: computed.append(given) or gradient(*given))
    own = gradients()
    assert len(computed) == len(slow) > 5
    monkeypatch.setattr(depthwise, "Quick", nullcontext)
    torchs = gradients()
    assert len(computed) == len(slow) and (own - torchs).norm() < 0.01 * torchs.norm()
