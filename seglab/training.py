"""Training: a stream of events from one loop that touches no files and no screen."""

from __future__ import annotations

import io
import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial, reduce
from importlib.metadata import version
from operator import add
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from seglab import __version__, machine
from seglab.config import RunConfig
from seglab.data.base import Batch, Data, Statistics, spread
from seglab.data.store import Store, room
from seglab.errors import SeglabError
from seglab.evaluation import Evaluation, evaluate
from seglab.events import Evaluated, Event, Finished, Reason, Sentence, Started, Stepped
from seglab.families import Outputs, StepHooks, Term
from seglab.group import ALONE, Group
from seglab.loader import Cached, Feed, ahead, batches, in_order, learned_from, padded, random
from seglab.losses.weights import per
from seglab.model import Segmenter, Trained, parameters, placed
from seglab.schedulers import Schedule

if TYPE_CHECKING:
    from pathlib import Path

REPORT_SECONDS = 0.5  # between two Stepped events
SAMPLES = 4  # validation images whose masks are kept at every evaluation


@dataclass
class Best:
    """The evaluation with the highest mIoU on `search`, and what `val` gave then."""

    epoch: float
    search_miou: float
    val_miou: float | None

    @property
    def provisional(self) -> bool:
        """Whether only stopping brought it about, before an epoch was over: it lasts until the next evaluation."""
        return self.epoch % 1 > 0


Objective = Callable[[Batch], dict[str, Term]]


