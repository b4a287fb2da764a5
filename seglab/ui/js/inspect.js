// A step in which something is looked for: what several runs report, and so many looks at them with the laboratory.
import { view } from "./evidence.js";
import { el, fixed, inline, t } from "./text.js";

const NAMES = () => ({
  curves: t("Curves"),
  where: t("Where do they differ?"),
  real: t("Is it real?"),
  why: t("Why?"),
});
const WHOLE = ["curves"]; // of all runs; others have two sides

export const inspect = (step, lesson, n) =>
  new Inspection(step, lesson, n).root;

// Shows a look in a place; gives what closes it.
function looked(place, { view: name, a, b }, { step, lesson, n }) {
  const opened = { view: name, mode: "who", at: "classes", without: [] },
    asked = a ? { view: name, a, b } : { view: name };
  return view(place, { ...step, view: opened, after: [] }, lesson, n, asked);
}

// How a question was come to: the looks that were taken before it, each of which can be had again.
export function retraced(lesson, id) {
  const asked = lesson.steps.findIndex((step) => step.id === id),
    n = lesson.steps.findLastIndex(
      ({ kind }, k) => kind === "inspect" && k < asked,
    );
  if (n < 0 || !lesson.looks(n).length) return null;
  const step = lesson.steps[n],
    place = el("div.view");
  let close;
  const open = (look) => {
    close?.();
    close = looked(place, look, { step, lesson, n });
  };
  return el(
    "div.retraced",
    {},
    el("p", {}, t("You looked here, in this order:")),
    path(lesson, n, open),
    place,
  );
}

class Inspection {
  constructor(step, lesson, n) {
    Object.assign(this, { step, lesson, n });
    this.table = el("div.reported");
    this.place = el("div.view");
    this.asking = el("form.asking", {
      on: {
        submit: (event) => {
          event.preventDefault();
          this.look(this.wanted());
        },
      },
    });
    this.path = el("div");
    this.root = el(
      "div.inspect",
      {},
      el("p", {}, inline(step.text)),
      this.table,
      this.asking,
      this.path,
      this.place,
    );
    this.build();
    this.draw();
    this.report();
  }

  build() {
    const { of, views } = this.step,
      option = (value, text) => el("option", { value }, text);
    this.which = el(
      "select",
      {
        attrs: { "aria-label": t("View") },
        on: { change: () => this.draw() },
      },
      views.map((name) => option(name, NAMES()[name])),
    );
    this.sides = ["A", "B"].map((name) =>
      el(
        "select",
        {
          attrs: { "aria-label": t("Side {name}", { name }) },
          on: { change: () => this.draw() },
        },
        of.map((key) => option(key, this.lesson.settings[key])),
      ),
    );
    this.sides[1].selectedIndex = 1;
    this.button = el("button.act.main", { type: "submit" }, t("Look"));
    this.left = el("small", { attrs: { role: "status" } });
    this.asking.append(this.which, ...this.sides, this.button, this.left);
  }

  // What the runs are said to have, which costs no look.
  async report() {
    try {
      const { settings } = await this.lesson.step(this.n);
      this.table.replaceChildren(reported(settings));
    } catch ({ message }) {
      this.table.replaceChildren(el("p.message.note", {}, message));
    }
  }

  wanted() {
    const name = this.which.value,
      [a, b] = this.sides.map((side) => side.value);
    return WHOLE.includes(name) ? { view: name } : { view: name, a, b };
  }

  draw() {
    const { view: name, a, b } = this.wanted(),
      looks = this.lesson.looks(this.n),
      left = this.step.most - looks.length;
    for (const side of this.sides) side.hidden = WHOLE.includes(name);
    this.button.disabled = left <= 0 || (a !== undefined && a === b);
    this.left.textContent = t("{left} of {most} looks left", {
      left,
      most: this.step.most,
    });
    this.path.replaceChildren(
      path(this.lesson, this.n, (look) => this.show(look)),
    );
  }

  look(wanted) {
    const looks = this.lesson.looks(this.n),
      same = (look) => ["view", "a", "b"].every((k) => look[k] === wanted[k]);
    if (!looks.some(same)) this.lesson.look(this.n, [...looks, wanted]);
    this.draw();
    this.show(wanted);
  }

  show({ view: name, a, b }) {
    this.close?.();
    this.close = looked(this.place, { view: name, a, b }, this);
  }
}

const reported = (settings) =>
  el(
    "table.scores",
    {},
    el("caption", {}, t("As reported")),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", {}, t("Run")),
        el("th.n", {}, t("Seed")),
        el("th.n", {}, "mIoU"),
      ),
    ),
    el(
      "tbody",
      {},
      settings.map(({ title, dots: [{ seed, score }] }) =>
        el(
          "tr",
          {},
          el("th", { attrs: { scope: "row" } }, title),
          el("td.n", {}, `${seed}`),
          el("td.n", {}, fixed(score)),
        ),
      ),
    ),
  );

// The looks that were taken, in their order, each with what it told; `open` shows one again.
function path(lesson, n, open) {
  const looks = lesson.looks(n);
  if (!looks.length) return el("div");
  const name = ({ view: name, a, b }) =>
    a
      ? `${NAMES()[name]} ${lesson.settings[a]} | ${lesson.settings[b]}`
      : NAMES()[name];
  return el(
    "ol.looks",
    {},
    looks.map((look, k) =>
      el(
        "li",
        {},
        el(
          "button.link",
          { type: "button", on: { click: () => open(look) } },
          name(look),
        ),
        el("input", {
          value: look.note ?? "",
          attrs: {
            maxlength: 200,
            placeholder: t("What does it tell you?"),
            "aria-label": t("What does it tell you?"),
          },
          on: {
            change: (event) => {
              const now = lesson.looks(n);
              now[k] = { ...now[k], note: event.target.value };
              lesson.look(n, now);
            },
          },
        }),
      ),
    ),
  );
}
