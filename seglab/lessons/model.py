"""The format of a lesson: declarative, in several languages, without code and without the answers to its questions.

A lesson is a YAML file, or the same as JSON in a link. It names settings of runs in groups, the claims of a document,
and steps: what to read, questions, views of the laboratory, what the document reports, a run to start, a sheet to take
away. A question's answer is a measure (`measures.py`), and a file is refused unless every outcome has words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, model_validator

from seglab import config as grammar
from seglab.config import RunConfig
from seglab.entry import Options
from seglab.errors import SeglabError
from seglab.families import Predictor
from seglab.lessons.measures import NONE, AnyMeasure, FromSource, Key, Noise, Score
from seglab.lessons.text import Text, wrong

OTHERWISE = "otherwise"
NUMBERED = ("number", "text")  # answers that have no options
MOST_QUESTIONS = 12
Value = str | int | float | bool | None
Minutes = Annotated[int, Field(ge=0, le=180)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(max_length=32)]
Several = Annotated[tuple[Key, ...], Field(min_length=1, max_length=16)]


# --- runs


def unseeded(given: dict[str, Value]) -> dict[str, Value]:
    """Options of a run, without those that each run of a lesson has of its own."""
    for key, instead in (("seed", "seeds"), ("init_from", "begins_with")):
        if key in given:
            raise wrong("{key} cannot be set in a lesson; use {instead}", key=key, instead=instead)
    return given


Given = Annotated[dict[str, Value], AfterValidator(unseeded)]  # options of a run, as on the command line


class Setting(Options):
    """One row of a group: options as on the command line that differ from the group's base, and its runs' seeds.

    `begins_with`: the setting whose run of the same seed gives the weights that it begins with. `of`: it has no runs of
    its own but those of another setting, some seeds alone, or seen `through` predictors, or `reported` otherwise than
    they are: the mean over batches in the place of the set's score, or the best of several seeds. `run`: one that comes
    with seglab.
    """

    title: Text
    set: Given = {}
    seeds: Seeds | None = None
    begins_with: Key | None = None
    of: Key | None = None
    through: Annotated[tuple[Predictor, ...], Field(max_length=4)] = ()
    reported: Literal["as_is", "batches", "best"] = "as_is"
    run: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Setting:
        otherwise = bool(self.through or self.reported != "as_is")
        if bool(self.of) != otherwise and not (self.of and self.seeds):
            raise wrong("of goes with through, reported or seeds: the runs of another setting, seen otherwise")
        if (self.of or self.run) and (self.set or self.begins_with):
            raise wrong("a setting with of or run has no runs of its own, so nothing can be set in it")
        return self

    @property
    def trained(self) -> bool:
        """Whether it has runs of its own."""
        return not (self.of or self.run)


class Group(Options):
    """Settings that share a base. `table`: how they stand in rows and columns. `maps`: the seeds whose masks come with
    the lesson. `quick`: what the button of the page trains first."""

    title: Text
    base: Given = {}
    settings: Annotated[dict[Key, Setting], Field(min_length=1, max_length=24)]
    table: Annotated[tuple[Several, ...], Field(max_length=8)] = ()
    seeds: Annotated[Seeds, Field(min_length=1)] = (0, 1, 2)
    maps: Seeds = (0,)
    quick: Annotated[tuple[Key, ...], Field(max_length=4)] = ()


# --- what a document says


class Reason(Options):
    """Why what a document reports and what was measured here may differ: one of seglab's own reasons with its values,
    or words of the lesson's own."""

    reason: Literal[
        "data", "size", "width", "steps", "start", "one_run", "two_changes", "other_miou", "leaderboard", "not_said",
        "own",
    ]  # fmt: skip
    here: Text | None = None
    there: Text | None = None
    what: Text | None = None
    text: Text | None = None
    of: Key | None = None
    definition: Literal["images", "present", "batches", "absent_as_one", "absent_as_zero"] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Reason:
        needed = {
            "data": ("there",), "size": ("here", "there"), "width": ("here", "there"), "steps": ("here", "there"),
            "other_miou": ("of", "definition"), "not_said": ("what", "here"), "own": ("text",),
        }.get(self.reason, ())  # fmt: skip
        for name in needed:
            if getattr(self, name) is None:
                raise wrong("the reason {reason} needs: {needed}", reason=self.reason, needed=", ".join(needed))
        return self


