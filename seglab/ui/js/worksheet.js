// A worksheet: the form as a link that shows some of its fields, with a title and a task. And what makes one.
import { copied } from "./address.js";
import { coded } from "./qr.js";
import { el, t } from "./text.js";

export const LONGEST = 500; // characters of a title and of a task

// What makes a worksheet of a form as it stands.
export class Maker {
  constructor(form) {
    this.form = form;
    this.title = el("input", { type: "text", maxLength: LONGEST });
    this.task = el("textarea", { rows: 3, maxLength: LONGEST });
    this.boxes = Object.entries(form.parts()).map(([name, [first]]) => {
      const box = el("input", { type: "checkbox", value: name, checked: true });
      return { box, label: el("label", {}, box, named(first)) };
    });
    const label = (text, field) => el("label.worded", {}, text, field);
    this.code = el("div.qr", { hidden: true });
    this.told = el("p.hint", { attrs: { role: "status" } });
    this.root = el(
      "details.card.more.maker",
      {
        on: {
          input: (event) => {
            event.stopPropagation(); // it is no setting of a run
            this.code.hidden = true;
          },
        },
      },
      el("summary", {}, t("Make a worksheet for a class")),
      label(t("Title"), this.title),
      label(t("Task"), this.task),
      el(
        "fieldset",
        {},
        el("legend", {}, t("What stays visible")),
        this.boxes.map(({ label }) => label),
      ),
      el(
        "p.hint",
        {},
        t(
          "Hidden is not locked: whoever changes the address sees everything. What binds everybody is what the server allows: its queue, image sizes and time.",
        ),
      ),
      el(
        "span.buttons",
        {},
        this.button(t("Copy link"), ({ target }) => copied(this.link, target)),
        this.button(t("QR code"), () => this.paint()),
      ),
      this.code,
      this.told,
    );
  }

  button(text, click) {
    return el("button.act", { type: "button", on: { click } }, text);
  }

  get link() {
    const seen = this.boxes.filter(({ box }) => box.checked),
      whole = seen.length === this.boxes.length,
      given = {
        only: whole ? "" : seen.map(({ box }) => box.value).join(),
        title: this.title.value.trim(),
        task: this.task.value.trim(),
      },
      query = new URLSearchParams(
        Object.entries(given).filter(([, value]) => value),
      );
    for (const [key, value] of Object.entries(this.form.settings()))
      query.set(key, value);
    const text = query.toString().replaceAll("%2C", ",");
    return `${location.href.split("#")[0]}#train?${text}`;
  }

  async paint() {
    const canvas = await coded(this.link);
    this.code.hidden = !canvas;
    this.code.replaceChildren(...(canvas ? [canvas] : []));
    this.told.textContent = canvas
      ? ""
      : t("The link is too long for a QR code: shorten the task, or copy it.");
  }
}

// What a part of the form is called on it.
const named = (part) =>
  (part.querySelector("legend, label b") ?? part).textContent.trim();
