"""The Train tab: pick models, start runs, and watch them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import jobs, plans, runs, uploads
from seglab.config import RunConfig
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Dataset
from seglab.jobs import zerogpu
from seglab.ui import views
from seglab.ui.form import UPLOAD_FIRST, Form, collecting, fill, uploaded
from seglab.ui.text import label, language, say, told
from seglab.ui.travel import Travel

POLL_SECONDS = 2
FORGOTTEN = "forgotten"  # instead of an upload's reference: Gradio's BrowserState never stores an empty value
LATEST = "latest"
SHOWN_AT_FIRST = 4  # finished runs that a new page shows beside those under way
ACTIONS = {"stop": jobs.stop, "resume": jobs.resubmit, "cpu": zerogpu.leave, "wait": zerogpu.stay}  # of a run's buttons
TELL_ROW = """element.addEventListener('click', event => {
  const button = event.target.closest('button.act');
  if (!button) return;
  const {run, action} = button.dataset;
  if (action !== 'take') button.disabled = true;
  else setTimeout(() => document.querySelector('#travel').scrollIntoView({block: 'nearest', behavior: 'smooth'}), 600);
  trigger('click', {run, action});
});"""


def build() -> None:
    """Builds the tab in the Blocks at hand."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=340):
            form = Form()
            with gr.Column(elem_id="launch"):
                message = gr.HTML(apply_default_css=False, elem_id="train-message")
                start = gr.Button(label("Start"), variant="primary", elem_id="start", size="lg")
        with gr.Column(scale=5, min_width=480):
            shown = views.run_picker("Runs shown here", "train-shown")
            table = gr.HTML(apply_default_css=False, elem_id="jobs", js_on_load=TELL_ROW)
            parcel = Travel()
            curves = gr.HTML(apply_default_css=False, elem_id="train-curves")
            epoch = gr.Dropdown(
                [(label("Latest"), LATEST)],
                value=LATEST,
                label=label("Masks after epoch"),
                elem_id="train-epoch",
                allow_custom_value=True,  # Gradio's own copy of the choices can lag behind the page's
            )
            samples = gr.HTML(apply_default_css=False, elem_id="train-samples")
    seen = gr.State({})
    timer = gr.Timer(POLL_SECONDS)
    live = [shown, table, curves, epoch, samples, seen]

    def begin(request: gr.Request, *given: Any) -> list[Any]:
        def submitted() -> list[Path]:
            configs = form.configs(given)
            configs[0].data.open()  # data that is missing is told now, not by a run that fails
            return lending(jobs.submit(configs), request)

        return begun(submitted, language(request))

    start.click(begin, form.inputs, [shown, message], js=collecting(form.inputs), **views.QUIET).then(
        look, [shown, epoch, seen], live, **views.QUIET
    )
    # a message is of what stood in the form before
    gr.on(form.changes(), None, None, message, js="() => ''", api_visibility="private")
    table.click(act, None, message, **views.QUIET).then(look, [shown, epoch, seen], live, **views.QUIET)
    parcel.wire(table, shown).then(look, [shown, epoch, seen], live, **views.QUIET)
    shown.input(look, [shown, epoch, seen], live, **views.QUIET)
    epoch.input(look, [shown, epoch, seen], live, **views.QUIET)
    timer.tick(look, [shown, epoch, seen], live, **views.QUIET)
    fill(form.panels, form.html)
    form.fill_in()
    about(form)
    inside(form)
    sources(form)
    preview(form)
    schedule(form)
    plan(form, [shown, message]).then(look, [shown, epoch, seen], live, **views.QUIET)
    # A page that is opened, or opened again, attaches to what goes on.
    views.opening(attach, None, [shown, message]).then(look, [shown, epoch, seen], live, **views.QUIET)


def begun(submitted: Callable[[], list[Path]], lang: str) -> list[Any]:
    """What the page shows once runs are in the queue, or why they are not: the dropdown of runs, and a message."""
    try:
        directories = submitted()
    except OSError as problem:
        error = SeglabError("{kind}: {reason}", kind=type(problem).__name__, reason=problem.strerror)
        return [gr.skip(), views.refusal(error, lang)]
    except SeglabError as error:
        return [gr.skip(), views.refusal(error, lang)]
    text = say(
        "Runs added to the queue: {count}. They continue when you close this page.", lang, count=len(directories)
    )
    names = [directory.name for directory in directories]
    configs = [runs.config(directory) for directory in directories]
    advice = dict.fromkeys(told(note, lang) for config in configs for note in config.model.advice(config))
    messages = [(text, "right"), *((note, "note") for note in advice)]
    return [showing(names), "".join(views.render("message.html", lang, text=t, kind=kind) for t, kind in messages)]


