"""Letters of any script in pictures, with and without fonts that have them."""

import io
import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from seglab import cli, draw, runs
from seglab.anatomy import anatomy
from seglab.anatomy.picture import structure_figure
from seglab.comparison.scores import compare
from seglab.families import Architecture
from tests.conftest import finish, tiny

KOREAN, JAPANESE, CHINESE = "한국어", "かな", "語"


@pytest.fixture(autouse=True)
def strict():
    """matplotlib's warning of a letter is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning, message="Glyph")
        yield


@pytest.fixture
def bare(monkeypatch):
    """A machine with no fonts but matplotlib's own."""
    own = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [])
    return own


def font(folder, name, text):
    """The file of a font whose letters are squares."""
    glyphs = {".notdef": TTGlyphPen(None).glyph()}
    for letter in text:
        pen = TTGlyphPen(None)
        for move, point in zip("mlll", ((100, 0), (100, 800), (900, 800), (900, 0)), strict=True):
            (pen.moveTo if move == "m" else pen.lineTo)(point)
        pen.closePath()
        glyphs[f"u{ord(letter):X}"] = pen.glyph()
    built = FontBuilder(1000, isTTF=True)
    built.setupGlyphOrder(list(glyphs))
    built.setupCharacterMap({ord(letter): f"u{ord(letter):X}" for letter in text})
    built.setupGlyf(glyphs)
    built.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 100)))
    built.setupHorizontalHeader(ascent=900, descent=-100)
    built.setupNameTable({"familyName": name, "styleName": "Regular"})
    built.setupOS2(usWeightClass=400)
    built.setupPost()
    built.save(folder / f"{name}.ttf")
    return str(folder / f"{name}.ttf")


def installed(folder, name, text):
    """matplotlib's note of such a font."""
    path = font(folder, name, text)
    return font_manager.FontEntry(fname=path, name=name, style="normal", variant="normal", weight=400)


def written(text):
    """A figure with a text, its bytes once saved, and what was told."""
    figure = Figure(figsize=(3, 1))
    figure.text(0.1, 0.5, text, fontsize=20)
    buffer = io.BytesIO()
    return figure.texts[0], buffer, draw.save(figure, buffer, format="png")


@pytest.mark.parametrize("text", ["plain", "café ×3 – 1/2", "Ünï", "αβγ", "Привет"])
def test_what_matplotlib_s_own_font_has_needs_no_other(text, monkeypatch):
    monkeypatch.setattr(draw, "fonts", lambda: pytest.fail("fonts were looked for"))
    _, _, told = written(text)
    assert told == []


@pytest.mark.parametrize("text", [KOREAN, JAPANESE, CHINESE, KOREAN + " mixed " + CHINESE])
def test_letters_that_no_font_has_are_told_in_one_sentence(bare, text):
    _, buffer, (told,) = written(text)
    letters = "".join(sorted(set(text) & set(KOREAN + JAPANESE + CHINESE)))
    assert str(told).startswith(f"no installed font has the letters {letters};") and "fonts-nanum" in str(told)
    assert buffer.getvalue().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", [KOREAN, f"run {KOREAN}", KOREAN + CHINESE])
def test_letters_come_from_the_fonts_that_have_them(bare, tmp_path, text):
    bare += [installed(tmp_path, "seglab-a", KOREAN), installed(tmp_path, "seglab-b", CHINESE)]
    _, without, _ = written("".join(letter if letter.isascii() else " " for letter in text))
    drawn, buffer, told = written(text)
    assert told == []
    assert drawn.get_fontfamily()[1:] == ["seglab-a", "seglab-b"][: 1 + (CHINESE in text)]
    assert buffer.getvalue() != without.getvalue()


def test_a_font_that_was_installed_just_now_is_found(bare, tmp_path, monkeypatch):
    path = font(tmp_path, "seglab-new", KOREAN)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [str(tmp_path / "broken.ttf"), path])
    drawn, _, told = written(KOREAN)
    assert told == [] and drawn.get_fontfamily()[1:] == ["seglab-new"]


def test_the_usual_fonts_come_before_others(bare, tmp_path):
    for name in ("aaa", "Noto Sans CJK KR", "NanumGothic", "Last Resort High-Efficiency"):
        bare.append(installed(tmp_path, name, KOREAN))
    names = [name for name, _ in draw.fonts()]
    assert names[:2] == ["NanumGothic", "Noto Sans CJK KR"] and "Last Resort High-Efficiency" not in names
    assert sorted(names[2:]) == ["DejaVu Sans", "aaa"]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.parametrize("known", [True, False])
def test_every_picture_of_the_command_line_draws_names_in_korean(bare, tmp_path, capsys, ending, known):
    if known:
        bare.append(installed(tmp_path, "seglab-k", KOREAN))
    finish(runs.create(tiny(epochs=1), KOREAN))
    finish(runs.create(tiny(epochs=1), f"{KOREAN} 2"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", KOREAN, f"{KOREAN} 2", "--png", str(tmp_path / f"x.{ending}")])
    told = capsys.readouterr().err
    assert ended.value.code == 0 and (tmp_path / f"x.{ending}").stat().st_size > 1000
    assert told.count("\n") == (not known) and ("fonts-nanum" in told) is not known
    figure = structure_figure(anatomy(Architecture.parse({"name": "unet", "width": 4}), side=64), KOREAN)
    assert bool(draw.save(figure, tmp_path / f"y.{ending}")) is not known


def test_a_sheet_shows_all_of_each_picture_within_bounds():
    def filled(height, width, value):
        return np.full((height, width, 3), value, np.uint8)

    pairs = [(filled(4, 4, 10), filled(4, 4, 20)), (filled(12, 6, 30), filled(12, 6, 40))]
    sheet = draw.contact_sheet(pairs, columns=1)
    assert sheet.shape == (2 * 12 + 4, 2 * 6, 3)
    assert {value: int((sheet[..., 0] == value).sum()) for value in (10, 20, 30, 40)} == {
        10: 16,
        20: 16,
        30: 72,
        40: 72,
    }
    large = draw.contact_sheet([(filled(10, 3000, 10), filled(10, 3000, 20))], columns=1)
    assert large.shape == (2, 2 * draw.CELL, 3) and (large[:, -1] == 20).all()


@pytest.mark.parametrize("metric", draw.CURVES)
def test_pictures_on_the_page_hold_no_letters_to_draw(metric, bare):
    """The page's own fonts draw names, beside the pictures."""
    svg = draw.curve_svg(compare([finish(runs.create(tiny(epochs=1), KOREAN))]), metric)
    assert KOREAN not in svg and svg.startswith("<svg")
