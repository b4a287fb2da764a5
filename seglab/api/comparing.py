"""Runs side by side: their scores, their curves, what they see in the same images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglab import comparison, draw, plans, runs
from seglab.api import html
from seglab.api.planning import Plan
from seglab.api.predicting import Prediction, predicted
from seglab.api.runs import Run, load
from seglab.api.samples import Samples
from seglab.comparison import cautions, speed
from seglab.comparison.agreement import ONLY_A, ONLY_B
from seglab.comparison.grids import Grid, Layout, grid
from seglab.comparison.pairs import Pair, pair_of
from seglab.comparison.scores import Group
from seglab.comparison.settings import short
from seglab.errors import SeglabError
from seglab.metrics import DEFINITION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_DIFFERENT = 3  # images that are named


class Comparison:
    """Several runs, in order; `found` has all that the comparison knows (`comparison.Comparison`)."""

    def __init__(self, directories: Sequence[Path]):
        self.found = comparison.compare(directories)
        self.runs = [Run(directory) for directory in directories]

    @property
    def labels(self) -> tuple[str, ...]:
        """A short name for each run: what sets it apart from the others."""
        return self.found.labels

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each run: label, state, parameters, seconds, epochs, miou and more, and the IoU of each class.

        `pandas.DataFrame(comparison.rows)` is a table of it.
        """
        return [
            {"label": label} | {name: value for name, value in vars(row).items() if name not in ("iou", "terms")}
            | {f"iou {name}": value for name, value in row.iou.items()}
            for label, row in zip(self.labels, self.found.rows, strict=True)
        ]  # fmt: skip

    @property
    def differences(self) -> dict[str, list[Any]]:
        """The options that differ, each with its value in every run."""
        return self.found.differences

    @property
    def groups(self) -> tuple[Group, ...]:
        """Runs that differ in nothing but seed or fold: their mean mIoU and its standard deviation."""
        return self.found.groups

    @property
    def warnings(self) -> list[str]:
        """Why the scores may not be what they seem."""
        return list(map(str, cautions(self.found)))

    @cached_property
    def pair(self) -> Pair | None:
        """The two sides, where the runs are two settings, or two runs of one, that were scored on the same images:
        `verdict`, `per_class`, `agreement`, `borders` and more (`comparison.pairs.Pair`); None for others."""
        return pair_of(self.found, [run.directory for run in self.runs])

    @cached_property
    def grid(self) -> Grid | None:
        """The runs' settings, where there are three or more: `settings`, each `against` the best one, the `frontier` of
        quality and cost, `as_json()` (`comparison.grids.Grid`); None for others."""
        return grid(self.found, [run.directory for run in self.runs])

    def curves(self) -> Figure:
        """Loss, mIoU and learning rate of all runs over epochs, as a matplotlib figure."""
        return draw.curves(self.found)

    def samples(self, epoch: float | None = None) -> Samples:
        """A few validation images, their truth, and every run's masks: by its latest evaluation, or after an epoch."""
        return Samples([run.directory for run in self.runs], epoch)

    def __repr__(self) -> str:
        times = times_of(self.found, [run.directory for run in self.runs])
        return "\n".join([board(self.found, self.grid, times), *verdict(self.pair)])

    def _repr_html_(self) -> str:
        found = self.found
        classes = list(dict.fromkeys(name for row in found.rows for name in row.iou))
        chips = [html.stroke(**draw.stroke(place)) for place in range(len(found.rows))]
        rows: list[list[Any]] = [
            ["state", *(row.state for row in found.rows)],
            ["mIoU", *(row.miou for row in found.rows)],
        ]
        rows += [[name, *(row.iou.get(name) for row in found.rows)] for name in classes]
        rows.append(["parameters", *(row.parameters for row in found.rows)])
        rows.append(["seconds", *(None if row.seconds is None else round(row.seconds) for row in found.rows)])
        if times := times_of(found, [run.directory for run in self.runs]):
            rows.append(["milliseconds for an image", *(time and round(time, 1) for time in times)])
        parts = [html.notes(self.warnings), html.table(rows, ["", *found.labels], chips)]
        parts += [html.title("", line) for line in verdict(self.pair)]
        parts += [html.title(spread_of(group)) for group in found.groups]
        if self.grid:
            head, *lines = cells_of(self.grid, self.grid.layout())
            parts += [html.table(lines, head), *(html.title("", line) for line in notes_of(self.grid))]
        if found.differences:
            told = [[option, *(each if each is None else str(each) for each in values)]
                    for option, values in found.differences.items()]  # fmt: skip
            parts.append(html.table(told, ["", *found.labels]))
        return "".join([*parts, html.curves(found), html.title("", DEFINITION)])


