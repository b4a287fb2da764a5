// The Learn tab: the list of lessons, and the one that is open.
import { about, named, opening, place, tools } from "./about.js";
import { address } from "./address.js";
import { kept } from "./kept.js";
import { known, Lesson, placeOf } from "./lesson.js";
import { Outline } from "./outline.js";
import { Presenter } from "./present.js";
import { Section } from "./section.js";
import { Sheets } from "./sheets.js";
import { el, t } from "./text.js";

export function learn(element, trigger) {
  tab.mount(element, trigger);
  return (answer) =>
    tab.lesson?.dispatchEvent(new CustomEvent("live", { detail: answer }));
}

// What the server knows of a lesson; `teach`: with the notes for teachers.
const asked = (name, teach) =>
  known(`lesson/${encodeURIComponent(name)}${teach ? "?teach" : ""}`);

class Learn {
  root = el("div.learn");

  constructor() {
    this.trigger = new Promise((done) => (this.triggered = done));
    address.addEventListener("read", () => this.follow());
    address.addEventListener("tab", () => this.back());
    // What the address names is asked for, and shown, before Gradio has made the page.
    const [, query] = location.hash.match(/^#learn\?(.*)$/s) ?? [],
      own = new URLSearchParams(query);
    if (!own.has("lesson") && !own.has("own")) return;
    this.early = this.ask(Object.fromEntries(own), own.has("teach"));
    this.early.catch(() => {}); // told where it is shown
    this.screen = el("div", { id: "first-lesson" }, this.root);
    document.body.prepend(this.screen);
  }

  mount(element, trigger) {
    this.triggered(trigger);
    element.replaceChildren(this.root);
    this.screen?.remove();
    if (this.lesson?.at) this.at.scroll();
  }

  // Takes over what the address says.
  follow() {
    if (address.tab !== "learn") return;
    const { lesson, own, step, class: code = "" } = address.own,
      name = own ?? lesson,
      given = {
        code,
        teach: "teach" in address.own,
        present: "present" in address.own,
      },
      key = JSON.stringify([name, code, given.present]);
    if ("sheets" in address.own) this.read();
    else if (!name) this.list();
    else if (this.lesson && this.key === key)
      this.lesson.open(step ? step - 1 || 0 : this.lesson.at);
    else {
      this.key = key;
      this.show({ lesson, own }, given, step);
    }
  }

  // The tab was opened. Where a link did it, that is followed first.
  async back() {
    await null;
    if (address.tab !== "learn") return;
    if (this.lesson && !address.own.lesson) this.write();
    else if (!this.key && !this.root.firstChild) this.follow();
  }

  own() {
    const { name, code, teach, present, at } = this.lesson;
    return {
      ...place(name),
      class: code,
      teach: teach ? "1" : "",
      present: present ? "1" : "",
      step: at + 1,
    };
  }

  // --- the list

  async list(wrong = "") {
    this.lesson?.close();
    this.key = this.lesson = this.at = null;
    const notice =
      wrong && el("p.message.wrong", { attrs: { role: "alert" } }, wrong);
    let cards = [];
    try {
      cards = (await known("lessons")).map(card);
    } catch ({ message }) {
      cards = [el("p.message.wrong", {}, message)];
    }
    if (this.key) return; // one was opened meanwhile
    this.root.replaceChildren(
      ...[
        notice,
        el("h2", {}, t("Lessons")),
        el(
          "p.hint",
          {},
          t(
            "You say what will come out, and then see what did: every figure is measured on runs that you can open and train again.",
          ),
        ),
        el("div.lessons", {}, cards),
        (this.opening ??= opening()), // once: it may have something to tell
        el(
          "p.hint",
          {},
          el("a", { href: "#learn?sheets=1" }, t("Read sheets")),
          " ",
          t(
            "For teachers: what a class answered, from the sheets it handed in.",
          ),
        ),
      ].filter(Boolean),
    );
  }

  // The sheets of a class.
  read() {
    this.lesson?.close();
    this.key = "sheets";
    this.lesson = this.at = null;
    this.sheets ??= new Sheets();
    this.root.replaceChildren(this.sheets.root);
  }

  // --- a lesson

  // What the server knows of the lesson that an address has.
  async ask(own, teach) {
    return asked(await named(own), teach);
  }

  async show(own, given, step) {
    const { key } = this;
    let found;
    try {
      found = await (this.early ?? this.ask(own, given.teach));
    } catch ({ message }) {
      if (key === this.key) this.list(message);
      return;
    } finally {
      this.early = null;
    }
    if (key !== this.key) return;
    this.lesson?.close();
    const trigger = (...sent) => this.trigger.then((send) => send(...sent));
    this.lesson = new Lesson(found, { ...given, trigger });
    this.draw();
    this.lesson.open(step ? step - 1 || 0 : this.lesson.reached);
  }

  draw() {
    const { lesson } = this;
    this.sections = [];
    this.at = null;
    this.outline = new Outline(lesson, this);
    this.steps = el("div.lesson-steps");
    this.outline.sheet.append(tools(lesson));
    if (!lesson.present) this.steps.append(about(lesson));
    if (!lesson.present && !kept.lasts) this.steps.append(forgetful());
    const root = el(
      "div.lesson",
      { data: { present: lesson.present } },
      lesson.present
        ? new Presenter(lesson, () => this.present(false)).root
        : this.outline.root,
      this.steps,
    );
    lesson.addEventListener("opened", () => this.opened());
    this.root.replaceChildren(root);
  }

  // A step is open: those up to the last that ever was are there, the others of them folded as they were.
  opened() {
    const { lesson, sections } = this;
    for (let n = sections.length; n <= lesson.reached; n++) {
      sections.push(new Section(lesson, n));
      this.steps.append(sections[n].root);
    }
    const before = this.at;
    this.at = sections[lesson.at];
    for (const each of sections) each.root.dataset.open = each === this.at;
    this.at.fold(false);
    if (before || lesson.at) this.at.scroll(Boolean(before));
    this.write();
  }

  // Writes what is open into the address.
  write() {
    address.set(this.own());
  }

  // --- what the outline asks for

  async teach(on) {
    const { lesson } = this;
    if (on) {
      const { steps } = await asked(lesson.name, true);
      steps.forEach(({ notes }, n) => (lesson.steps[n].notes = notes));
    }
    lesson.teach = on;
    this.write();
    this.outline.draw();
    for (const section of this.sections) section.note();
  }

  present(on) {
    this.lesson.present = on;
    this.write();
    this.follow();
  }

  // Opens the lesson as a class has it.
  give(code) {
    this.lesson.code = code;
    this.write();
    this.follow();
  }

  startOver() {
    this.lesson.forget();
    address.set({ step: "" });
    this.key = null;
    this.follow();
  }
}

// Before the first step of a lesson, where nothing that is answered can be kept.
const forgetful = () =>
  el(
    "p.message.note",
    {},
    t(
      "This browser keeps nothing of this page: your answers are gone when you close or reload it. Take your sheet away before.",
    ),
  );

// A lesson in the list.
function card({
  name,
  title,
  error,
  first,
  goal,
  source,
  minutes,
  questions,
  runs,
}) {
  if (error)
    return el(
      "div.card",
      {},
      el("b", {}, name),
      el("p.message.wrong", {}, error),
    );
  const begun = Object.keys(kept.get(placeOf(name), {}).times ?? {}).length;
  return el(
    "a.card",
    { href: `#learn?lesson=${encodeURIComponent(name)}` },
    el("b", {}, title),
    el("span.first", {}, first || goal),
    el("span.goal", {}, first ? goal : ""),
    el("small", {}, source),
    el(
      "small.numbers",
      {},
      t("{minutes} min", { minutes }),
      ` · ${t("{count} questions", { count: questions })} · ${t("{count} runs", { count: runs })}`,
      begun ? el("span.mark.mine", {}, t("begun")) : null,
    ),
  );
}

const tab = new Learn();
