"""Runs seen through predictors: computed once, kept, and compared like any other side."""

import json
from pathlib import Path

import numpy as np
import pytest

from seglab import cli, prediction, runs
from seglab.comparison import compare, pairs, readings
from seglab.comparison.pairs import pair_of
from seglab.comparison.readings import Reading, Side, chained, read, sides, written
from seglab.comparison.search import Search
from seglab.data.images import labels_at
from seglab.errors import SeglabError
from seglab.metrics import confusion
from seglab.predictors import Crf, Flips
from seglab.ui.parts import lab
from tests.page import Event, Request, done

DATA = {"name": "streets", "train_images": 4, "val_images": 24, "size": 64}


@pytest.fixture
def run(runs_home):
    return done("one", data=DATA)


def computed(reading):
    return list(reading.compute())


def test_a_reading_has_the_labels_and_matrices_of_the_chain(run):
    reading = Reading(run, (Flips(), Crf(w1=5)))
    count = len(reading.evidence.names)
    assert not reading.ready and computed(reading) == [(n + 1, count) for n in range(count)]
    assert reading.ready and computed(reading) == []  # it is there
    trained, images = runs.load(run), runs.opened(run).val
    for n in (0, count - 1):
        found = prediction.predict(trained, images[n].image, reading.predictors).labels
        expected = labels_at(found, *images[n].mask.shape)
        assert np.array_equal(reading.labels(n), expected)
        assert np.array_equal(reading.confusions()[n], confusion(expected, images[n].mask, len(trained.classes)))
    assert reading.epochs == [] and Reading(run).epochs


def test_without_predictors_it_is_what_the_run_stored(run):
    reading, evidence = Reading(run), runs.Evidence(run)
    assert reading.ready and computed(reading) == []
    assert np.array_equal(reading.confusions(), evidence.confusions())
    assert np.array_equal(reading.labels(1), evidence.labels(1)) and reading.epochs == evidence.epochs()


def test_what_is_kept_is_told_apart_by_weights_images_and_chain_and_not_by_name(run):
    same = done("two", data=DATA)  # the same configuration and seed
    other = done("three", data=DATA, seed=5)
    chain = (Crf(),)
    assert Reading(run, chain).file == Reading(same, chain).file
    others = [Reading(other, chain), Reading(run, (Crf(w1=5),)), Reading(run, (Flips(),))]
    files = {each.file for each in [Reading(run, chain), *others]}
    assert len(files) == 4 and all(file.parent == runs.home() / readings.FOLDER for file in files)


def test_what_is_not_there_or_damaged_is_told(run):
    reading = Reading(run, (Flips(),))
    with pytest.raises(SeglabError, match="one has not been read through flips yet"):
        reading.confusions()
    computed(reading)
    reading.file.write_bytes(reading.file.read_bytes()[:100])
    with pytest.raises(SeglabError, match="cannot be read"):
        reading.labels(0)
    assert not reading.ready and computed(reading) and reading.ready


def test_the_readings_that_were_made_longest_ago_are_deleted(run, monkeypatch):
    monkeypatch.setattr(readings, "MOST_KEPT", 2)
    made = [Reading(run, (Crf(w1=each),)) for each in (1, 2, 4)]
    for each in made:
        computed(each)
    assert [each.ready for each in made] == [False, True, True]


def test_odd_settings_do_not_make_room_for_themselves_among_searches_and_usual_readings(run, monkeypatch):
    monkeypatch.setattr(readings, "MOST_KEPT", 1)
    usual, odd = Reading(run, (Crf(),)), [Reading(run, (Crf(w1=each),)) for each in (1, 2)]
    tried = Search(run)
    for each in (usual, odd[0]):
        computed(each)
    readings.keep(tried.file, done=np.array(1), matrices=np.zeros((1, 2, 2), np.int64))
    computed(odd[1])
    assert usual.ready and tried.kept()[0] == 1 and [each.ready for each in odd] == [False, True]
    assert readings.chains(run) == [(Crf(w1=2),), (Crf(),)]
    monkeypatch.setattr(readings, "MOST_LASTING", 1)
    readings.sweep(usual.file.parent)
    assert not usual.ready and tried.kept()[0] == 1 and odd[1].ready


def test_a_file_that_another_process_deletes_meanwhile_is_passed_over(run, monkeypatch):
    kept, gone = Reading(run, (Flips(),)), Reading(run, (Crf(w1=5),))
    for each in (kept, gone):
        computed(each)
    glob = Path.glob

    def deleting(folder, pattern):
        files = list(glob(folder, pattern))
        gone.file.unlink(missing_ok=True)
        return iter(files)

    monkeypatch.setattr(Path, "glob", deleting)
    assert readings.chains(run) == [(Flips(),)]
    computed(gone)  # which sweeps
    assert kept.ready and not gone.ready


def test_a_chain_is_named_by_what_is_not_usual():
    assert chained([Crf()]) == "crf" and chained([Flips(), Crf(w1=5)]) == "flips + crf (w1 5)"