class Claim(Options):
    """What a document says: `figures` by setting, and the `pairs` of which the first is said to score lower than the
    second; `percent`: the figures are percents of the scores here."""

    where: Text
    quote: Text
    measured: Text
    figures: Annotated[dict[Key, float], Field(max_length=16)] = {}
    percent: bool = False
    pairs: Annotated[tuple[tuple[Key, Key], ...], Field(max_length=16)] = ()
    by: Score = "miou"
    differs: Annotated[tuple[Reason, ...], Field(max_length=10)] = ()


# --- views of the laboratory


class View(Options):
    """A view of the laboratory, and what it is opened at. `a` and `b` are its sides, `of` its settings."""

    view: Literal["overview", "where", "real", "why", "curves", "grid", "crf", "scatter", "folds"]
    a: Key | None = None
    b: Key | None = None
    of: Several = ()
    group: Key | None = None
    image: Annotated[int, Field(ge=0)] | Literal["lesson"] = "lesson"
    mode: Literal["photo", "truth", "a", "b", "who", "errors"] = "who"
    at: Literal["classes", "borders", "confusion", "slices"] = "classes"
    without: Annotated[tuple[str, ...], Field(max_length=32)] = ()
    x: Literal["epochs", "steps", "seconds"] = "epochs"
    scores: Annotated[tuple[str, ...], Field(max_length=6)] = ("val_loss", "val_miou")
    by: Score = "miou"
    measure: AnyMeasure | None = None

    @model_validator(mode="after")
    def _sides(self) -> View:
        if self.view in ("where", "real", "why") and not (self.a and self.b):
            raise wrong("the view {view} needs {needed}", view=self.view, needed="a, b")
        if self.view in ("overview", "curves") and not self.of:
            raise wrong("the view {view} needs {needed}", view=self.view, needed="of")
        if self.view in ("grid", "folds") and not self.group:
            raise wrong("the view {view} needs {needed}", view=self.view, needed="group")
        if self.view == "scatter" and getattr(self.measure, "kind", None) != "trend":
            raise wrong("the view {view} needs {needed}", view="scatter", needed="measure: {kind: trend}")
        if self.view == "crf" and not self.a:
            raise wrong("the view {view} needs {needed}", view="crf", needed="a")
        return self

    @property
    def settings(self) -> tuple[str, ...]:
        of_measure = self.measure.settings if self.measure else ()
        return (*filter(None, (self.a, self.b)), *self.of, *of_measure)


# --- steps


class Step(Options):
    """What every step has: minutes, a title of its own, and notes that only a teacher sees."""

    title: Text | None = None
    minutes: Minutes = 0
    notes: Text | None = None


class Read(Step):
    """A paragraph."""

    kind: Literal["read"]
    text: Text


class Option(Options):
    """One answer that can be given; `why` says what makes it tempting, once the question is answered."""

    key: Annotated[str, Field(min_length=1, max_length=40)]
    text: Text
    why: Text | None = None


