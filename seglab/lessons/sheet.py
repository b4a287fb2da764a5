"""Sheets that students hand in: files that anybody could have written, read with suspicion and summed as a class.

A sheet is an HTML file with what was answered as JSON in it. It says nothing of what is right: that is computed here,
from the runs that answer the lesson's questions.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import from_json

from seglab import runs
from seglab.comparison import tables
from seglab.entry import Options, explain
from seglab.errors import SeglabError
from seglab.events import Evaluated
from seglab.lessons import files
from seglab.lessons.bench import Bench
from seglab.lessons.measures import Key, Outcome, number_right
from seglab.lessons.model import MOST_QUESTIONS, Ask, Lesson
from seglab.lessons.model import Sheet as Step

OPENED, CLOSED = '<script type="application/json" id="seglab-sheet">', "</script>"  # as the page writes them
MOST_BYTES = 1_000_000
LONGEST = 2000  # characters of a text
SURENESS = ("guess", "fairly", "sure")

Written = Annotated[str, Field(max_length=LONGEST, strict=True)]
Called = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?$")]  # `a`, or `a.camvid`
Several = Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(max_length=12)]
Given = Written | Annotated[float, Field(strict=True)] | Several | None  # an option, a text, a number, or options


class Answer(Options):
    """What was answered to a question: `first` and, after talking, `again`; neither where it was skipped."""

    first: Given = None
    again: Given = None
    sure: Literal[SURENESS] | None = None  # type: ignore[valid-type]  # a tuple of texts
    note: Written = ""


class Sheet(Options):
    """A sheet as its file has it. `hash`: the lesson's; `evidence`: what each setting's runs scored, as a digest;
    `number`: random, so that the same sheet in two names is noticed; `times`: seconds from the first step to each."""

    sheet: Literal[1]
    lesson: Called
    hash: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    number: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    evidence: Annotated[dict[Key, Annotated[str, Field(pattern="^[0-9a-f]{16}$")]], Field(max_length=200)] = {}
    name: Annotated[str, Field(max_length=80)] = ""
    answers: Annotated[dict[Key, Answer], Field(max_length=MOST_QUESTIONS)] = {}
    keep: Written = ""
    times: Annotated[tuple[Annotated[int, Field(ge=0, le=10**9)] | None, ...], Field(max_length=40)] = ()

    @property
    def minutes(self) -> int:
        """From the first step that was opened to the last."""
        known = [each for each in self.times if each is not None]
        return (max(known) - min(known) + 30) // 60 if known else 0


def read(path: Path) -> Sheet:
    """The sheet in a file. Raises SeglabError for what is none."""
    name = plain(path.name)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SeglabError("{file} cannot be read: {reason}", file=name, reason=error.strerror) from None
    return parsed(content, name)


def parsed(content: bytes, file: str) -> Sheet:
    """The sheet in what a file holds."""
    if len(content) > MOST_BYTES:
        raise SeglabError("{file} is too large for a sheet; allowed: {most} bytes", file=file, most=MOST_BYTES)
    _, opened, rest = content.decode("utf-8", "replace").partition(OPENED)
    inside, closed, _ = rest.partition(CLOSED)
    if not (opened and closed):
        raise SeglabError("{file} holds no sheet of a lesson", file=file)
    try:
        return Sheet.model_validate(from_json(inside, allow_inf_nan=False))
    except ValidationError as error:
        reason: Any = explain(error, "sheet")
    except (ValueError, RecursionError) as error:
        reason = error
    raise SeglabError("{file} holds no sheet of a lesson: {reason}", file=file, reason=reason)


# --- what it was answered on


def evidence(bench: Bench) -> dict[str, str]:
    """For each setting whose runs are here, a digest of what they scored: 16 hexadecimal digits."""
    found = {}
    for key in bench.lesson.settings:
        try:
            found[key] = bench.kept(("evidence", key), partial(digest, bench, key))
        except SeglabError:  # its runs have not been made
            continue
    return found


def digest(bench: Bench, key: str) -> str:
    """What every measure looks at: the confusion matrices, and what was evaluated on the way."""
    found = hashlib.sha256()
    for matrices, directory in zip(bench.matrices(key), bench.directories(key), strict=True):
        found.update(matrices.astype("<i8").tobytes())
        for event in runs.events(directory):
            if isinstance(event, Evaluated):
                found.update(event.model_dump_json().encode())
    return found.hexdigest()[:16]


# --- what is right


def fitting(ask: Ask, given: Given) -> Given:
    """What was given, if the question can be answered so; None for anything else, such as an option of another
    version."""
    known = [option.key for option in ask.options]
    if ask.answer == "several":
        whole = isinstance(given, tuple) and set(given) <= set(known)
        return tuple(key for key in known if key in given) if whole else None  # type: ignore[operator]
    if ask.answer == "number":
        return given if isinstance(given, float) else None
    if ask.answer == "text":
        return given.strip() or None if isinstance(given, str) else None
    return given if isinstance(given, str) and given in known else None


def right(ask: Ask, given: Given, outcome: Outcome | None) -> bool | None:
    """Whether an answer is what came out; None for none, and where nothing came out."""
    if given is None or outcome is None:
        return None
    if isinstance(given, float):
        return number_right(ask.measure, given, outcome)
    wanted = {option.key for option in ask.options} & set(outcome.right)
    return set(given) == wanted if isinstance(given, tuple) else given in wanted


# --- a class


@dataclass(frozen=True)
class Student:
    """Whose sheet it is, and what a teacher should know of it. `twin`: the file of the same sheet, which counts
    instead of this one."""

    file: str
    sheet: Sheet
    answers: Mapping[str, Answer]  # those that fit
    other_version: bool
    other_runs: tuple[str, ...]  # settings
    twin: str | None

    @property
    def name(self) -> str:
        return self.sheet.name.strip() or self.file

    @property
    def notes(self) -> list[SeglabError]:
        found = []
        if self.twin is not None:
            found.append(
                SeglabError("{file} is the same sheet as {other}: it counts once", file=self.file, other=self.twin)
            )
        if self.other_version:
            found.append(SeglabError("{file} was made with another version of this lesson", file=self.file))
        if self.other_runs:
            settings = ", ".join(self.other_runs)
            found.append(
                SeglabError("{file} was made with other runs of {settings}", file=self.file, settings=settings)
            )
        return found


@dataclass
class Question:
    """How a class answered a question: votes by option, `first` and `again`; how sure the first ones were, by option;
    how many of them are right. Of a number there are the numbers themselves. `missing` says why nothing came out."""

    ask: Ask
    outcome: Outcome | None = None
    missing: SeglabError | None = None
    first: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    sure: Counter[tuple[str, str]] = field(default_factory=Counter)
    numbers: list[float] = field(default_factory=list)
    answered: int = 0
    voted_again: int = 0
    right_first: int = 0
    right_again: int = 0
    texts: list[tuple[str, str]] = field(default_factory=list)  # whose, and what was written

    def add(self, student: Student) -> None:
        answer = student.answers.get(self.ask.id)
        if answer is None:
            return
        for text in (answer.first if self.ask.answer == "text" else None, answer.note):
            if isinstance(text, str) and text.strip():
                self.texts.append((student.name, text.strip()))
        if answer.first is not None:
            self.answered += 1
            self.right_first += bool(right(self.ask, answer.first, self.outcome))
        if answer.again is not None:
            self.voted_again += 1
            self.right_again += bool(right(self.ask, answer.again, self.outcome))
        if isinstance(answer.first, float):
            self.numbers.append(answer.first)
        for votes, given in ((self.first, answer.first), (self.again, answer.again)):
            votes.update(options(self.ask, given))
        if answer.sure:
            self.sure.update((key, answer.sure) for key in options(self.ask, answer.first))


@dataclass(frozen=True)
class Summary:
    """All sheets of one lesson."""

    lesson: Lesson
    students: list[Student]
    questions: list[Question]

    @property
    def counted(self) -> list[Student]:
        return [each for each in self.students if each.twin is None]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The sentences for the end, and whose they are."""
        return [(each.name, each.sheet.keep.strip()) for each in self.counted if each.sheet.keep.strip()]