def test_a_chain_is_written_and_read_again():
    for chain in ([Crf()], [Flips(vertical=True), Crf(w1=5, theta_beta=0.1 + 2.2)], [Crf(iterations=0)]):
        assert list(read(written(chain))) == chain
    assert written([Flips(), Crf(w1=5)]) == "flips|crf:w1:5" and read("crf:w1:5") == (Crf(w1=5),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no '' among the predictors"),
        ("nothing", "there is no 'nothing' among the predictors; allowed: crf, flips"),
        ("crf:w1:999", "w1: '999' is too large; allowed: 20.0 or less"),
        ("crf:w1:nan", "w1: 'nan' is not a finite number"),
        ("crf:w1:much", "w1: 'much' is not a number"),
        ("crf:w9:1", "crf has no option 'w9'; its options: w1"),
        ("crf:iterations:2.5", "iterations: '2.5' is not a whole number"),
        ("crf:" + "w1:1," * 100, "504 characters; allowed: 300"),
    ],
)
def test_a_chain_that_nobody_wrote_is_refused(text, words):
    with pytest.raises(SeglabError) as error:
        read(text)
    assert words in str(error.value)


def test_the_chains_that_a_run_was_read_through_are_known(run):
    other = done("two", data=DATA, seed=5)
    assert readings.chains(run) == []
    for chain in ((Crf(),), (Flips(), Crf(w1=5))):
        computed(Reading(run, chain))
    assert set(readings.chains(run)) == {(Crf(),), (Flips(), Crf(w1=5))} and readings.chains(other) == []
    Reading(run, (Crf(),)).file.write_bytes(b"damaged")
    assert readings.chains(run) == [(Flips(), Crf(w1=5))]


def test_one_run_before_and_after_is_a_pair_without_luck_of_training(run):
    pair = pair_of(compare([run]), [run], [Crf()])
    assert (pair.a.name, pair.b.name) == ("one", "one + crf")
    computed(pair.b.readings[0])
    assert pair.verdict.about == "predictors" and "same network before and after" in str(pair.verdict.sentences[1])
    assert pair.verdict.difference == pytest.approx(
        pair.definitions()[1]["set"] - pair.definitions()[0]["set"], abs=1e-12
    )
    assert pair_of(compare([run]), [run]) is None
    other = done("two", data=DATA, seed=5)
    both = pair_of(compare([run, other]), [run, other], [Crf()])
    assert [side.name.endswith(" + crf") for side in (both.a, both.b)] == [True, True]


def test_two_settings_of_one_run_are_not_called_before_and_after(run):
    one, two = Reading(run, (Crf(),)), Reading(run, (Crf(w1=5),))
    for each in (one, two):
        computed(each)
    plain, first, second = (Side(name, (each,)) for name, each in (("one", Reading(run)), ("two", one), ("three", two)))
    said = [str(pairs.pair(*sides).verdict.sentences[1]) for sides in ((first, second), (first, plain))]
    assert "it is the same network, predicted in two ways" in said[0] and "before and after" in said[1]


def test_the_command_compares_before_and_after(run, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", "one", "--predictors", "flips", "--json"])
    assert not ended.value.code
    found = json.loads(capsys.readouterr().out)["pair"]
    assert [each["name"] for each in found["sides"]] == ["one", "one + flips"]
    assert found["verdict"]["about"] == "predictors"


def heard(data=None, **given):
    """What a page is told, one thing after the other."""
    return [json.loads(each) for each in lab.compute(Event(data, **given), Request())]


def test_a_page_computes_what_is_missing_and_tells_how_far_it_is(run):
    found = lab.overview([run], "one", "one|crf", "en")
    assert [side["run"] for side in found["sides"]] == ["one", "one|crf"]
    assert found["missing"]["run"] == "one|crf" and "verdict" not in found
    told = heard(side="one|crf", runs=["one"])
    assert [each["kind"] for each in told] == ["computing"] * (len(told) - 1) + ["computed"]
    shares = [each["share"] for each in told[:-1]]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert {each["side"] for each in told} == {"one|crf"}
    found = lab.overview([run], "one", "one|crf", "ko")
    assert "같은 네트워크" in " ".join(found["verdict"]["sentences"]) and found["epochs"][1] == []
    assert [each["kind"] for each in heard(side="one|crf", runs=["one"])] == ["computing", "computed"]
    for nonsense in (3, [], {"side": 3}, {"runs": "one"}, {"runs": ["nowhere"], "side": "x"}):
        assert [each["kind"] for each in heard(nonsense)] == ["computed"]


def test_sides_through_predictors_keep_their_seeds(run):
    other = done("two", data=DATA, seed=5)
    third = done("three", data=DATA, seed=5, epochs=2)
    directories = [run, other, third]
    (first, *_) = sides(compare(directories), directories)
    assert first.through([Crf()]).seeds == first.seeds and first.through(()) is first


def test_the_same_run_twice_is_no_second_seed(run):
    model = {"name": "encoder_decoder", "width": 4, "depth": 2}
    same, other = done("two", data=DATA), done("three", data=DATA, model=model)
    directories = [run, same, other]
    found = sides(compare(directories), directories)
    assert [len(side.readings) for side in found] == [1, 1] and found[0].readings[0].directory == run


def test_predictors_for_more_than_two_sides_are_refused(run, capsys):
    for seed in (5, 6):
        done(f"epochs {seed}", data=DATA, epochs=seed)
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", "one", "epochs 5", "epochs 6", "--crf"])
    assert ended.value.code == 2 and "one side" in capsys.readouterr().err


def test_a_run_without_its_pictures_still_gets_a_verdict(run, capsys):
    other = done("two", data=DATA, seed=5)
    for file in (other / "predictions").glob("*.png"):
        file.unlink()
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["compare", "one", "two", *more])
        assert not ended.value.code
        told = capsys.readouterr()
        assert "verdict" in told.out
    assert json.loads(told.out)["pair"]["agreement"] is None and json.loads(told.out)["pair"]["per_class"]
