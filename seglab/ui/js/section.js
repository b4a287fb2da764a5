// A step that was opened, on the page: its title, by which it is folded, what it holds, and the way on.
import { meanwhile } from "./live.js";
import { kinds } from "./steps.js";
import { el, marked, t } from "./text.js";

export class Section {
  constructor(lesson, n) {
    Object.assign(this, { lesson, n, step: lesson.steps[n] });
    this.head = el(
      "button.fold-step",
      {
        type: "button",
        attrs: { "aria-expanded": "false" },
        on: { click: () => this.fold(!this.body.hidden) },
      },
      `${n + 1}. ${lesson.title(n)}`,
    );
    this.body = el("div.step-body", { hidden: true });
    this.root = el(
      "section.lesson-step",
      {
        data: { kind: this.step.kind },
        attrs: { "aria-label": lesson.title(n) },
      },
      el(
        "header",
        {},
        el("h2", {}, this.head),
        this.step.minutes
          ? el("small", {}, t("{minutes} min", { minutes: this.step.minutes }))
          : null,
      ),
      this.body,
    );
    for (const event of ["opened", "answered"])
      lesson.addEventListener(event, () => this.way());
  }

  // Folds it, or unfolds it, which draws it when it is done first.
  fold(on) {
    this.body.hidden = on;
    this.head.setAttribute("aria-expanded", String(!on));
    if (on || this.drawn) return;
    this.drawn = true;
    const { step, lesson, n } = this;
    this.notes = el("div");
    this.on = el(
      "button.act.main.go-on",
      { type: "button", on: { click: () => lesson.open(n + 1) } },
      t("Go on"),
    );
    this.body.append(
      this.notes,
      kinds.get(step.kind)(step, lesson, n),
      meanwhile(step, lesson, n),
      this.on,
    );
    this.note();
    this.way();
  }

  // What a teacher is told.
  note() {
    const { notes } = this.step;
    if (!this.drawn) return;
    this.notes.replaceChildren(
      this.lesson.teach && notes
        ? el(
            "aside.notes",
            {},
            el("b", {}, t("Teacher's notes")),
            marked(notes),
          )
        : "",
    );
  }

  // "Go on" is the visitor's press, once a question is answered or skipped.
  way() {
    if (!this.drawn) return;
    const { lesson, n, step } = this;
    this.on.hidden =
      n < lesson.reached ||
      n === lesson.steps.length - 1 ||
      (step.kind === "ask" && !lesson.answer(step.id));
  }

  // Brings it before the visitor; one that they asked for smoothly, and to those who do not see it.
  scroll(asked = false) {
    this.root.scrollIntoView({
      block: "start",
      behavior: asked ? "smooth" : "auto",
    });
    if (asked) this.head.focus({ preventScroll: true });
  }
}