def plan(form: Form, started: list[Any]) -> Any:
    """The plan's runs: listed while its part of the form is open, timed and begun by buttons in the list.

    Gives the event of their beginning, which changes `started`.
    """
    inputs = [form.planned, form.plan.picker, *form.inputs]  # the list itself tells whether it is open
    apart: dict[str, Any] = {"js": collecting(inputs), "show_progress": "hidden", "api_visibility": "private"}

    def listed(request: gr.Request, picked: Any, given: Sequence[Any], measure: Any = None) -> str:
        lang = language(request)
        try:
            _, _, steps = form.steps(picked, given)
            if measure:
                steps = plans.settled(steps)
            return views.planned(steps, plans.estimate([step.config for step in steps], measure), lang)
        except SeglabError as error:
            return views.refusal(error, lang)

    def list_runs(request: gr.Request, _: str, picked: Any, *given: Any) -> str:
        return listed(request, picked, given)

    def list_anew(request: gr.Request, listing: str, picked: Any, *given: Any) -> Any:
        return listed(request, picked, given) if listing else gr.skip()

    def time_runs(request: gr.Request, _: str, picked: Any, *given: Any) -> str:
        return listed(request, picked, given, plans.timed_apart)

    def start_runs(request: gr.Request, _: str, picked: Any, *given: Any) -> list[Any]:
        def submitted() -> list[Path]:
            made, title, steps = form.steps(picked, given)
            return lending(plans.submit(made, title, plans.settled(steps)), request)

        return [listed(request, picked, given), *begun(submitted, language(request))]

    changes = [*form.changes(), form.plan.picker.change, form.plan.panel.input]
    form.planning.expand(list_runs, inputs, form.planned, queue=False, **apart)
    form.planning.collapse(lambda: "", None, form.planned, queue=False, api_visibility="private")
    gr.on(changes, list_anew, inputs, form.planned, trigger_mode="always_last", queue=False, **apart)
    form.planned.submit(time_runs, inputs, form.planned, concurrency_id="plan", concurrency_limit=1, **apart)
    return form.planned.click(start_runs, inputs, [form.planned, *started], queue=False, **apart)


def about(form: Form) -> None:
    """The cards of the picked networks: made when they are opened, and again when something changes meanwhile."""
    timed = gr.State(None)  # the networks measured because somebody asked; None while the cards are closed
    inputs = [timed, *form.inputs]
    apart: dict[str, Any] = {"js": collecting(inputs), "show_progress": "hidden", "api_visibility": "private"}
    apart |= {"concurrency_id": "anatomy", "concurrency_limit": 2}

    def shown(timed: list[str], given: Sequence[Any], lang: str) -> list[Any]:
        side = form.run.read(given[-1])["image_size"]
        return [timed, "".join(described(model, side, lang, model["name"] in timed) for model in form.models(given))]

    def expand(request: gr.Request, _: Any, *given: Any) -> list[Any]:
        return shown([], given, language(request))

    def change(request: gr.Request, timed: list[str] | None, *given: Any) -> list[Any]:
        return [gr.skip(), gr.skip()] if timed is None else shown(timed, given, language(request))

    def measure(event: gr.EventData, request: gr.Request, timed: list[str] | None, *given: Any) -> list[Any]:
        return shown([*(timed or []), str(event.model)], given, language(request))

    changed = [form.model.picker.change, form.model.panel.input, form.panel.input]
    form.about.expand(expand, inputs, [timed, form.cards], **apart)
    form.about.collapse(lambda: None, None, timed, queue=False, api_visibility="private")
    form.cards.click(measure, inputs, [timed, form.cards], **apart)
    gr.on(changed, change, inputs, [timed, form.cards], trigger_mode="always_last", **apart)


