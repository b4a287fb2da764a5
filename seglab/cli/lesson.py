"""List, check, show, make and ship lessons, and read the sheets that students hand in.

A lesson is given by its name, or by its file. Its answers are computed from runs: those that come with seglab, or those
that `make` trains here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from seglab import plans
from seglab.cli.options import output_folder, table, up_to
from seglab.cli.parsing import add_help
from seglab.cli.show import counting
from seglab.comparison.tables import ENCODING
from seglab.errors import SeglabError
from seglab.lessons import files, making, other_data, packing, sheet, telling
from seglab.lessons.bench import Bench
from seglab.lessons.measures import NONE
from seglab.lessons.model import Ask, CompareWithSource, Lesson, Sheet
from seglab.lessons.text import LANGUAGES

CROWDED = 20  # lines of one kind that are printed


def arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def command(name: str, action: Callable[[argparse.Namespace], None], help: str) -> argparse.ArgumentParser:
        made = kinds.add_parser(name, help=help, description=help, allow_abbrev=False, add_help=False)
        add_help(made)
        made.set_defaults(of_lesson=action)
        if name not in ("list", "sheet"):
            made.add_argument("name", metavar="LESSON", help="its name, or its file")
            made.add_argument("--data", metavar="NAME", help="other data: the same questions, answered by runs on it")
        return made

    command("list", listed, "the lessons that there are")
    command("check", check, "what is wrong with a lesson, what it takes, and how its questions come out")
    shown = command("show", show, "a lesson as text, with what its questions came to")
    shown.add_argument("--lang", choices=LANGUAGES, default="en", help="its language (default: en)")
    made = command("make", make, "train the runs that a lesson needs; what is here already is not trained again")
    made.add_argument("--only", nargs="+", default=[], metavar="GROUP", help="the runs of these groups")
    made.add_argument("--seeds", nargs="+", default=[], type=int, metavar="SEED", help="the runs of these seeds")
    made.add_argument("--threads", type=up_to(1024), default=1, help="processor cores for a run (default: 1)")
    shipped = command("ship", ship, "write a lesson's runs as evidence packs, without weights")
    handed = command("sheet", sheets, "what a class answered, from the sheets that it handed in")
    handed.add_argument("files", nargs="+", type=Path, metavar="FILE", help="sheets, as students download them")
    handed.add_argument("--csv", type=table, metavar="FILE", help="a line for each sheet, for a spreadsheet")
    handed.add_argument("--lang", choices=LANGUAGES, default="en", help="its language (default: en)")
    shipped.add_argument("--to", type=output_folder, metavar="DIR", help="(default: where the lesson's file is)")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    arguments.of_lesson(arguments)
    return 0


def opened(arguments: argparse.Namespace) -> Lesson:
    """A lesson by its name, or in a file, on the data that was asked for."""
    name = arguments.name
    found = files.load(Path(name)) if name.endswith(files.ENDING) else files.find(name)
    return other_data.on(found, arguments.data) if arguments.data else found


def translated(error: SeglabError, lang: str) -> str:
    from seglab.ui.text import told  # imports the page

    return told(error, lang)


def listed(arguments: argparse.Namespace) -> None:
    for path in files.clashing():
        print(f"{path.stem:<12} {files.clash(path)}", file=sys.stderr)
    for name, path in files.every().items():
        try:
            lesson = files.load(path)
        except SeglabError as error:
            print(f"{name:<12} {error}", file=sys.stderr)
            continue
        count = len(lesson.runs)
        print(
            f"{name:<12} {lesson.minutes:>3} min  {len(lesson.asks):>2} questions  {count:>3} runs  {lesson.title.en}"
        )


def check(arguments: argparse.Namespace) -> None:
    lesson = opened(arguments)
    todo = making.jobs(lesson)
    told_of("without a translation", files.untranslated(lesson))
    told_of("numbers typed into what is told", files.typed(lesson))
    print(f"{lesson.name}: {len(lesson.steps)} steps, {len(lesson.asks)} questions, {len(lesson.runs)} runs")
    minutes = sum(step.minutes for step in lesson.steps)
    if minutes > lesson.minutes:
        print(f"the steps take {minutes} minutes together, and the lesson has {lesson.minutes}")
    if todo:
        print(f"{len(todo)} runs are not made yet: seglab lesson make {lesson.called}")
        known = plans.estimate([job.config for job in todo])
        if known:
            print(f"they take about {sum(known.seconds) / 60:.0f} minutes, judged by runs that are here")
    bench = Bench(lesson)
    undecided = 0
    for step in lesson.steps:
        if isinstance(step, Ask) and step.measure:
            try:
                outcome = step.measure.outcome(bench)
            except SeglabError as error:
                print(f"{step.id}: {error}")
                continue
            undecided += outcome.key == NONE and step.measure.kind not in ("shape", "tied")  # which is a finding
            values = ", ".join(f"{name} {value}" for name, value in outcome.values.items())
            print(f"{step.id}: {outcome.key}  ({values})")
            for note in outcome.notes:
                print(f"    {telling.noted(lesson, note, 'en')}")
    print(f"{undecided} of {sum(bool(ask.measure) for ask in lesson.asks.values())} questions cannot be told apart")


def told_of(what: str, places: Sequence[str]) -> None:
    if places:
        print(f"{what}:")
        for place in places[:CROWDED]:
            print(f"    {place}")
        if len(places) > CROWDED:
            print(f"    … and {len(places) - CROWDED} more")


def show(arguments: argparse.Namespace) -> None:
    lesson, lang = opened(arguments), arguments.lang
    bench = Bench(lesson)
    print(f"{lesson.title.of(lang)}\n\n{lesson.goal.of(lang)}")
    for number, step in enumerate(lesson.steps, 1):
        title = step.title.of(lang) if step.title else step.kind
        print(f"\n{number}. {title}  ({step.minutes} min)")
        if text := getattr(step, "text", None):
            print(text.of(lang))
        if isinstance(step, Ask):
            show_question(bench, step, lang)
        if isinstance(step, CompareWithSource):
            for name in step.claims:
                show_claim(bench, name, lang)


def show_question(bench: Bench, ask: Ask, lang: str) -> None:
    for option in ask.options:
        print(f"  ( ) {option.text.of(lang)}")
    if ask.measure is None:
        return
    try:
        found = telling.result(bench, ask, lang)
    except SeglabError as error:
        print(f"  {translated(error, lang)}")
        return
    print(f"  -> {', '.join(found['right']) or found['outcome']}: {found['tell']}")
    for note in found["notes"]:
        print(f"     {translated(note, lang)}")
    for option in ask.options:
        if option.key in found["why"]:
            print(f"     {option.text.of(lang)}: {found['why'][option.key]}")


def show_claim(bench: Bench, name: str, lang: str) -> None:
    lesson, claim = bench.lesson, bench.lesson.claims[name]
    print(f"  {claim.where.of(lang)}: {claim.quote.of(lang)} ({claim.measured.of(lang)})")
    try:
        for figure in telling.figures(bench, claim):
            there = "-" if figure.there is None else f"{figure.there:g}"
            spread = "" if figure.deviation is None else f" ± {figure.deviation:.3f}"
            title = lesson.setting(figure.key).title.of(lang)
            print(f"    {title}: {there} there, {figure.here:.3f}{spread} here ({figure.seeds})")
        found = telling.tested(bench, claim)
        for each in found:
            low, high = (lesson.setting(key).title.of(lang) for key in (each.low, each.high))
            print(f"    {low} < {high}: {each.state} ({each.difference.size:+.3f})")
        if found:
            print(f"  {translated(telling.summed(found), lang)}")
        for reason in claim.differs:
            print(f"    - {translated(telling.why(bench, reason, lang), lang)}")
    except SeglabError as error:
        print(f"  {translated(error, lang)}")


def make(arguments: argparse.Namespace) -> None:
    lesson = opened(arguments)
    todo = making.jobs(lesson, arguments.only, arguments.seeds)
    print(f"{len(todo)} runs to make, of {len(lesson.runs)}")
    making.progress(lesson, todo, print, arguments.threads)
    if making.jobs(lesson):
        return
    for reading in making.readings(lesson):
        counting(reading.compute(), reading.directory.name)


def ship(arguments: argparse.Namespace) -> None:
    lesson = opened(arguments)
    given = arguments.name
    folder = arguments.to or (Path(given) if given.endswith(files.ENDING) else files.every()[given]).parent
    written = packing.ship(lesson, folder)
    size = sum(file.stat().st_size for file in set(written))
    print(f"{len(set(written))} files, {size / 1e6:.1f} MB, in {folder}")


# --- sheets


def sheets(arguments: argparse.Namespace) -> None:
    lessons: dict[str, Lesson] = {}
    handed_in: dict[str, list[tuple[str, sheet.Sheet]]] = {}
    for path in arguments.files:
        try:
            found = sheet.read(path)
            lessons[found.lesson] = other_data.find(found.lesson)
        except SeglabError as error:  # the others may be sound
            print(translated(error, arguments.lang), file=sys.stderr)
            continue
        handed_in.setdefault(found.lesson, []).append((sheet.plain(path.name), found))
    if not handed_in:
        raise SeglabError("none of these files is a sheet of a lesson that is here")
    if arguments.csv and len(handed_in) > 1:
        raise SeglabError(
            "these are sheets of several lessons: {lessons}; a table is of one", lessons=", ".join(handed_in)
        )
    for name, each in handed_in.items():
        summary = sheet.summed(Bench(lessons[name]), each)
        if arguments.csv:
            arguments.csv.write_text(sheet.csv(summary), encoding=ENCODING)
        show_class(summary, arguments.lang)


def show_class(summary: sheet.Summary, lang: str) -> None:
    print(f"{summary.lesson.title.of(lang)}: {len(summary.counted)}\n")
    for student in summary.students:
        for note in student.notes:
            print(translated(note, lang))
    named = [(sheet.plain(each.name)[:24], each) for each in summary.students]
    wide = max((len(name) for name, _ in named), default=0)
    print(" " * wide, *(question.ask.id for question in summary.questions), sep="  ")
    for name, student in named:
        marks = (f"{marked(question, student):<{len(question.ask.id)}}" for question in summary.questions)
        print(f"{name:<{wide}}", *marks, sep="  ")
    for question in summary.questions:
        show_votes(question, lang)
    for step in summary.lesson.steps:
        if isinstance(step, Sheet) and step.keep:
            print(f"\n{step.keep.of(lang)}")
    for name, text in summary.kept:
        print(f"    {sheet.plain(name)}: {sheet.plain(text)}")


def marked(question: sheet.Question, student: sheet.Student) -> str:
    """Whether the first answer and the second are right: + or -; · for one that has no right and wrong."""
    answer = student.answers.get(question.ask.id)
    given = [each for each in (answer.first, answer.again) if each is not None] if answer else []
    signs = {True: "+", False: "-", None: "·"}
    return "".join(signs[sheet.right(question.ask, each, question.outcome)] for each in given)


def show_votes(question: sheet.Question, lang: str) -> None:
    ask = question.ask
    print(f"\n{ask.id}: {ask.text.of(lang)}")
    if question.missing:
        print(f"  {translated(question.missing, lang)}")
    right = question.outcome.right if question.outcome else ()
    for option in ask.options:
        votes = f"{question.first[option.key]:>3} -> {question.again[option.key]:>2}"
        counts = {each: question.sure[option.key, each] for each in sheet.SURENESS}
        how = SeglabError("guess {guess}, fairly {fairly}, sure {sure}", **counts)
        sure = f"  ({translated(how, lang)})" if any(counts.values()) else ""
        print(f"  {'*' if option.key in right else ' '} {votes}  {option.text.of(lang)}{sure}")
    if question.numbers:
        print(f"    {', '.join(f'{each:g}' for each in sorted(question.numbers))}")
    if question.answered and question.outcome:
        told = SeglabError("right at first: {right} of {all}", right=question.right_first, all=question.answered)
        print(f"    {translated(told, lang)}")
    if question.voted_again and question.outcome:
        told = SeglabError(
            "right after talking: {right} of {all}", right=question.right_again, all=question.voted_again
        )
        print(f"    {translated(told, lang)}")
    for name, text in question.texts:
        print(f"    {sheet.plain(name)}: {sheet.plain(text)}")
