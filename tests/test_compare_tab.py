"""A run's model as a file, on the Compare tab."""

import pytest

from seglab import export, runs
from seglab.errors import SeglabError
from seglab.ui.parts import onnx
from tests.conftest import tiny
from tests.page import Event, Request, done


@pytest.fixture(autouse=True)
def served(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    onnx.FILES.clear()


def test_a_pressed_button_gives_the_file_once_made_to_everybody(monkeypatch):
    directory, asked = done("mine"), []

    def apart(run, out):
        asked.append(run)
        out.write_bytes(bytes(2_345_678))
        return export.OnnxFile(out, (48, 64), "val_0002", 3072, 3071, 1e-6)

    monkeypatch.setattr(export, "exported_apart", apart)
    (waiting, hidden, not_yet), (message, button, over) = onnx.onnx(Event(run="mine"), Request())
    assert "Making mine.onnx" in waiting and hidden.visible is False and (not_yet, over) == ("", "true")
    assert "64 pixels wide and 48 high" in message and "3,071 of 3,072 pixels" in message
    assert button.visible and button.label == "Download mine.onnx (2.3 MB)"
    *_, (_, second, _) = onnx.onnx(Event(run="mine"), Request())
    assert second.value == button.value and asked == [directory]
    onnx.FILES[directory, runs.weights_version(directory)].file.unlink()  # as the broom does
    *_, (_, third, _) = onnx.onnx(Event(run="mine"), Request())
    assert third.visible and len(asked) == 2


@pytest.mark.parametrize("name", ["../mine", "nothing", None, 3, ["mine"], {}, ""])
def test_no_file_is_made_of_what_only_the_page_made_up(name):
    done("mine")
    ((message, button, over),) = onnx.onnx(Event(run=name), Request())
    assert "There is no run" in message and button.visible is False and over == "true"


def test_no_file_is_made_of_a_run_without_weights():
    runs.create(tiny(), "waiting")
    *_, (message, button, over) = onnx.onnx(Event(run="waiting"), Request())
    assert "has not started yet" in message and button.visible is False and over == "true"


def test_why_a_file_cannot_be_made_is_told_in_korean(monkeypatch):
    done("mine")

    def apart(run, out):
        raise SeglabError("the ONNX file of {run} was not ready in {seconds} s", run=run.name, seconds="180")

    monkeypatch.setattr(export, "exported_apart", apart)
    *_, (message, button, over) = onnx.onnx(Event(run="mine"), Request("ko"))
    assert "mine의 ONNX 파일을 180초 안에 만들지 못했습니다." in message and button.visible is False
    assert over == "true"  # the button can be pressed again
