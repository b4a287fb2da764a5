// The sheet that a visitor takes away: a page of its own with every answer, what came out, and how to make the same runs.
// It is made here of what the page knows, and nothing of it is sent.
import { STATES } from "./claims.js";
import { right } from "./handed.js";
import { SURE } from "./lesson.js";
import { save } from "./sheet.js";
import { token } from "./store.js";
import { el, inline, lang, t } from "./text.js";

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
  SAID = ["first", "sure", "again", "note"];

export const sheet = (step, lesson) => new Handout(step, lesson).root;

class Handout {
  constructor(step, lesson) {
    Object.assign(this, { step, lesson });
    lesson.state.number ??= token(); // by which the same sheet in two names is noticed
    lesson.save();
    this.build();
    lesson.addEventListener("answered", () => this.draw());
    lesson.addEventListener("opened", () => this.draw());
    this.draw();
  }

  build() {
    const { step } = this;
    this.name = el("input", {
      type: "text",
      maxLength: 80,
      autocomplete: "off",
      on: { change: () => this.draw() },
    });
    this.frame = el("iframe.paper", {
      title: t("Your sheet"),
      attrs: { sandbox: "allow-same-origin allow-modals" },
      on: { load: () => this.fit() },
    });
    new ResizeObserver(() => this.fit()).observe(this.frame);
    const press = (text, act, kind = "") =>
      el(
        `button.act${kind}`,
        { type: "button", on: { click: () => act() } },
        text,
      );
    this.root = el(
      "div.handout",
      {},
      step.keep &&
        el("label.keep", {}, el("b", {}, step.keep), this.sentence()),
      el(
        "label",
        {},
        el("b", {}, t("Your name")),
        this.name,
        el("small", {}, t("only on the sheet, never sent; may stay empty")),
      ),
      el(
        "div.buttons",
        {},
        press(t("Download your sheet"), () => this.download(), ".main"),
        press(t("Print"), () => this.print()),
      ),
      el(
        "p.hint",
        {},
        t(
          "The sheet is made in your browser, and stays with you until you hand it in.",
        ),
      ),
      this.frame,
    );
  }

  sentence() {
    const { state } = this.lesson;
    return el("textarea", {
      rows: 2,
      maxLength: 2000,
      value: state.keep ?? "",
      on: {
        input: ({ target }) => {
          state.keep = target.value;
          this.lesson.save();
        },
        change: () => this.draw(),
      },
    });
  }

  // As high as what is on it, so that it is scrolled with the page.
  fit() {
    const page = this.frame.contentDocument?.documentElement;
    if (page) this.frame.style.height = `${page.scrollHeight + 2}px`;
  }

  async draw() {
    const mine = (this.drawing = {}),
      text = await this.page();
    if (mine === this.drawing) this.frame.srcdoc = text;
  }

  async download() {
    const words = this.name.value.match(/[\p{L}\p{N}]+/gu) ?? [],
      file = ["sheet", this.lesson.name, ...words].join("-");
    save(new Blob([await this.page()], { type: "text/html" }), `${file}.html`);
  }

  async print() {
    const printed = new Promise((done) =>
      this.frame.addEventListener("load", done, { once: true }),
    );
    await this.draw();
    await printed;
    this.frame.contentWindow.print();
  }

  // What it holds for a computer to read.
  data(evidence) {
    const { lesson, name } = this,
      { state, times } = lesson,
      start = Math.min(...Object.values(times));
    return {
      sheet: 1,
      lesson: lesson.name,
      hash: lesson.known.hash,
      number: state.number,
      evidence,
      name: name.value.trim(),
      answers: Object.fromEntries(
        this.asks
          .filter(({ id }) => lesson.answer(id))
          .map(({ id }) => [id, said(lesson.answer(id))]),
      ),
      keep: state.keep ?? "",
      times: lesson.steps.map((_, n) =>
        n in times ? Math.round((times[n] - start) / 1000) : null,
      ),
    };
  }

  get asks() {
    return this.lesson.steps.filter(({ kind }) => kind === "ask");
  }