class Predictions(list[Prediction]):
    """What several runs see in one image; their vote comes last."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    def _repr_html_(self) -> str:
        rows = [(each.title, each.pictures()) for each in self]
        legends = dict.fromkeys(html.legend(each.classes, each.colors) for each in self)
        return html.gallery(rows, 256, self[0].heads() if self else ()) + "".join(legends)


def predict(
    these: str | Path | Run | Sequence[str | Path | Run],
    image: Any,
    /,
    *,
    crf: Any = False,
    predictors: Any = (),
    vote: bool = False,
) -> Predictions:
    """What each of several runs sees in an image, side by side, and with `vote` their soft vote at last; `image`, `crf`
    and `predictors` are as in `Run.predict`."""
    known = [load(run).directory for run in ([these] if isinstance(these, str | Path | Run) else these)]
    found = Predictions(predicted([run], image, predictors, crf) for run in known)
    return Predictions([*found, predicted(known, image, predictors, crf)]) if vote and len(known) > 1 else found


def compare(*these: str | Path | Run | Plan) -> Comparison:
    """Runs side by side, finished or not: given as objects, by name or by path; a plan stands for its runs."""
    found: list[Path] = []
    for each in these:
        if isinstance(each, str | Path):
            found += plans.expanded([str(each)])
        elif isinstance(each, Run):
            found.append(each.directory)
        elif isinstance(each, Sequence):
            found += [run.directory for run in compare(*each).runs]
        else:
            found += [run.directory for run in each.runs]
    if not found:
        raise SeglabError("compare: no run was given; known runs: {known}", known=runs.listed(runs.every()))
    return Comparison(list(dict.fromkeys(found)))


# --- as text


def times_of(found: comparison.Comparison, directories: Sequence[Path]) -> list[float | None]:
    """The milliseconds that each run's network takes for an image, where any is not of one's own; else none."""
    return speed.milliseconds(directories) if any(row.fixed for row in found.rows) else []


def board(comparison: comparison.Comparison, grid: Grid | None, times: Sequence[float | None] = ()) -> str:
    """A line for each run, for each group of runs, the table of three settings or more, and what differs; with `times`,
    the milliseconds that each takes for an image."""
    wide = max(map(len, comparison.labels)) + 2
    lines = []
    for n, (label, row) in enumerate(zip(comparison.labels, comparison.rows, strict=True)):
        size = "-" if row.parameters is None else f"{row.parameters:,}"
        miou, state = html.text(row.miou), "adopted" if row.fixed else row.state
        seconds = f"{'-':>8}  " if row.seconds is None else f"{row.seconds:>8.0f} s"
        time = f"{times[n]:>10.1f} ms for an image" if times and times[n] else ""
        lines.append(f"{label:<{wide}}{state:<12}mIoU {miou:<8}{size:>12} parameters{seconds}{time}".rstrip())
    lines += map(spread_of, comparison.groups)
    lines += [table_of(grid), *notes_of(grid)] if grid else []
    lines += [f"  {option}: {' | '.join(map(str, values))}" for option, values in comparison.differences.items()]
    return "\n".join(lines)


def verdict(pair: Pair | None) -> list[str]:
    """Whether the difference between two sides can be told from luck, in a line; none where there are no two, or what
    they stored cannot be read."""
    try:
        return [f"verdict: {'; '.join(map(str, pair.verdict.sentences))}"] if pair else []
    except SeglabError:
        return []


def difference(pair: Pair) -> tuple[list[str], list[SeglabError]]:
    """What can be said of two sides, and the images in which they differ most, line by line; and why not more."""
    lines = verdict(pair)
    try:
        shares = pair.agreement.shares
    except SeglabError as error:
        return lines, [error]
    for place in pair.agreement.order("difference")[:MOST_DIFFERENT]:
        lines.append(
            f"  {pair.names[place]}: only one is right in {shares[place][ONLY_A] + shares[place][ONLY_B]:.1%} of the "
            f"pixels ({pair.a.name} in {shares[place][ONLY_A]:.1%}, {pair.b.name} in {shares[place][ONLY_B]:.1%})"
        )
    return lines, []


def spread_of(group: Group) -> str:
    """A group's mean mIoU over its runs, and how far they spread."""
    told = "mean mIoU - (n = 0)"
    if group.mean is not None:
        spread = "" if group.deviation is None else f" ± {group.deviation:.4f}"
        told = f"mean mIoU {group.mean:.4f}{spread} (standard deviation, n = {group.count})"
    return f"{group.label}{' with a leak' * group.leak}: {told}"


def table_of(grid: Grid) -> str:
    """The mIoU of the settings, by the values of two options or of one."""
    lines = cells_of(grid, grid.layout())
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:>{w}}" for cell, w in zip(line, wide, strict=True)) for line in lines)


def cells_of(grid: Grid, layout: Layout) -> list[list[str]]:
    """A head and lines of texts; settings that share a cell stand side by side with what tells them apart."""
    named = [option for option in (layout.down, layout.right) if option]
    head = [" \\ ".join(named), *("" if layout.right is None else str(value) for value in layout.columns)]
    lines = [
        [
            "" if layout.down is None else str(value),
            *("; ".join(map(lambda n: scored(grid, n, layout), c)) for c in line),
        ]
        for value, line in zip(layout.lines, layout.cells, strict=True)
    ]
    return [head, *lines]


def scored(grid: Grid, place: int, layout: Layout) -> str:
    """A setting's mean mIoU, how far its seeds spread, and its mark."""
    setting, against = grid.settings[place], grid.against[place]
    spread = "" if setting.deviation is None else f" ± {setting.deviation:.4f}"
    within = ", ".join(f"{short(option)} {setting.options[option]}" for option in layout.within)
    mark = "*" if place == grid.best else "x" if setting.left_out else " "
    if against and against.tied is not False:
        mark = "~" if against.tied else "?"
    return f"{setting.mean:.4f}{spread}{f' ({within})' if within else ''} {mark}"


def notes_of(grid: Grid) -> list[str]:
    """What the marks of the table mean, and what it cannot tell."""
    lines = ["* the best" + f"; ~ not told apart from it, {grid.told} looked at at once (Holm)" * bool(grid.told)]
    lines += ["? not known whether it can be told apart"] * any(each and each.tied is None for each in grid.against)
    if grid.luck:
        lines.append(
            f"one seed each: by luck alone the best of {len(grid.trained)} equal settings is expected "
            f"{grid.luck:.2f} standard deviations between seeds above their mean"
        )
    lines += ["x left out"] * any(each.left_out for each in grid.settings)
    return lines + list(map(str, grid.notes))
