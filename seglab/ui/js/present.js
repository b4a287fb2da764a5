// The presenter's view: one step at a time in large type, gone through by arrow keys, with the way to it for the class.
import { carried } from "./brought.js";
import { wayTo } from "./classroom.js";
import { coded } from "./qr.js";
import { el, t } from "./text.js";

const BACK = ["ArrowLeft", "PageUp"],
  ON = ["ArrowRight", "PageDown"]; // the keys, also those of a presenter's remote control

export class Presenter {
  // `leave` goes back to the usual view.
  constructor(lesson, leave) {
    this.lesson = lesson;
    const link = wayTo(lesson);
    this.place = el("span", { attrs: { role: "status" } });
    const step = (text, label, by) =>
      el(
        "button.act",
        {
          type: "button",
          attrs: { "aria-label": label },
          on: { click: () => this.by(by) },
        },
        text,
      );
    this.code = el("button.qr", {
      type: "button",
      attrs: { "aria-label": t("The way to this lesson, larger or smaller") },
      on: { click: () => this.root.classList.toggle("way") },
    });
    this.root = el(
      "div.presenter",
      {},
      el("b", {}, lesson.known.title),
      lesson.code && el("span", {}, t("Class {code}", { code: lesson.code })),
      el(
        "span.steps",
        {},
        step("‹", t("Step before"), -1),
        this.place,
        step("›", t("Next step"), 1),
      ),
      el("button.act", { type: "button", on: { click: leave } }, t("Leave")),
      this.code,
      el(
        "a.link",
        { href: link },
        carried(lesson.name) ? t("The link to this lesson") : link,
      ),
    );
    lesson.addEventListener("opened", () => this.draw());
    lesson.hear(document, "keydown", (event) => this.key(event));
    coded(link).then((canvas) => {
      this.code.hidden = !canvas; // too long for a code
      this.code.replaceChildren(canvas ?? "");
    });
  }

  by(steps) {
    this.lesson.open(this.lesson.at + steps);
  }

  key(event) {
    if (!this.root.checkVisibility() || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select")) return;
    const by = BACK.includes(event.key) ? -1 : ON.includes(event.key) ? 1 : 0;
    if (!by) return;
    event.preventDefault();
    this.by(by);
  }

  draw() {
    const { at, steps } = this.lesson;
    this.place.textContent = `${at + 1} / ${steps.length}`;
  }
}
