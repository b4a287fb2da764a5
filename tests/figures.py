"""What the five documents that lessons are about report: every figure, with the sentence that it stands in."""

FIGURES = {
    "a": (
        "Plain encoder-decoder without skips: mean IoU 0.6320.",
        "U-Net: mean IoU 0.9404.",
        "U-Net with a VGG16 encoder: mean IoU 0.5761.",
        "U-Net with VGG16 and step decay of the learning rate: mean IoU 0.4841.",
    ),
    "b": ("Label smoothing: the targets 0 and 1 become 0.025 and 0.9.",),
    "c": ("DeepLabV3, ResNet101 pretrained, 19 epochs, batch 8, lr 5e-5: mIoU 0.5623, rank 24 of 115.",),
    "d": (
        "DeepLabV3 with ResNet101 on VOC 2012, lr 4e-5: mIoU 75.32.",
        "The same with lr 1e-5: mIoU 75.97.",
        "The same with lr 9e-6: mIoU 76.12.",
        "At the best lr, plain: 76.12; with scheduler and weight decay 75.97; with dropout besides 76.12.",
        "Panoptic-DeepLab, weights of heatmap and offset (200, 0.01): best mIoU 0.58.",
        "(10, 0.01): best mIoU 0.57; (400, 0.01): 0.57.",
        "(200, 0.001): best mIoU 0.55; (200, 0.1): 0.56.",
        "CIFAR-100: mean accuracy of five runs 0.8667.",
        "Office-Home: mAP of the domain 0.924, of the class 0.921.",
    ),
    "e": (
        "V2, DeconvNet on VGG16-BN, Adam, constant lr, 512 px: 0.4702.",
        "V3, V2 with a gradual warm-up from 0 to the top lr, then decay: 0.3893.",
        "V5, V2 at 256 px, batch 32, 40 epochs: 0.4572.",
        "V5b, 256 px, batch 64, 100 epochs: 0.4811.",
        "V5b with a dense CRF after it: 0.5341, about +0.05.",
        "DeepLabV1 at 256 px: 0.4566.",
        "DeepLabV2, stopped early: 0.5527.",
    ),
    "spoiled": (),  # which has no document
}