def options(ask: Ask, given: Given) -> Sequence[str]:
    """The options that an answer has chosen."""
    if ask.answer in ("number", "text") or given is None or isinstance(given, float):
        return ()
    return given if isinstance(given, tuple) else (given,)


def summed(bench: Bench, sheets: Iterable[tuple[str, Sheet]]) -> Summary:
    """A class: the sheets of one lesson with their files' names, what is right by the runs that there are."""
    lesson = bench.lesson
    students = handed_in(bench, sheets)
    found = Summary(lesson, students, [question_of(bench, ask) for ask in lesson.asks.values()])
    for question in found.questions:
        for student in found.counted:
            question.add(student)
    return found


def handed_in(bench: Bench, sheets: Iterable[tuple[str, Sheet]]) -> list[Student]:
    lesson, known, version = bench.lesson, evidence(bench), files.content_hash(bench.lesson)
    students: list[Student] = []
    seen: dict[str, str] = {}  # files by their sheets' numbers
    for file, sheet in sheets:
        answers = {
            name: answer.model_copy(update={"first": fitting(ask, answer.first), "again": fitting(ask, answer.again)})
            for name, ask in lesson.asks.items()
            if (answer := sheet.answers.get(name))
        }
        others = tuple(key for key, value in sheet.evidence.items() if known.get(key, value) != value)
        twin = seen.get(sheet.number)
        seen.setdefault(sheet.number, file)
        students.append(Student(file, sheet, answers, sheet.hash != version, others, twin))
    return students