  // The whole of it, as a file.
  async page() {
    const { lesson } = this,
      nothing = { style: "", evidence: {}, pictures: [], commands: [] },
      known = (asking) => asking.catch(() => null), // the sheet is there without it
      fixed = (await known(lesson.once("sheet"))) ?? nothing;
    const results = await Promise.all(
      this.asks.map(({ id, measured }) =>
        measured && lesson.answer(id) ? known(lesson.result(id)) : null,
      ),
    );
    const documents = await Promise.all(
      lesson.steps.map((step, n) =>
        step.kind === "compare_with_source" && n in lesson.times
          ? known(lesson.step(n))
          : null,
      ),
    );
    const title = `${t("Your sheet")}: ${lesson.known.title}`,
      page = document.implementation.createHTMLDocument(title),
      meta = (attrs) => el("meta", { attrs });
    page.documentElement.lang = lang;
    page.head.prepend(
      meta({ charset: "utf-8" }),
      meta({ "http-equiv": "Content-Security-Policy", content: POLICY }),
      meta({
        name: "viewport",
        content: "width=device-width, initial-scale=1",
      }),
    );
    page.head.append(el("style", {}, fixed.style));
    page.body.append(
      this.head(),
      el(
        "section.questions",
        {},
        this.asks.map((ask, n) => question(lesson, ask, n, results[n])),
      ),
      pictures(fixed.pictures),
      el(
        "div.claims",
        {},
        documents.flatMap((each) => each?.claims ?? []).map(claim),
      ),
      ...this.foot(fixed.commands),
      machine(this.data(fixed.evidence)),
    );
    return `<!doctype html>\n${page.documentElement.outerHTML}\n`;
  }

  head() {
    const { title, goal } = this.lesson.known;
    return el(
      "header",
      {},
      el("div", {}, el("h1", {}, title), el("p.soft", {}, goal)),
      el(
        "div",
        {},
        el("small", {}, t("Name")),
        el("div.who", {}, this.name.value.trim()),
      ),
    );
  }

  foot(commands) {
    const { lesson, step } = this;
    return [
      step.keep &&
        el(
          "section",
          {},
          el("h3", {}, step.keep),
          el("p.written", {}, lesson.state.keep ?? ""),
        ),
      commands.length &&
        el(
          "section",
          {},
          el("h3", {}, t("Make the same runs")),
          el("pre", {}, commands.join("\n")),
        ),
      el(
        "footer",
        {},
        t(
          "seglab, lesson {name}, version {version}. This file also holds your answers for a computer to read.",
          {
            name: lesson.name,
            version: lesson.known.hash,
          },
        ),
      ),
    ].filter(Boolean);
  }
}

const said = (answer) =>
  Object.fromEntries(
    SAID.map((part) => [part, answer[part] ?? (part === "note" ? "" : null)]),
  );

// The answers as JSON, in which no text can end the element.
const machine = (data) =>
  el(
    "script",
    { attrs: { type: "application/json", id: "seglab-sheet" } },
    JSON.stringify(data).replaceAll("<", "\\u003c"),
  );

function question(lesson, ask, n, result) {
  const answer = lesson.answer(ask.id),
    { first = null, again = null, sure = null, note = "" } = answer ?? {};
  const mine = (which, value) => [
    el("span.mine", {}, lesson.said(ask.id, which)),
    right(ask, value, result) ? ` ✓` : "",
  ];
  const rows = [
    [
      ask.when === "before" ? t("Prediction") : t("Answer"),
      first === null
        ? "–"
        : [...mine("first", first), sure ? ` (${SURE()[sure]})` : ""],
    ],
    again !== null && [t("After talking"), mine("again", again)],
    result && [t("Measured"), inline(result.tell)],
    note && [t("Note"), note],
  ].filter(Boolean);
  return el(
    "article",
    {},
    el("h2", {}, `${n + 1}. `, inline(ask.text)),
    el(
      "dl",
      {},
      rows.flatMap(([what, value]) => [
        el("dt", {}, what),
        el("dd", {}, value),
      ]),
    ),
  );
}

const pictures = (all) =>
  el(
    "div.pictures",
    {},
    all.map(({ title, picture }) =>
      el(
        "figure",
        {},
        el("img", { src: picture, alt: title }),
        el("figcaption", {}, title),
      ),
    ),
  );

const claim = ({ where, quote, pairs, summary }) =>
  el(
    "section.claim",
    {},
    el("h3", {}, t("The document"), `: ${where}`),
    el("p", {}, inline(quote)),
    el(
      "ul",
      {},
      pairs.map(({ low, high, state }) =>
        el(
          "li",
          {},
          t("{high} above {low}", { high, low }),
          " ",
          el(`span.state.${state}`, {}, STATES()[state]),
        ),
      ),
    ),
    summary && el("p", {}, summary),
  );