class Images:
    """The images of one run, each decoded when first asked for: what it learns from, and the sets it is scored on.
    `processes` share the memory for them."""

    def __init__(self, config: RunConfig, processes: int = 1):
        self.data = folded(config.data.open(), config)
        self.store = Store(room() // processes)
        self.train = learned_from(config, self.data, store=self.store)
        few = random(config.seed, "scored").permutation(len(self.train))[: len(self.data.val)]
        sets = {"train": self.data.train.take(sorted(few)), "search": self.data.search, "val": self.data.val}
        self.scored = {
            name: Cached(split, config.image_size, keep_truth=True, store=self.store) for name, split in sets.items()
        }

    def decode(self) -> None:
        """Decodes all of them now, for the processes that are forked from this one."""
        for images in (self.train, *self.scored.values()):
            images.decode()


class Run(Feed):
    """Everything one training run consists of; `state_dict` is what another needs to go on from the same place.

    `weights` are the model's initial weights, where they come from elsewhere; without `fresh`, pretrained weights are
    not fetched, since those of `load_state_dict` take their place. `should_stop` is asked after every step. `load`
    gives the best model of a run that a technique needs, by its folder. `images` are the run's, where they are open.
    `group` are the processes that work on it together. Raises SeglabError for a batch that has fewer images than they
    are.
    """

    def __init__(
        self,
        config: RunConfig,
        device: str = "cpu",
        threads: int = 1,
        weights: dict[str, Tensor] | None = None,
        fresh: bool = True,
        should_stop: Callable[[], bool] = lambda: False,
        load: Callable[[Path], Trained] | None = None,
        images: Images | None = None,
        group: Group = ALONE,
    ):
        torch.set_num_threads(threads)
        images = images or Images(config, group.size)
        super().__init__(config, images.data, load=load, train=images.train)
        self.should_stop, self.threads, self.fresh, self.group = should_stop, threads, fresh, group
        self.device = torch.device(device)
        self.scored, self.store = images.scored, images.store
        self.samples = spread(len(self.data.val), SAMPLES)

        self.seed_torch("weights")
        self.model = Segmenter(config.model, len(self.data.classes), config.image_size)
        if fresh and not weights:
            config.model.pretrain(self.model.net)
        if weights:
            try:
                self.model.load_state_dict(weights)
            except RuntimeError:
                raise SeglabError(
                    "init_from: the weights of {run} do not fit this model and its {count} classes",
                    run=str(config.init_from),
                    count=len(self.data.classes),
                ) from None
        if fresh:
            config.model.start(self)
        placed(self.model, self.device)
        # a resumed run counts again: it goes on only with the same images, and they give the same numbers
        self.loss = config.loss.resolved(Statistics(self.train, len(self.data.classes)))
        self.start(config.techniques)
        self.step_hooks: dict[str, StepHooks] = {}
        for technique in in_order(config.techniques):
            if hooks := technique.step_hooks(self):
                self.step_hooks[technique.name] = hooks
        others = [network for hooks in self.step_hooks.values() for network in hooks.networks()]
        for network in (self.model, *others):
            group.synchronize(network)
        self.optimizer = config.optimizer.build(self.model, *others)
        self.steps_per_epoch = len(steps := batches(range(len(self.train)), config.batch_size))
        if group.size > (smallest := min(map(len, steps))):
            raise SeglabError(
                "{processes} processes cannot share a batch of {count} images; use fewer, or another batch_size: the "
                "last batch of an epoch has what is left of the {all} training images",
                processes=group.size,
                count=smallest,
                all=len(self.train),
            )
        self.total_steps = self.steps_per_epoch * config.epochs
        self.scheduler = Schedule(config.scheduler, self.optimizer, self.steps_per_epoch, config.epochs)
        kind = computed_in(config.optimizer.precision, self.device)
        self.precision = str(kind).removeprefix("torch.")
        mixed = kind != torch.float32
        self.autocast = torch.autocast(self.device.type, dtype=kind if mixed else torch.bfloat16, enabled=mixed)
        self.scaler = torch.amp.GradScaler(enabled=kind == torch.float16)

        self.step = 0
        self.best: Best | None = None
        self.lr = self.optimizer.param_groups[0]["lr"]  # of the latest step
        self.evaluations: dict[str, Evaluation] = {}
        self.before, self.began = 0.0, time.monotonic()
        self.step_seconds, self.evaluation_seconds, self.timed_steps = 0.0, 0.0, 0

    # --- where the run stands

    @property
    def seconds(self) -> float:
        """Training time so far, over all the processes that worked on the run."""
        return self.before + time.monotonic() - self.began

    @property
    def epoch(self) -> float:
        return self.step / self.steps_per_epoch

    @property
    def images_per_second(self) -> float:
        return self.timed_steps * len(self.train) / self.steps_per_epoch / max(self.step_seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """An estimate, from the pace so far and the budget."""
        left = (self.total_steps - self.step) * self.step_seconds / max(self.timed_steps, 1)
        left += math.ceil(self.config.epochs - self.epoch) * self.evaluation_seconds
        budget = self.config.budget_seconds
        return left if budget is None else min(left, max(0.0, budget - self.seconds) + self.evaluation_seconds)

    def out_of_budget(self) -> bool:
        return self.config.budget_seconds is not None and self.seconds >= self.config.budget_seconds

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "best": vars(self.best) if self.best else None,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "hooks": {name: self.kept_by(name) for name in self.data_hooks | self.step_hooks},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step, self.before = state["step"], state["seconds"]
        self.best = Best(**state["best"]) if state["best"] else None
        for part in ("model", "optimizer", "scheduler", "scaler"):
            getattr(self, part).load_state_dict(state[part])
        for hooks in (self.data_hooks, self.step_hooks):
            for name in hooks:
                hooks[name].load_state_dict(state["hooks"][name])

    def kept_by(self, technique: str) -> dict[str, Any]:
        """What a technique keeps, in whichever of its hooks it does."""
        found = (hooks[technique].state_dict() for hooks in (self.data_hooks, self.step_hooks) if technique in hooks)
        return {name: value for state in found for name, value in state.items()}

    # --- what the loop does

    def seed_torch(self, *place: int | str) -> None:
        """Makes torch's random choices from here on depend on the seed and this place in the run alone."""
        torch.manual_seed(int(random(self.config.seed, *place).integers(2**62)))

    def evaluated_model(self) -> Segmenter:
        model: nn.Module = self.model
        for hooks in self.step_hooks.values():
            model = hooks.on_eval(model)
        assert isinstance(model, Segmenter)  # as it was given
        return model

    def batch(self, epoch: int, places: list[int]) -> Batch:
        batch = super().batch(epoch, places)
        if self.device.type == "cuda":
            batch.images, batch.masks = batch.images.pin_memory(), batch.masks.pin_memory()
        return batch

    def share(self, epoch: int, places: list[int]) -> Batch:
        """This process's part of the batch of samples at these places.

        It is made alone where no technique combines images; where one does, the whole batch is.
        """
        own = self.group.share(len(places))
        if any(hooks.combines for hooks in self.data_hooks.values()):
            return self.batch(epoch, places).take(own)
        return self.batch(epoch, [places[n] for n in own])

    def terms(self, outputs: Outputs, batch: Batch) -> dict[str, Term]:
        with torch.autocast(self.device.type, enabled=False):  # sums over pixels need full precision
            return self.config.model.terms(outputs, batch, self.loss, self.step / self.total_steps)

    def objective(self, batch: Batch) -> dict[str, Term]:
        """The terms of one training step, through every technique that wraps them."""

        def plain(batch: Batch) -> dict[str, Term]:
            with self.autocast:
                outputs = self.model(batch.images)
            return self.terms(outputs, batch)

        objective: Objective = plain
        for hooks in self.step_hooks.values():
            objective = wrapped(hooks, objective)
        return objective(batch)

    def parts(self, batch: Batch) -> list[Batch]:
        """The batch in the parts that go through the network one after another."""
        parts = [batch]
        for hooks in self.step_hooks.values():
            parts = [smaller for part in parts for smaller in hooks.parts(part)]
        count = -int(self.group.highest(torch.tensor(-len(parts))))
        if count < len(parts):  # an image more than others have: where batch norm waits for them, it would for good
            places = range(len(batch.index))
            parts = [
                batch.take([*places[n * len(places) // count : (n + 1) * len(places) // count]]) for n in range(count)
            ]
        return parts

    def anywhere(self, here: bool) -> bool:
        return bool(self.group.highest(torch.tensor(float(here))))

    def norms(self, batch: Batch) -> dict[str, Tensor]:
        """What the objective's terms that add up over images are divided by."""
        norms = self.config.model.norms(batch, self.loss)
        for hooks in self.step_hooks.values():
            norms = hooks.norms(batch, norms)
        return norms

    def advance(self, batch: Batch) -> tuple[float, dict[str, float], dict[str, float]]:
        """One step of the optimizer, unless the loss is not finite; gives the total loss, its raw terms and their
        weights.

        Where the batch comes in parts, here or in several processes, each part's terms count by their share of the
        batch's norms, so that they add up to the batch's own; those without norms by the share of the images.
        """
        group = self.group
        self.seed_torch("step", self.step, *[group.rank] * (group.rank > 0))  # each process drops out on its own
        self.model.train()
        self.optimizer.zero_grad()
        if group.size > 1:
            sizes = torch.tensor(batch.masks.shape[1:])
            batch = padded(batch, *group.highest(sizes).tolist())
        batch = batch.to(self.device)
        parts = self.parts(batch)
        norms, images = self.whole_norms(batch) if len(parts) > 1 or group.size > 1 else ({}, len(batch.index))
        loss = 0.0
        values: dict[str, float] = {}
        weights: dict[str, float] = {}
        for part in parts:
            shares = {name: per(norm, norms[name]) for name, norm in self.norms(part).items()} if norms else {}
            weighted: list[Tensor] = []
            for name, term in self.objective(part).items():
                value = term.value * shares.get(name, len(part.index) / images)
                weighted.append(term.weight * value)
                values[name] = values.get(name, 0.0) + float(value.detach())
                weights[name] = float(term.weight)
            total = reduce(add, weighted)
            self.scaler.scale(total).backward()
            loss += float(total.detach())
        loss, *each = group.sum(torch.tensor([loss, *values.values()], dtype=torch.float64)).tolist()
        values = dict(zip(values, each, strict=True))
        if math.isfinite(loss):
            learning = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            group.sum_gradients(learning)
            self.scaler.unscale_(self.optimizer)
            for hooks in self.step_hooks.values():
                hooks.on_grads()
            if self.config.optimizer.clip:
                torch.nn.utils.clip_grad_norm_(learning, self.config.optimizer.clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            for hooks in self.step_hooks.values():
                hooks.on_step()
            self.step, self.lr = self.step + 1, self.optimizer.param_groups[0]["lr"]
            self.scheduler.step()
        return loss, values, weights

    def apart(self) -> tuple[list[str], list[str]]:
        """The terms that do not add up over the parts of a batch, and the techniques that let its images meet."""
        batch = self.batch(0, self.order(0)[:1]).to(self.device)
        logits = torch.zeros(1, len(self.data.classes), *batch.masks.shape[1:], device=self.device)
        terms = [name for name in self.loss.terms(Outputs(logits), batch, 0.0) if name not in self.norms(batch)]
        return terms, [name for name, hooks in self.step_hooks.items() if hooks.mixes_images]

    def whole_norms(self, batch: Batch) -> tuple[dict[str, Tensor], float]:
        """The norms and the count of images of the batch of which this process has a part."""
        own = self.norms(batch)
        count = torch.tensor(float(len(batch.index)), device=self.device)
        *norms, images = self.group.sum(torch.stack([*own.values(), count])).unbind()
        return dict(zip(own, norms, strict=True)), float(images)

    def reason(self) -> Reason | None:
        """Why the run ends after the present step, as the first process has it; None where it goes on."""
        found: Reason | None = "stopped" if self.should_stop() else "budget" if self.out_of_budget() else None
        return self.group.first(found)

    def agree(self) -> None:
        """Has every process at the place where the first one is."""
        if self.group.size > 1:
            state = self.group.first(pickled(self.state_dict()) if self.group.rank == 0 else b"")
            if self.group.rank:
                self.load_state_dict(torch.load(io.BytesIO(state), map_location=self.device, weights_only=True))

    def is_finite(self) -> bool:
        """Whether all weights and statistics of the model to evaluate are finite."""
        return all(bool(torch.isfinite(value).all()) for value in self.evaluated_model().state_dict().values())

    def evaluate(self, reason: Reason | None = None) -> Evaluated:
        """Scores the model on every set; the label maps and matrices stay in `evaluations` until the next time.

        Where stopping is the reason, within an epoch, the best so far stays the best: a run that goes on from there
        ends as if it had not been stopped. Before the first epoch is over, when there is none, it is provisional.
        """
        began = time.monotonic()
        model = self.evaluated_model()
        with self.autocast:
            for name, samples in self.scored.items():
                keep = self.samples if name == "val" else None
                self.evaluations[name] = evaluate(model, samples, self.terms, keep, self.targets, self.group)
        self.evaluation_seconds = time.monotonic() - began
        scores = {name: evaluation.score() for name, evaluation in self.evaluations.items()}
        if self.step % self.steps_per_epoch == 0:
            self.scheduler.evaluated(scores["search"])
            reason = None
        miou = scores["search"].miou or 0.0  # None where no pixel is labeled
        finite, known = all(math.isfinite(score.loss) for score in scores.values()), self.best
        higher = known is None or known.provisional or (reason != "stopped" and miou > known.search_miou)
        best = finite and higher
        if best:
            self.best = Best(self.epoch, miou, scores["val"].miou)
        return Evaluated(
            step=self.step,
            seconds=self.seconds,
            epoch=self.epoch,
            lr=self.lr,
            images_per_second=self.images_per_second,
            scores=scores,
            best=best,
            notes=[Sentence.of(problem) for problem in self.store.problems()],
        )

    def notes(self) -> list[SeglabError]:
        """What a person should know of the data, the loss and the techniques."""
        told = []
        for name in (technique.name for technique in in_order(self.config.techniques)):
            for hooks in (self.data_hooks, self.step_hooks):
                told += hooks[name].notes() if name in hooks else []
        network = self.config.model.suited(self.config.image_size).notes()
        advice = self.config.model.advice(self.config)
        lost = self.train.lost(self.data.classes)
        kept = self.store.notes(sum(map(len, (self.train, *self.scored.values()))))
        told += self.shared() if self.group.size > 1 else []
        return [*advice, *self.data.warnings, *lost, *kept, *network, *self.loss.notes(self.data.classes), *told]

    def shared(self) -> list[SeglabError]:
        """In what a run of several processes is not as one of a single process."""
        terms, mixing = self.apart()
        told = []
        if any(isinstance(module, nn.BatchNorm2d) for module in self.model.modules()):
            told.append(SeglabError("processes: batch norm sees the whole batch, as in one process"))
        if terms:
            told.append(
                SeglabError(
                    "processes: {terms} cannot be summed over images; the mean over the processes' parts of a batch is "
                    "used instead",
                    terms=", ".join(terms),
                )
            )
        if mixing:
            told.append(
                SeglabError(
                    "processes: {techniques} can only combine images of one process's part of a batch",
                    techniques=", ".join(mixing),
                )
            )
        return told

    def started(self) -> Started:
        packages = ("torch", "numpy", "pydantic", "albumentations")
        return Started(
            step=self.step,
            seconds=self.seconds,
            resumed_at=self.step or None,
            parameters=parameters(self.model),
            device=torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            threads=self.threads,
            processes=self.group.size,
            precision=self.precision,
            steps_per_epoch=self.steps_per_epoch,
            total_steps=self.total_steps,
            images={"train": len(self.data.train), "search": len(self.data.search), "val": len(self.data.val)},
            dataset=self.data.digests,
            loss=self.loss.model_dump(mode="json"),
            notes=[Sentence.of(note) for note in self.notes()],
            versions={"seglab": __version__, "python": platform.python_version()} | {p: version(p) for p in packages},
        )

    def finished(self, reason: Reason, why: SeglabError | None = None) -> Finished:
        best = self.best
        return Finished(
            step=self.step,
            seconds=self.seconds,
            reason=reason,
            why=None if why is None else Sentence.of(why),
            epoch=self.epoch,
            parameters=parameters(self.model),
            best_epoch=None if best is None else best.epoch,
            search_miou=None if best is None else best.search_miou,
            val_miou=None if best is None else best.val_miou,
        )


def computed_in(precision: str, device: torch.device) -> torch.dtype:
    """What the network's large sums are computed in on a device: float32, or 16 bits that suit it."""
    cuda = device.type == "cuda"
    if precision == "full" or (precision == "auto" and not cuda and not machine.native_bfloat16()):
        return torch.float32
    return torch.float16 if cuda and not torch.cuda.is_bf16_supported() else torch.bfloat16


def pickled(state: dict[str, Any]) -> bytes:
    """What `torch.load` makes this state of again."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def wrapped(hooks: StepHooks, inner: Objective) -> Objective:
    return lambda batch: hooks.objective(batch, inner)


def folded(data: Data, config: RunConfig) -> Data:
    """The data with one contiguous part of the training images held out for validation, where the run is a fold."""
    if config.fold is None:
        return data
    count = len(data.train)
    start, end = (count * (config.fold.index + n) // config.fold.of for n in (0, 1))
    rest = [n for n in range(count) if not start <= n < end]
    if start == end or len(rest) < 2:
        raise SeglabError("{count} training images are too few for {of} folds", count=count, of=config.fold.of)
    halves = Data.halved(train=data.train.take(rest), val=data.train.take(range(start, end)), classes=(), colors=())
    return replace(data, train=halves.train, search=halves.search, val=halves.val)


def train(run: Run) -> Iterator[Event]:
    """Trains the run to its end. It is suspended at each event, so whoever reads them may look at the run meanwhile.

    Stopping and the time budget are looked at after each step; then the model is scored once more and `Finished` comes.
    A loss that is not finite ends the run as `diverged`, with the best weights so far untouched.
    """
    yield run.started()
    reason: Reason | None = None
    reported = 0.0
    while run.step < run.total_steps and not reason:
        epoch, done = divmod(run.step, run.steps_per_epoch)
        for hooks in run.step_hooks.values():
            hooks.on_epoch(epoch)
        places = batches(run.order(epoch), run.config.batch_size)[done:]
        with closing(ahead(partial(run.share, epoch), places)) as loader:
            began = time.monotonic()
            for batch in loader:
                loss, terms, weights = run.advance(batch)
                run.step_seconds, run.timed_steps = run.step_seconds + time.monotonic() - began, run.timed_steps + 1
                began = time.monotonic()  # the wait for the next batch counts too
                if not math.isfinite(loss):
                    why = SeglabError("the loss became {loss} after step {step}", loss=loss, step=run.step)
                    yield run.finished("diverged", why)
                    return
                if time.monotonic() - reported >= REPORT_SECONDS:
                    reported = time.monotonic()
                    yield Stepped(
                        step=run.step,
                        seconds=run.seconds,
                        epoch=run.epoch,
                        loss=loss,
                        terms=terms,
                        term_weights=weights,
                        lr=run.lr,
                        images_per_second=run.images_per_second,
                        seconds_left=run.seconds_left,
                    )
                if reason := run.reason():
                    break
        if not run.is_finite():
            why = SeglabError("some weights are not finite after step {step}", step=run.step)
            yield run.finished("diverged", why)
            return
        evaluated = run.evaluate(reason)
        if not math.isfinite(sum(score.loss for score in evaluated.scores.values())):
            why = SeglabError("the validation loss is not finite after step {step}", step=run.step)
            yield run.finished("diverged", why)
            return
        yield evaluated
    yield run.finished(reason if reason and run.step < run.total_steps else "completed")
