"""The losses, one file per kind; `seglab.config` finds them.

The convention, for all of them. A loss takes logits and softmaxes them itself. Void pixels are out of every sum. A loss
of pixels is a sum over the labeled pixels of the whole batch divided by their number (cross_entropy with weights: by
the sum of their weights). A loss of regions sums over the whole batch for each class, and averages over the classes in
the batch's truth: absent ones are left out, not scored. A batch that is all void costs zero, with a graph.

Others differ, and a number is only comparable under one convention:

- torch's cross_entropy is the same, but gives NaN for an all-void batch.
- segmentation_models_pytorch: Dice, Jaccard and Tversky sum over the batch, but count absent classes as 0 and divide by
  all classes. Its Dice scores (I + s) / (I + FP/2 + FN/2 + s), so that its smooth=1 is smooth=2 here. FocalLoss in
  multiclass mode is a sigmoid of each class against the rest; its softmax form is softmax_focal_loss_with_logits.
  SoftCrossEntropyLoss divides by all pixels, void too. TverskyLoss raises the mean over classes to gamma, not each
  class. LovaszLoss(per_image=False) is the same, but fails on an all-void batch.
- MONAI: without batch=True Dice is computed for each image and class, and absent classes cost about 1; with it, the
  mean still is over all classes. FocalLoss(use_softmax=True) divides by the number of classes too, unless it has an
  ignore_index. Its scalar alpha weighs class 0 by 1 - alpha and all others by alpha. GeneralizedDiceLoss gives absent
  classes the largest weight of the others.
- torchvision has sigmoid_focal_loss alone.
- pytorch-msssim is the same at five scales, and refuses sides up to 160 pixels; torchmetrics pads by reflection.
- kornia: dice_loss pools the classes of each image, or averages those present in it; focal_loss divides by the number
  of classes, and by all pixels, void too; lovasz_softmax_loss scores absent classes, image by image, and knows no void.
- The authors' code: U-Net 3+'s IoU pools all channels of an image and is NaN for an empty one; its MS-SSIM multiplies
  the coarsest scale in at every scale. Boundary loss and Lovász-Softmax are the same here, apart from void.
"""
