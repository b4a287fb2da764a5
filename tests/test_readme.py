"""The README says what is so, and is short."""

import numpy as np
import torch
import yaml
from PIL import Image

import seglab
from seglab.config import configured
from seglab.entry import FAMILIES, validated
from seglab.families import Loss
from tests.documents import PAGES, ROOT, blocks
from tests.test_losses import example

README = PAGES["README.md"]


def test_it_is_short():
    assert len(README.splitlines()) < 180


def test_it_shows_one_picture_of_less_than_300_kilobytes():
    assert README.count("![") == 1
    assert (ROOT / "docs/images/comparison.webp").stat().st_size < 300_000


def test_the_example_in_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)).save("photo.jpg")
    train, small = seglab.train, {"data": {"name": "streets", "train_images": 4, "val_images": 2, "size": 64}}
    monkeypatch.setattr(seglab, "train", lambda **options: train(**small, model__width=4, threads=1, **options), False)
    code = next(code for code in blocks(README, "python") if "import seglab\n" in code)
    known = {}
    exec(compile(code, "README.md", "exec"), known)
    run, found = known["run"], known["found"]
    assert run.state == "completed" and (run.config.loss.name, run.config.epochs) == ("focal", 3)
    assert found.labels.shape == (48, 64) and found.after is not None and found.overlay.size == (64, 48)
    printed = capsys.readouterr().out
    assert f"mIoU {run.scores.miou:.4f}" in printed and "mIoU 0.6708" in printed


def test_the_snippet_adds_a_loss():
    code = next(code for code in blocks(README, "python") if "class Robust" in code)
    try:
        exec(compile(code, "README.md", "exec"), {})
        robust = validated(Loss, {"name": "robust", "q": 1e-4})
        logits, masks = example()
        cross_entropy = validated(Loss, "cross_entropy")(logits, masks)
        torch.testing.assert_close(robust(logits, masks), cross_entropy, rtol=1e-2, atol=0)
        assert validated(Loss, "robust")(logits, masks) < cross_entropy
        assert validated(Loss, "robust")(logits, torch.full_like(masks, 255)).item() == 0
        assert configured({"loss": "dice + 0.5*robust"}).loss.parts[1].loss.q == 0.7
    finally:
        FAMILIES["losses"].entries.pop("robust", None)


def test_the_front_matter_names_the_installed_gradio():
    front = yaml.safe_load(README.split("---")[1])
    pins = (ROOT / "requirements.txt").read_text().splitlines()
    assert f"gradio=={front['sdk_version']}" in pins and (ROOT / front["app_file"]).exists()


def test_no_file_is_larger_than_a_space_takes():
    for path in (ROOT / "checkpoints").rglob("*"):
        assert not path.is_file() or path.stat().st_size < 10_000_000, path