def inside(form: Form) -> None:
    """What is in the picked data: looked at when its part is opened, and again when the data changes meanwhile."""
    opened = gr.State(False)
    remembered = gr.BrowserState("", storage_key="seglab-upload", secret="seglab")  # or a restart would forget it
    inputs = [opened, *form.inputs]
    apart: dict[str, Any] = {"js": collecting(inputs), "show_progress": "minimal", "api_visibility": "private"}
    apart |= {"concurrency_id": "preview", "concurrency_limit": 1}

    def surveyed(request: gr.Request, *given: Any) -> str:
        return look_inside(form, given, language(request))

    def reveal(request: gr.Request, _: Any, *given: Any) -> list[Any]:
        return [True, surveyed(request, *given)]

    def exchange(request: gr.Request, opened: bool, *given: Any) -> Any:
        return surveyed(request, *given) if opened else gr.skip()

    form.inside.expand(reveal, inputs, [opened, form.surveyed], **apart)
    form.inside.collapse(lambda: False, None, opened, queue=False, api_visibility="private")
    changed = [form.data.picker.change, form.data.panel.input]
    gr.on(changed, exchange, inputs, form.surveyed, trigger_mode="always_last", **apart)

    def accept(request: gr.Request, file: str, *given: Any) -> list[Any]:
        lang = language(request)
        try:
            (options,) = form.data.read("folder", given[-1])
            reference = uploads.take(file, validated(Dataset, options))
        except SeglabError as error:
            return [views.wrong(error, lang, refused=True), gr.skip(), gr.skip(), gr.skip()]
        typed = {"data": {"folder": options | {"upload": reference}}}
        filled = [*("folder" if name == "data" else None for name in form.choices), typed]
        known = views.render("upload.html", lang, reference=reference)
        return [look_inside(form, filled, lang), True, known, reference]

    def adopt(*given: Any) -> Any:
        return "folder" if uploaded(given[-1]) else gr.skip()

    def recall(reference: Any) -> str:
        try:
            uploads.found(reference)
        except SeglabError:
            return ""
        return views.render("upload.html", "en", reference=reference)

    sent, known = [form.upload, *form.inputs], [form.uploaded, remembered]
    # The folder is picked only when the reference stands on the page, since picking it sends what stands there.
    form.upload.upload(accept, sent, [form.surveyed, opened, *known], **apart | {"js": collecting(sent)}).then(
        adopt, form.inputs, form.data.picker, js=collecting(form.inputs), queue=False, api_visibility="private"
    )
    views.opening(recall, remembered, form.uploaded)
    form.surveyed.click(lambda: ["", FORGOTTEN], None, known, **views.QUIET).then(
        exchange, inputs, form.surveyed, **apart
    )


def sources(form: Form) -> None:
    """What the list of data sources says of each, and what picking one opens."""

    def marked(request: gr.Request) -> Any:
        """The data sources, marked where their files are not on this server; the visitor's own are."""
        lang = language(request)
        sources: list[Dataset] = [entry() for entry in FAMILIES["datasets"].entries.values()]  # type: ignore[misc]
        absent = [each.name for each in sources if not each.here and each.name != "folder"]
        named = {name: say("{name} (not on this server)", lang, name=name) for name in absent}
        return gr.Dropdown(choices=[(named.get(name, name), name) for name in form.data.entries])

    def unfolded(*given: Any) -> Any:
        """Opens the part with the upload where it is what the picked source needs."""
        try:
            form.dataset(given)
        except SeglabError:
            return gr.Accordion(open=True)
        return gr.skip()

    views.opening(marked, None, form.data.picker)
    form.data.picker.change(unfolded, form.inputs, form.inside, **{"js": collecting(form.inputs)} | views.QUIET)


def look_inside(form: Form, given: Sequence[Any], lang: str) -> str:
    """What is in the picked data, or what is wrong."""
    own = form.own(given)
    try:
        return views.inside(form.dataset(given), lang, own, form.side(given))
    except SeglabError as error:
        if error.template == UPLOAD_FIRST:  # the button is right above
            return views.render("hint.html", lang, text=UPLOAD_FIRST)
        return views.wrong(error, lang, own=own)


def preview(form: Form) -> None:
    """Training images before and after the picked techniques, made when the button is pressed."""

    def shown(request: gr.Request, *given: Any) -> str:
        lang = language(request)
        try:
            return views.preview(form.configs(given)[0], lang)
        except SeglabError as error:
            return views.refusal(error, lang)

    apart: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    apart |= {"concurrency_id": "preview", "concurrency_limit": 1}
    pressed = form.preview.click(shown, form.inputs, form.previewed, js=collecting(form.inputs), **apart)
    pressed.then(None, None, None, js="() => document.querySelector('#previewed').scrollIntoView({block: 'nearest'})")


