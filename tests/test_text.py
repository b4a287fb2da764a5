"""Every text that a person can meet on the page exists in every language that seglab ships."""

import ast
import re
from pathlib import Path

import polib
import pytest

import seglab
from seglab.entry import FAMILIES, REASONS
from seglab.errors import SeglabError
from seglab.families import Loss
from seglab.ui import build, strings, text, views

SOURCES = sorted(Path(seglab.__file__).parent.rglob("*.py"))
CATALOGUES = sorted(text.FOLDER.glob("*.po"))
NEEDED = strings.strings()


def spoken(path):
    """What a language translates, by English text and context."""
    return text.catalogues(path.parent)[path.stem].texts


def test_every_text_has_its_translation():
    missing = [
        f"{path.name}: {places[0]}: {context or ''} {english!r}"
        for path in CATALOGUES
        for (english, context), places in NEEDED.items()
        if (english, context) not in spoken(path)
    ]
    assert not missing, "\n".join(["no translation of", *missing])


def test_what_is_korean_is_written_in_korean():
    (korean,) = [path for path in CATALOGUES if path.stem == "ko"]
    latin = [
        f"{english!r}: {translated!r}"
        for (english, _), translated in spoken(korean).items()
        if not re.search("[가-힣]", translated) and re.search("[a-z]{4}", re.sub(r"{\w+}", "", english))
    ]
    assert not latin, "\n".join(latin)


def test_a_translation_has_the_placeholders_of_its_english():
    other = [
        f"{path.name}: {english!r}: {translated!r}"
        for path in CATALOGUES
        for (english, _), translated in spoken(path).items()
        if strings.placeholders(translated) != strings.placeholders(english)
    ]
    assert not other, "\n".join(other)


def test_no_translation_is_left_over_or_in_doubt_or_given_twice():
    for path in CATALOGUES:
        entries = list(polib.pofile(path))
        known = [(entry.msgid, entry.msgctxt) for entry in entries]
        assert [key for key in known if key not in NEEDED] == []
        assert len(known) == len(set(known)) and not any(entry.fuzzy or entry.obsolete for entry in entries)


def test_the_template_holds_every_text_once_and_says_where_it_is_needed():
    template = polib.pofile(strings.template())
    held = {(entry.msgid, entry.msgctxt): [place for place, _ in entry.occurrences] for entry in template}
    assert held == NEEDED and len(template) == len(held)
    assert held["smoothing (smooth)", "option"][0] == "losses.dice.smooth"
    assert held["Start", None] == ["ui/templates/form.html", "ui/js/form.js"] and not any(
        entry.msgstr for entry in template
    )
    assert {"X-Language-Name", "Content-Type"} <= set(template.metadata)


def test_the_entries_of_a_plug_in_are_no_business_of_the_shipped_languages(monkeypatch):
    foreign = type("Foreign", (Loss,), {"__module__": "elsewhere.losses", "__doc__": "A loss from elsewhere."})
    monkeypatch.setitem(FAMILIES["losses"].entries, "foreign", foreign)
    assert strings.strings() == NEEDED