class Ask(Step):
    """A question. Before the evidence it is a prediction, which is never wrong; after it a check.

    `measure` answers it; without one it is an open question, kept in the sheet alone. `other`: there may be outcomes
    that are none of the options. `tell`: what is said of each outcome, or `otherwise`.
    """

    kind: Literal["ask"]
    id: Key
    when: Literal["before", "after"]
    text: Text
    answer: Literal["choice", "several", "number", "text"] = "choice"
    options: Annotated[tuple[Option, ...], Field(max_length=12)] = ()
    unit: Text | None = None
    measure: AnyMeasure | None = None
    sure: bool = False
    other: bool = False
    tell: dict[str, Text] = {}

    @model_validator(mode="after")
    def _whole(self) -> Ask:
        keys = [option.key for option in self.options]
        if self.answer in NUMBERED and keys:
            raise wrong("the answer is a {answer}, so there are no options", answer=self.answer)
        if self.answer not in NUMBERED and len(keys) < 2:
            raise wrong("a choice has two options or more")
        if len(set(keys)) < len(keys):
            raise wrong("two options have the same key")
        if self.measure is None:
            if self.tell or self.answer != "text":
                raise wrong("a question without a measure is an open one: its answer is text, and nothing is told")
            return self
        self._answered(keys)
        self._worded()
        return self

    def _answered(self, keys: list[str]) -> None:
        """Whether every outcome is an option."""
        assert self.measure is not None
        kind, outcomes = self.measure.kind, self.measure.outcomes
        if kind in ("best", "shape", "spoiled") and NONE in self.measure.settings:
            raise wrong("a setting that is called {key} cannot be told from the outcome of that name", key=NONE)
        allowed = {"share": "number", "shape": "several", "tied": "several"}.get(kind, "choice")
        if self.answer != allowed and not (allowed == "several" and self.answer == "choice" and self.other):
            raise wrong(
                "the measure {kind} cannot be answered by {answer}; allowed: {allowed}",
                kind=kind,
                answer=self.answer,
                allowed=allowed,
            )
        if allowed == "several":
            outcomes = (*self.measure.settings, *([NONE] if kind == "shape" else []))
        if self.answer == "number" or isinstance(self.measure, FromSource):
            if isinstance(self.measure, FromSource) and self.measure.right not in keys:
                raise wrong(
                    "there is no option for the outcome {outcome}; give one, or say other: true",
                    outcome=self.measure.right,
                )
            return
        if outcomes is None:
            if not self.other:
                raise wrong("the measure {kind} may come out as what is no option: say other: true", kind=kind)
            return
        if unknown := [key for key in keys if key not in outcomes and key != "unknown"]:
            raise wrong(
                "{key} is no outcome of the measure; outcomes: {outcomes}", key=unknown[0], outcomes=", ".join(outcomes)
            )
        if not self.other and (left := [each for each in outcomes if each not in keys]):
            raise wrong("there is no option for the outcome {outcome}; give one, or say other: true", outcome=left[0])

    def _worded(self) -> None:
        """Whether every outcome has words."""
        assert self.measure is not None
        outcomes = self.measure.outcomes
        if OTHERWISE in self.tell:
            left = []
        elif outcomes is None:
            left = [OTHERWISE]
        else:
            left = [each for each in outcomes if each not in self.tell]
        if left:
            raise wrong("tell has no text for the outcome {outcome}, and none for otherwise", outcome=left[0])
        if outcomes and (unknown := [key for key in self.tell if key not in (*outcomes, OTHERWISE)]):
            raise wrong(
                "{key} is no outcome of the measure; outcomes: {outcomes}", key=unknown[0], outcomes=", ".join(outcomes)
            )


class Show(Step):
    """A view of the laboratory; `after`: the question whose outcome is told with it."""

    kind: Literal["show"]
    view: View
    caption: Text | None = None
    after: Annotated[tuple[Key, ...], Field(max_length=4)] = ()


