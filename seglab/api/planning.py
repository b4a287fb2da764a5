"""Plans: several runs of one configuration, laid out, timed, worked on and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seglab import jobs, plans, runs
from seglab.api import html
from seglab.api.following import device_for, follow, interruptible, threads_for
from seglab.api.runs import Run, Runs, look_after_queue
from seglab.api.settings import Settings, configure
from seglab.entry import FAMILIES, refusal_of, validated
from seglab.errors import SeglabError
from seglab.events import FOR_GOOD


class Plan:
    """Several runs, in order. One that `plan` gives is only laid out: nothing is written before `train` or `submit`."""

    def __init__(self, title: str, kind: Any = None, steps: Sequence[plans.Step] = ()):
        self.name, self.kind, self.steps = title, kind, tuple(steps)

    @property
    def exists(self) -> bool:
        """Whether its runs have been made."""
        return plans.located(self.name).is_file()

    @property
    def members(self) -> list[tuple[Path, str]]:
        """The directory of each run, which may be yet to be made, and what sets it apart."""
        if self.exists:
            return plans.members(plans.located(self.name))
        return [(step.directory, step.label) for step in self.steps]

    @property
    def runs(self) -> Runs:
        """Its runs, once they have been made."""
        return Runs(Run(directory) for directory, _ in self.members if (directory / "config.json").exists())

    def estimate(self, *, device: str = "auto", threads: int | None = None) -> list[float]:
        """How many seconds each of its runs will take, judged by finished runs or by a few steps of each kind."""
        computing, count = device_for(device), threads_for(threads)
        configs = [step.config for step in self.steps] or [run.config for run in self.runs]
        found = plans.estimate(configs, lambda some: [plans.timed(config, computing, count) for config in some])
        return list(found.seconds)

    def train(
        self, *, device: str = "auto", threads: int | None = None, progress: bool = True, on: str | None = None
    ) -> Plan:
        """Works on its runs one after the other, in this process; those that have ended are left alone, and those that
        were stopped go on. An interrupt stops the run at work and the plan; `train` again goes on.

        A run that fails does not keep others from going on that do not need it. `on` has them worked on by other
        machines, several at once: "ray", "ray:HOST:PORT", "slurm", and "ray cpus=2 gpus=1" for each run's share.
        """
        computing = device_for(device)
        if on:
            jobs.on(on)
        if not self.exists:
            runs.refuse_unwritable()
            plans.create(self.kind, self.name, self.steps)
        if on:
            with interruptible() as interrupted:
                jobs.deal(on, [directory for directory, _ in self.members], interrupted)
            return self
        for directory, label in self.members:
            if runs.status(directory).state in FOR_GOOD:
                continue
            try:
                if unfinished := jobs.awaited(directory):
                    raise SeglabError("{run} has to be finished first", run=unfinished[0].name)
            except SeglabError as why:
                jobs.fail(directory, why)
                continue
            try:
                follow(directory, computing, threads_for(threads, directory), True, progress)
            except Exception as error:  # the run has recorded it; the others may do better
                print(f"seglab: {label}: {error}")
            if runs.status(directory).state == "stopped":
                break
        return self

    def submit(self) -> Plan:
        """Puts its runs into the queue, in their order, and gives it at once; see `seglab.submit`."""
        if self.exists:
            for run in self.runs:
                if run.state in ("stopped", "failed", "interrupted"):
                    jobs.resubmit(run.directory)
        else:
            plans.submit(self.kind, self.name, self.steps)
        look_after_queue()
        return self

    def wait(self, *, progress: bool = True) -> Plan:
        """Waits for the end of its runs, which the queue works on."""
        for run in self.runs:
            run.wait(progress=progress)
        return self

    def stop(self) -> None:
        """Ends the run that another process works on, and takes the others out of the queue."""
        for run in reversed(self.runs):
            run.stop()

    def delete(self) -> None:
        """Deletes the plan and its runs for good."""
        directories = [run.directory for run in self.runs]
        for directory in directories:
            runs.refuse_removal(directory)
        for directory in directories:
            runs.remove(directory)
        with runs.writing(runs.home()):
            plans.located(self.name).unlink(missing_ok=True)

    def rows(self) -> list[list[Any]]:
        """Each run's number, what sets it apart, its state and its mIoU."""
        found = []
        for number, (directory, label) in enumerate(self.members, 1):
            made = (directory / "config.json").exists()
            status = runs.status(directory) if made else None
            ended = status and status.finished
            found.append([number, label, status.state if status else "not made", ended and ended.val_miou])
        return found

    def __repr__(self) -> str:
        rows = self.rows()
        wide = max(len(label) for _, label, _, _ in rows)
        lines = [f"{n:>3}  {label:<{wide}}  {state:<12}{html.text(miou)}" for n, label, state, miou in rows]
        return "\n".join([f"<seglab plan {self.name}, {len(rows)} runs>", *lines])

    def _repr_html_(self) -> str:
        return html.title(self.name) + html.table(self.rows(), ["", "run", "state", "mIoU"])


def plan(
    kind: str,
    config: Settings = None,
    /,
    *,
    name: str | None = None,
    **options: Any,
) -> Plan:
    """Lays out several runs: `seeds`, `folds`, `sweep` or `noisy_student`, with the plan's own options and those of
    `configure`. What varies in a sweep is given as {"model__width": [8, 16]}, or as on the command line.

    Nothing is written: look at it, at `plan.estimate()`, then `plan.train()` or `plan.submit()`. Raises SeglabError for
    data that is missing, too.
    """
    kinds = FAMILIES["plans"].entries
    if kind not in kinds:
        raise refusal_of("entry", kind, kinds, "plan", family="plans")
    own = {option: spread(value) for option, value in options.items() if option in kinds[kind].model_fields}
    made = validated(kinds[kind], own)
    rest = {option: value for option, value in options.items() if option not in own}
    title, steps = plans.laid_out(made, [runs.settled(configure(config, **rest))], name)
    return Plan(title, made, plans.settled(steps))


def spread(value: Any) -> Any:
    """{"model__width": [8, 16]} as `model.width=8,16`; one such text as a list of one."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Mapping):
        return value
    texts = []
    for option, values in value.items():
        words = [",".join(map(str, each)) if isinstance(each, list | tuple) else str(each) for each in values]
        mark = ";" if any("," in word for word in words) else ","
        texts.append(f"{option.replace('__', '.')}={mark.join(words)}")
    return texts


def load_plan(name: str) -> Plan:
    """A plan by its name, or by its file's path."""
    return Plan(plans.find(name).name.removesuffix(runs.PLAN))


def list_plans() -> list[Plan]:
    """All plans, the newest first."""
    return [load_plan(str(path)) for path in plans.every()]
