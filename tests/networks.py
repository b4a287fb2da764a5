"""Small models of transformers with random weights, as others save them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seglab.torchvision_guard import torchvision

torchvision()
THEIRS = ("road", "sidewalk", "building", "sky", "tree", "car", "cabinet")


def named():
    return {"id2label": dict(enumerate(THEIRS)), "label2id": {name: n for n, name in enumerate(THEIRS)}}


def segformer():
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    config = SegformerConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=16, **named()
    )
    return SegformerForSemanticSegmentation(config), SegformerImageProcessor(size={"height": 64, "width": 64})


def beit():
    from transformers import BeitConfig, BeitForSemanticSegmentation, BeitImageProcessor

    config = BeitConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        out_indices=[1, 2, 3, 4], use_relative_position_bias=True, pool_scales=[1, 2], **named(),
    )  # fmt: skip
    half = [0.5, 0.5, 0.5]
    return BeitForSemanticSegmentation(config), BeitImageProcessor(
        size={"height": 64, "width": 64}, do_center_crop=False, do_reduce_labels=True, image_mean=half, image_std=half
    )


def upernet():
    from transformers import ConvNextConfig, SegformerImageProcessor, UperNetConfig, UperNetForSemanticSegmentation

    backbone = ConvNextConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = UperNetConfig(backbone_config=backbone, hidden_size=16, auxiliary_channels=8, **named())
    return UperNetForSemanticSegmentation(config), SegformerImageProcessor(size={"height": 64, "width": 64})


def queries(kind):
    import transformers

    swin = transformers.SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=2, image_size=64,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    if kind == "mask2former":
        config = transformers.Mask2FormerConfig(
            backbone_config=swin, hidden_dim=32, feature_size=32, mask_feature_size=32, encoder_layers=1,
            decoder_layers=2, num_attention_heads=2, num_queries=9, dim_feedforward=16, encoder_feedforward_dim=16,
            **named(),
        )  # fmt: skip
        made = transformers.Mask2FormerForUniversalSegmentation(config)
        return made, transformers.Mask2FormerImageProcessor(size={"height": 64, "width": 64}, size_divisor=32)
    decoder = transformers.DetrConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=9,
    )  # fmt: skip
    config = transformers.MaskFormerConfig(
        backbone_config=swin, decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32, **named()
    )
    made = transformers.MaskFormerForInstanceSegmentation(config)
    return made, transformers.MaskFormerImageProcessor(size={"height": 64, "width": 64}, size_divisor=32)


def mobilevit():
    from transformers import MobileViTConfig, MobileViTForSemanticSegmentation, MobileViTImageProcessor

    config = MobileViTConfig(
        image_size=64, hidden_sizes=[16] * 3, neck_hidden_sizes=[8, 8, 16, 16, 16, 16, 32], num_attention_heads=2,
        aspp_out_channels=16, **named(),
    )  # fmt: skip
    return MobileViTForSemanticSegmentation(config), MobileViTImageProcessor(do_center_crop=False)


def dpt():
    from transformers import DPTConfig, DPTForSemanticSegmentation, DPTImageProcessor

    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8] * 4, fusion_hidden_size=8, **named(),
    )  # fmt: skip
    return DPTForSemanticSegmentation(config), DPTImageProcessor(size={"height": 64, "width": 64})


Made = tuple[Any, Any]
KINDS: dict[str, Callable[[], Made]] = {
    "segformer": segformer,
    "mobilevit": mobilevit,
    "dpt": dpt,
    "beit": beit,
    "upernet": upernet,
    "mask2former": lambda: queries("mask2former"),
    "maskformer": lambda: queries("maskformer"),
}


def save(kind: str, folder: Path) -> Path:
    """Saves a model of a kind with its processor; its weights are such that it says different things of pixels."""
    torch.manual_seed(1)
    model, processor = KINDS[kind]()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=1.0 if kind == "mobilevit" else 0.15)
    if kind == "mobilevit":  # whose norms leave little of what comes through
        nn.init.normal_(model.segmentation_head.classifier.convolution.weight, std=1e5)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