def schedule(form: Form) -> None:
    """The scheduler's curve: drawn when its part of the form is first opened, and again when something changes it."""
    opened = gr.State(False)
    inputs = [opened, *form.inputs]
    apart: dict[str, Any] = {"js": collecting(inputs), "show_progress": "hidden", "api_visibility": "private"}
    apart |= {"queue": False}

    def curve(request: gr.Request, *given: Any) -> str:
        lang = language(request)
        try:
            return views.schedule(form.schedule(given), lang)
        except SeglabError as error:
            return views.refusal(error, lang)

    def unfold(request: gr.Request, _: Any, *given: Any) -> list[Any]:
        return [True, curve(request, *given)]

    def alter(request: gr.Request, opened: bool, *given: Any) -> Any:
        return curve(request, *given) if opened else gr.skip()

    pickers = [form.scheduler.picker.change, form.optimizer.picker.change]
    panels = [form.scheduler.panel.input, form.optimizer.panel.input, form.panel.input]
    form.more.expand(unfold, inputs, [opened, form.curve], **apart)
    gr.on([*pickers, *panels], alter, inputs, form.curve, trigger_mode="always_last", **apart)


def described(model: dict[str, Any], side: Any, lang: str, timed: bool) -> str:
    """A network's card, or what is wrong with its options."""
    try:
        config = validated(RunConfig, {"model": model, "image_size": side})
        return views.card(config.model, config.image_size, lang, timed)
    except SeglabError as error:
        return views.refusal(error, lang)


def showing(names: Sequence[str]) -> Any:
    """The dropdown of runs with these shown."""
    return gr.Dropdown(choices=views.named(reversed(own())), value=list(names), multiselect=True)


def own() -> list[Path]:
    """The runs made here, the oldest first; the shipped ones have no place in this tab."""
    return [directory for directory in reversed(runs.every()) if directory.parent == runs.home()]


def attach(request: gr.Request) -> list[Any]:
    """Shows every run that waits or works, and the newest others; and why nothing can be trained, where that is so."""
    directories = own()
    under_way = [directory for directory in directories if not runs.status(directory).over]
    others = [directory for directory in directories if directory not in under_way]
    picked = set(under_way) | set(others[max(0, len(others) - SHOWN_AT_FIRST) :])
    problem = views.unwritable()
    told = views.refusal(problem, language(request)) if problem else ""
    return [showing([directory.name for directory in directories if directory in picked]), told]


def act(event: gr.EventData, request: gr.Request) -> str:
    """Stops or resumes the run of a pressed button."""
    lang = language(request)
    try:
        directory = next((directory for directory in own() if directory.name == event.run), None)
        if event.action == "take":  # which the part for that does
            return ""
        action = ACTIONS.get(event.action)
        if directory is None or action is None:
            raise SeglabError("there is no run {run}", run=repr(event.run))
        if event.action == "resume":
            lending([directory], request)
        action(directory)
    except SeglabError as error:
        return views.refusal(error, lang)
    return ""


def lending(directories: list[Path], request: gr.Request) -> list[Path]:
    """The runs, to which the visitor whose request this is lends their GPU time, where it is lent."""
    for directory in directories if zerogpu.LENDS else ():
        zerogpu.offer(directory, request.session_hash)
    return directories


def look(names: list[str] | None, epoch: float | str | None, seen: dict[str, Any], request: gr.Request) -> list[Any]:
    """What is new since `seen` about the runs; leaves alone on the page what has not changed."""
    if zerogpu.LENDS:
        zerogpu.greet(request.session_hash)
    lang, known = language(request), {directory.name: directory for directory in own()}
    picked = [directory for name, directory in known.items() if name in (names or [])]
    directories = [directory for directory in picked if views.readable(directory)]
    stamped = views.stamp(directories)
    own_epochs = [views.epochs([directory]) for directory in directories]
    reached = views.epochs(directories)
    wanted = epoch if isinstance(epoch, int | float) and epoch in reached else None
    drawn = views.curves(stamped, lang) if directories else None
    now = {
        "choices": list(known),
        "table": views.table(picked, lang, bool(known)),
        "curves": drawn and drawn.version,
        "epochs": reached,
        "samples": (wanted, list(zip(map(str, directories), own_epochs, strict=True))),
    }
    old = {part for part in now if now[part] == seen.get(part)}
    epochs: list[tuple[Any, str | float]] = [(label("Latest"), LATEST)]
    epochs += [(f"{each:g}", each) for each in reached]
    return [
        gr.skip() if "choices" in old else gr.Dropdown(choices=views.named(reversed(known.values()))),
        gr.skip() if "table" in old else now["table"],
        gr.skip() if "curves" in old else drawn.picture if drawn else "",
        gr.skip() if "epochs" in old else gr.Dropdown(choices=epochs),
        gr.skip() if "samples" in old else views.samples(directories, wanted, lang),
        now,
    ]