class Inspect(Step):
    """The laboratory for some settings, each of one run: the student opens `most` of its views and writes down what
    they show. Which were opened is told with the outcome of the questions that follow."""

    kind: Literal["inspect"]
    text: Text
    of: Annotated[tuple[Key, ...], Field(min_length=2, max_length=8)]
    views: Annotated[tuple[Literal["curves", "where", "real", "why"], ...], Field(min_length=1, max_length=4)]
    most: Annotated[int, Field(ge=1, le=20)] = 5

    def view(self, name: str, a: str, b: str) -> View:
        """One of its views, `a` and `b` being the settings of one that has two sides; without a name, what the runs are
        reported to score. Raises SeglabError for others."""
        if not name:
            return View(view="overview", of=self.of)
        chosen = next((each for each in self.views if each == name), None)
        if chosen is None:
            raise not_among("view", name, self.views)
        if chosen == "curves":
            return View(view=chosen, of=self.of, scores=("val_loss", "train_loss", "val_miou"))
        if a not in self.of:
            raise not_among("a", a, self.of)
        if b not in self.of or a == b:
            raise not_among("b", b, [each for each in self.of if each != a])
        return View(view=chosen, a=a, b=b)


def not_among(option: str, given: str, allowed: Iterable[str]) -> SeglabError:
    return SeglabError(
        "{option}: {given} is not allowed; allowed: {allowed}",
        option=option, given=repr(given[:40]), allowed=", ".join(allowed),
    )  # fmt: skip


class Discuss(Step):
    """Two minutes with a neighbor, and a second vote on a question before."""

    kind: Literal["discuss"]
    text: Text
    again: Key | None = None


class CompareWithSource(Step):
    """A document's figures beside those measured here."""

    kind: Literal["compare_with_source"]
    claims: Several
    text: Text | None = None


class Run(Step):
    """The button that trains a group's quick settings with a seed that nobody has used yet."""

    kind: Literal["run"]
    group: Key
    text: Text | None = None


class Tell(Step):
    """An explanation, by what came of a question."""

    kind: Literal["tell"]
    of: Key
    text: Text | None = None


class Sheet(Step):
    """What the student takes away; `keep`: a sentence of one's own that it asks for."""

    kind: Literal["sheet"]
    keep: Text | None = None


AnyStep = Annotated[
    Read | Ask | Show | Inspect | Discuss | CompareWithSource | Run | Tell | Sheet, Field(discriminator="kind")
]


# --- the whole