def question_of(bench: Bench, ask: Ask) -> Question:
    """A question with what came of it, before anybody has answered."""
    try:
        return Question(ask, ask.measure.outcome(bench) if ask.measure else None)
    except SeglabError as error:  # runs are missing
        return Question(ask, missing=error)


# --- as a table


def csv(summary: Summary) -> str:
    """A class as CSV: a line for each sheet, with every answer and whether it is right (1 or 0)."""
    lines = [line(summary, student) for student in summary.students]
    return tables.table(columns(summary.lesson), lines)


def columns(lesson: Lesson) -> list[str]:
    found = ["file", "name", "minutes", "same_as", "other_version", "other_runs"]
    for name in lesson.asks:
        found += [name, f"{name}/right", f"{name}/sure", f"{name}/again", f"{name}/again_right", f"{name}/note"]
    return [*found, *(["keep"] if asks_to_keep(lesson) else [])]


def asks_to_keep(lesson: Lesson) -> bool:
    return any(isinstance(step, Step) and step.keep for step in lesson.steps)


def line(summary: Summary, student: Student) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": student.file,
        "name": student.sheet.name.strip(),
        "minutes": student.sheet.minutes,
        "same_as": student.twin,
        "other_version": int(student.other_version),
        "other_runs": " ".join(student.other_runs),
        "keep": student.sheet.keep.strip(),
    }
    for question in summary.questions:
        ask, name = question.ask, question.ask.id
        answer = student.answers.get(name, Answer())
        marks = [right(ask, each, question.outcome) for each in (answer.first, answer.again)]
        first, again = (None if mark is None else int(mark) for mark in marks)
        found |= {name: written(answer.first), f"{name}/right": first, f"{name}/sure": answer.sure}
        found |= {f"{name}/again": written(answer.again), f"{name}/again_right": again}
        found[f"{name}/note"] = answer.note.strip()
    return found


def written(given: Given) -> str | float | int | None:
    """An answer as it stands in a table."""
    if isinstance(given, tuple):
        return " ".join(given)
    return int(given) if isinstance(given, float) and given.is_integer() else given


def plain(text: str) -> str:
    """A text of a stranger's on one line, without what would color a terminal or move its cursor."""
    return "".join(each if each.isprintable() else " " for each in text)
