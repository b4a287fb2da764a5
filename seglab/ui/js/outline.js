// The outline of a lesson: its steps, how far the visitor is, and what a teacher needs. On a phone a line of dots.
import { classroom } from "./classroom.js";
import { trained } from "./live.js";
import { el, t } from "./text.js";

export class Outline {
  // `owner` opens steps, starts over, and shows a teacher's notes.
  constructor(lesson, owner) {
    Object.assign(this, { lesson, owner });
    this.links = lesson.steps.map((step, n) => this.link(step, n));
    this.dots = lesson.steps.map(() => el("i"));
    this.place = el("small");
    this.chip = el("small.under-way"); // beside the dots
    this.time = el("p.hint");
    this.classroom = classroom(lesson, (code) => owner.give(code));
    this.summary = el(
      "button.dots",
      {
        type: "button",
        attrs: { "aria-expanded": "false", "aria-controls": "outline-steps" },
        on: { click: () => this.unfold(!this.unfolded) },
      },
      el("b", {}, lesson.known.title),
      this.chip,
      this.place,
      el("span", { attrs: { "aria-hidden": "true" } }, this.dots),
    );
    this.reader = el("a", { href: "#learn?sheets=1" }, t("Read sheets"));
    this.sheet = el(
      "div.outline-sheet",
      { id: "outline-steps" },
      el("a", { href: "#learn" }, t("All lessons")),
      el("h2", {}, lesson.known.title),
      el("p.hint", {}, lesson.known.goal),
      lesson.code && el("p.hint", {}, t("Class {code}", { code: lesson.code })),
      el(
        "ol",
        {},
        this.links.map((link) => el("li", {}, link)),
      ),
      this.time,
      this.buttons(),
      this.classroom,
      this.reader,
    );
    this.root = el(
      "nav.outline",
      { attrs: { "aria-label": t("Steps of the lesson") } },
      this.summary,
      this.sheet,
    );
    for (const event of ["opened", "answered"])
      lesson.addEventListener(event, () => this.draw());
  }

  link(step, n) {
    const { lesson } = this;
    return el(
      "button.outline-step",
      { type: "button", on: { click: () => this.pick(n) } },
      el("i", { attrs: { "aria-hidden": "true" } }),
      el(
        "span",
        {},
        `${n + 1}. ${lesson.title(n)} `,
        step.kind === "run" && this.watch(step),
      ),
      step.minutes
        ? el("small", {}, t("{minutes} min", { minutes: step.minutes }))
        : null,
    );
  }

  // How far the runs are that a step has begun, while the lesson goes on.
  watch({ group }) {
    const runs = trained(this.lesson, group),
      chip = el("small.under-way");
    runs.addEventListener("changed", () => {
      for (const each of [chip, this.chip]) each.textContent = runs.chip;
    });
    return chip;
  }

  buttons() {
    const { owner, lesson } = this;
    this.notes = el(
      "button.act",
      {
        type: "button",
        attrs: { "aria-pressed": String(lesson.teach) },
        on: { click: () => owner.teach(!lesson.teach) },
      },
      t("Teacher's notes"),
    );
    const act = (text, click) =>
      el("button.act", { type: "button", on: { click } }, text);
    return el(
      "div.outline-buttons",
      {},
      this.notes,
      act(t("Present"), () => owner.present(true)),
      act(t("Start over"), () => {
        if (confirm(t("Forget all your answers to this lesson?")))
          owner.startOver();
      }),
    );
  }

  pick(n) {
    this.unfold(false);
    this.lesson.open(n);
  }

  unfold(on) {
    this.unfolded = on;
    this.root.classList.toggle("unfolded", on);
    this.summary.setAttribute("aria-expanded", String(on));
  }

  // Whether a step is behind the visitor, before them, or was skipped.
  state(step, n) {
    const { lesson } = this;
    if (n === lesson.at) return "open";
    if (!(n in lesson.times)) return "next";
    const answer = step.id && lesson.answer(step.id);
    return step.id && answer?.first == null ? "skipped" : "done";
  }

  draw() {
    const { lesson } = this,
      names = {
        open: t("open now"),
        next: t("to come"),
        skipped: t("not answered"),
        done: t("done"),
      };
    lesson.steps.forEach((step, n) => {
      const state = this.state(step, n),
        link = this.links[n];
      for (const each of [link, this.dots[n]]) each.dataset.state = state;
      link.title = names[state];
      link.disabled = n > lesson.reached && !lesson.teach;
      if (state === "open") link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    });
    this.place.textContent = `${lesson.at + 1}/${lesson.steps.length}`;
    this.time.textContent = t("{minutes} of {all} minutes", {
      minutes: lesson.minutes(lesson.at),
      all: lesson.known.minutes,
    });
    this.notes.setAttribute("aria-pressed", String(lesson.teach));
    this.classroom.hidden = !lesson.teach;
    this.reader.hidden = !lesson.teach;
  }
}