class Lesson(Options):
    """A lesson as its file has it. Raises pydantic's ValidationError for what does not fit together."""

    lesson: Literal[1]
    name: Key
    title: Text
    goal: Text
    minutes: Annotated[int, Field(ge=1, le=180)] = 45
    source: Text
    license: Annotated[str, Field(max_length=200)] = ""
    picture: Annotated[int, Field(ge=0)] | Literal["differs_most"] = "differs_most"
    groups: Annotated[dict[Key, Group], Field(min_length=1, max_length=8)]
    claims: Annotated[dict[Key, Claim], Field(max_length=12)] = {}
    steps: Annotated[tuple[AnyStep, ...], Field(min_length=1, max_length=40)]
    _called: str = PrivateAttr("")

    @model_validator(mode="after")
    def _fits(self) -> Lesson:
        keys = [key for group in self.groups.values() for key in group.settings]
        for name, group in reversed(self.groups.items()):
            if twice := next((key for key in group.settings if keys.count(key) > 1), None):
                raise wrong(
                    "two settings are called {key}; a key stands for one in the whole lesson",
                    key=twice,
                    place=f"groups.{name}.settings",
                )
        for place, named in self.references():
            for key in named:
                if key not in keys:
                    raise unknown(place, "setting", key, keys)
        for name, group in self.groups.items():
            for key in (*group.quick, *itertools.chain(*group.table)):
                if key not in group.settings:
                    raise unknown(f"groups.{name}", "setting", key, group.settings)
            if still := next((key for key in group.quick if not group.settings[key].trained), None):
                raise wrong("{place}: {key} has no runs of its own to train", place=f"groups.{name}", key=still)
            if len({len(row) for row in group.table}) > 1:
                raise wrong("{place}: the rows of its table are not equally long", place=f"groups.{name}")
        self._chains_end()
        self._steps_fit()
        return self

    def _chains_end(self) -> None:
        """Whether what a setting begins with, or is a view of, has runs of its own, and no setting begins with
        itself."""
        known = self.settings
        for name, group in self.groups.items():
            for key, setting in group.settings.items():
                place, of = f"groups.{name}.settings.{key}", setting.of
                if of and known[of].of:
                    raise wrong(
                        "{place}: {key} has no runs of its own, so it cannot be seen through", place=place, key=of
                    )
                known_seeds = self.seeds(of) if of else ()
                if of and (left := [seed for seed in setting.seeds or () if seed not in known_seeds]):
                    raise wrong(
                        "{place}: {key} has no run of its own with the seed {seed}; its seeds: {known}",
                        place=place,
                        key=of,
                        seed=left[0],
                        known=", ".join(map(str, known_seeds)) or "-",
                    )
                chain = [key]
                while begun := known[chain[-1]].begins_with:
                    if begun in chain:
                        raise wrong("{place}: {key} begins with itself", place=place, key=begun)
                    if not known[begun].trained:
                        raise wrong("{place}: {key} has no runs of its own to begin with", place=place, key=begun)
                    chain.append(begun)

    def _steps_fit(self) -> None:
        asked: list[str] = []
        told: set[str] = set()
        for n, step in enumerate(self.steps):
            place = f"steps.{n}"
            if isinstance(step, Ask):
                if step.id in asked:
                    raise wrong("{place}: two questions are called {key}", place=place, key=step.id)
                asked.append(step.id)
                if isinstance(step.measure, Noise):
                    self._noise(place, step.measure)
                if isinstance(step.measure, FromSource):
                    self._known_claims(place, (step.measure.claim,))
            named = [step.of] if isinstance(step, Tell) else list(step.after) if isinstance(step, Show) else []
            if isinstance(step, Discuss) and step.again:
                named.append(step.again)
                if step.again in told:
                    raise wrong(
                        "{place}: what came of {key} is told before the second vote", place=place, key=step.again
                    )
            elif isinstance(step, Ask) and step.when == "after":
                told.add(step.id)  # at once
            else:
                told.update(named)
            for each in named:
                if each not in asked:
                    raise wrong("{place}: there is no question {key} before it", place=place, key=each)
            self._known_claims(place, step.claims if isinstance(step, CompareWithSource) else ())
            group = step.group if isinstance(step, Run) else step.view.group if isinstance(step, Show) else None
            if group is not None and group not in self.groups:
                raise unknown(place, "group", group, self.groups)
            if isinstance(step, Run) and not self.groups[step.group].quick:
                raise wrong("{place}: the group {key} has no quick settings", place=place, key=group)
        if len(asked) > MOST_QUESTIONS:
            raise wrong("{count} questions are too many; allowed: {most}", count=len(asked), most=MOST_QUESTIONS)

    def _known_claims(self, place: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.claims:
                raise unknown(place, "claim", name, self.claims)

    def _noise(self, place: str, measure: Noise) -> None:
        claim = self.claims.get(measure.claim)
        if claim is None or any(key not in claim.figures for key in measure.figures):
            raise wrong(
                "{place}: the claim {claim} has no figures of {keys}",
                place=place,
                claim=measure.claim,
                keys=", ".join(measure.figures),
            )

    def references(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Where settings are named, and which."""
        for name, group in self.groups.items():
            for key, setting in group.settings.items():
                yield f"groups.{name}.settings.{key}", tuple(filter(None, (setting.begins_with, setting.of)))
        for name, claim in self.claims.items():
            yield f"claims.{name}", (*claim.figures, *itertools.chain(*claim.pairs))
            yield f"claims.{name}", tuple(each.of for each in claim.differs if each.of)
        for n, step in enumerate(self.steps):
            if isinstance(step, Ask) and step.measure:
                yield f"steps.{n}", step.measure.settings
            if isinstance(step, Show | Inspect):
                yield f"steps.{n}", step.view.settings if isinstance(step, Show) else step.of

    @property
    def called(self) -> str:
        """What the command line calls it."""
        return self._called or self.name

    def renamed(self, name: str, called: str, **changed: Any) -> Lesson:
        """The same under another name, which no file can have and by which its runs are called."""
        found = BaseModel.model_copy(self, update={"name": name} | changed)  # without validating it anew
        found._called = called
        return found

    # --- its settings

    def group_of(self, key: str) -> Group:
        """The group that has a setting; raises SeglabError where none has."""
        for group in self.groups.values():
            if key in group.settings:
                return group
        known = ", ".join(key for group in self.groups.values() for key in group.settings)
        raise SeglabError("there is no setting {key} in {lesson}; there are: {known}", key=repr(key), lesson=self.name,
                          known=known)  # fmt: skip

    def setting(self, key: str) -> Setting:
        return self.group_of(key).settings[key]

    @property
    def settings(self) -> dict[str, Setting]:
        return {key: each for group in self.groups.values() for key, each in group.settings.items()}

    def seeds(self, key: str) -> tuple[int, ...]:
        """The seeds of a setting's runs; none of one that comes with seglab."""
        setting = self.setting(key)
        if setting.run:
            return ()
        if setting.seeds is not None:
            return setting.seeds
        return self.seeds(setting.of) if setting.of else self.group_of(key).seeds

    def has_runs(self, key: str) -> bool:
        """Whether there can be runs of a setting; on other data not of each."""
        setting = self.setting(key)
        return bool(setting.run or self.seeds(key)) or (setting.of is not None and self.has_runs(setting.of))

    def config(self, key: str, seed: int) -> RunConfig:
        """The configuration of a setting's run. An entry that it sets takes the place of the base's, with the base's
        options of it. Raises SeglabError for what is unknown or not allowed."""
        group, setting = self.group_of(key), self.setting(key)
        given = dict(setting.set)
        for option, value in group.base.items():
            field = option.partition(".")[0]
            if option not in setting.set and field not in setting.set:
                given[option] = value
        text = {option: as_text(value) for option, value in given.items()}
        fields = {option: value for option, value in text.items() if "." not in option}
        if setting.begins_with:
            fields["init_from"] = f"{self.name}-{setting.begins_with}-{seed}"
        inner = {option: value for option, value in text.items() if "." in option}
        return grammar.configured({"seed": seed} | fields, inner)

    @property
    def asks(self) -> dict[str, Ask]:
        """Its questions by their ids."""
        return {step.id: step for step in self.steps if isinstance(step, Ask)}

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Every run that it needs, by setting and seed: a run that others begin with comes before them."""
        found: dict[tuple[str, int], None] = {}

        def add(key: str, seed: int) -> None:
            if (key, seed) in found:
                return
            begun = self.setting(key).begins_with
            if begun:
                add(begun, seed)
            found[key, seed] = None

        for key, setting in self.settings.items():
            for seed in self.seeds(key) if setting.trained else ():
                add(key, seed)
        return list(found)


def unknown(place: str, kind: str, key: str, known: Iterable[str]) -> Exception:
    """The mistake of naming what is not there."""
    return wrong(
        "{place}: there is no {kind} {key}; there are: {known}",
        place=place,
        kind=kind,
        key=key,
        known=", ".join(known) or "-",
    )


def as_text(value: Value) -> Any:
    """A value of a file as the command line would have it: 2e-3 is text in YAML, and a number elsewhere."""
    return repr(value) if isinstance(value, float) else value


def texts(value: Any, place: str = "") -> Iterator[tuple[str, Text]]:
    """Every text of a lesson, with where it stands."""
    if isinstance(value, Text):
        yield place, value
    elif isinstance(value, Options):
        for name in type(value).model_fields:
            yield from texts(getattr(value, name), f"{place}.{name}".lstrip("."))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from texts(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for n, inner in enumerate(value):
            yield from texts(inner, f"{place}.{n}")
