"""A U-Net on CamVid with seglab: trained, scored, drawn, and asked for one photograph."""

import seglab

run = seglab.train(
    data="camvid", model="smp", model__decoder="unet", model__encoder="resnet18", model__width=16,
    loss="cross_entropy", techniques="flip", image_size=128, epochs=2, optimizer__lr=1e-3,
)  # fmt: skip
print(run.scores)
run.curves().savefig("curves.png")
photo = seglab.dataset("camvid").val[0].image
run.predict(photo, crf=True).overlay.save("overlay.png")