@pytest.fixture
def french(tmp_path, monkeypatch):
    """A third language, which translates little: two senses of one word, a label and an error."""
    (tmp_path / "fr.po").write_text(
        'msgid ""\nmsgstr ""\n"X-Language-Name: Français\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        'msgid "rate"\nmsgstr "taux"\n\nmsgctxt "option"\nmsgid "rate"\nmsgstr "dilatation"\n\n'
        'msgid "Train"\nmsgstr "Entraîner"\n\n'
        'msgid "Start"\nmsgstr "Lancer"\n\n#, fuzzy\nmsgid "Stop"\nmsgstr "?"\n\nmsgid "Resume"\nmsgstr ""\n\n'
        'msgid "there is no run {run}"\nmsgstr "pas d\'entraînement {run}"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(text, "FOLDER", tmp_path)


def test_a_language_is_a_file_and_no_code(french):
    assert text.languages() == {"en": "English", "fr": "Français"}
    build()
    assert 'lang="fr" data-language="fr">Français<' in views.render("header.html", "en", languages=text.languages())
    given = text.browser_texts().translations
    assert given.keys() == {"en", "fr"} and given["en"].keys() == given["fr"].keys()
    assert (given["fr"]["Train"], given["fr"]["Predict"]) == ("Entraîner", "Predict")  # in English where there is none
    assert text.language(Request({"lang": "fr"}, "ko")) == text.language(Request({}, "fr-CA,en")) == "fr"
    assert text.language(Request({"lang": "ko"}, "fr")) == "en"


def test_what_has_no_translation_is_said_in_english(french):
    assert [text.say(word, "fr") for word in ("Start", "Stop", "Resume", "Nobody")] == [
        "Lancer", "Stop", "Resume", "Nobody"]  # fmt: skip
    assert text.say("epoch {done} of {all}", "fr", done=1, all=2) == "epoch 1 of 2"
    assert text.say("Start", "xx") == "Start"
    assert text.told(SeglabError("there is no run {run}", run="a"), "fr") == "Pas d'entraînement a"
    assert text.told(SeglabError("{file}: the file is empty", file="a"), "fr") == "a: the file is empty"


def test_a_word_of_two_senses_is_told_apart_by_its_context(french, monkeypatch):
    assert (text.say("rate", "fr"), text.say("rate", "fr", context="option")) == ("taux", "dilatation")
    assert text.say("rate", "fr", context="interest") == text.say("rate", "en", context="option") == "rate"
    monkeypatch.setattr(text, "_labels", set())
    one, other = text.label("rate"), text.label("rate", context="option")
    given = text.browser_texts().translations
    assert one.key != other.key and [given["fr"][each.key] for each in (one, other)] == ["Taux", "Dilatation"]
    assert [given["en"][each.key] for each in (one, other)] == ["Rate", "Rate"]


def test_the_browser_is_given_no_words_for_the_name_of_an_entry():
    build()
    names = {name for family in FAMILIES.values() for name in family.entries}
    given = text.browser_texts().translations
    assert given["en"].keys() == given["ko"].keys() >= {"Predict", "Compare", "Upload a photo"}
    options = {english for english, context in NEEDED if context == "option"}
    assert names.isdisjoint(given["ko"]) and names & options


def test_labels_hold_no_braces_which_the_browser_could_not_read():
    for path in SOURCES:
        if "ui" in path.parts:
            for value, _ in strings.calls(ast.parse(path.read_text()), ["label"]):
                assert "{" not in value and "}" not in value
    for family in FAMILIES.values():
        for entry in family.entries.values():
            for value in (entry.summary(), *(field.description for field in entry.model_fields.values())):
                assert "{" not in value and "}" not in value


def test_an_error_is_told_in_the_language_of_the_page():
    error = SeglabError(REASONS["greater_than_equal"], thing="model.width", value="1", ge=4)
    assert "4 or more" in text.told(error, "en")
    korean = text.told(error, "ko")
    assert re.search("[가-힣]", korean) and "model.width" in korean and "4" in korean and "{" not in korean


def test_no_page_tells_where_the_machine_keeps_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_DATA", f"{tmp_path}/data/")
    for data in ("camvid", "voc2012", "folder", "coco", "kitti_road"):
        with pytest.raises(SeglabError) as caught:
            FAMILIES["datasets"].entries[data]().open()
        assert str(tmp_path) in str(caught.value)  # on the command line
        for lang in text.languages():
            assert text.told(caught.value, lang).startswith(f"$SEGLAB_DATA/{data}: ")
    template = "{file} cannot be read: {reason}"
    reason = FileNotFoundError(2, "No such file", f"{tmp_path}/runs/a/weights")  # SEGLAB_HOME is tmp_path / "runs"
    told = text.told(SeglabError(template, file=f"{tmp_path}/data-2/x", reason=reason), "en")
    assert told == "…/x cannot be read: [Errno 2] No such file: '$SEGLAB_HOME/a/weights'"
    monkeypatch.setenv("SEGLAB_DATA", "/")
    assert text.told(SeglabError(template, file="a/b", reason="3/4"), "en") == "a/b cannot be read: 3/4"


class Request:
    def __init__(self, query, accept):
        self.query_params, self.headers = query, {"accept-language": accept}


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        ({}, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ({}, "en-US,ko;q=0.9", "en"),
        ({}, "fr", "en"),
        ({"lang": "en"}, "ko-KR", "en"),
        ({"lang": "ko"}, "en-US", "ko"),
        ({"lang": "<b>"}, "ko", "en"),
        ({"lang": "KO"}, "en-US", "ko"),
        ({}, "kok-IN", "en"),  # Konkani
        ({}, "", "en"),
    ],
)
def test_the_language_is_the_visitors_choice_or_the_browsers(query, accept, expected):
    assert text.language(Request(query, accept)) == expected
