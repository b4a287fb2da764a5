// A lesson that is open: what it holds, what the visitor answered, and what came of its questions.
import { asked, held } from "./brought.js";
import { kept } from "./kept.js";
import { store } from "./store.js";
import { lang, t } from "./text.js";

const KINDS = () => ({
  read: t("Read"),
  ask: t("Question"),
  run: t("Start a run"),
  show: t("Look"),
  inspect: t("Investigate"),
  discuss: t("Talk"),
  tell: t("Explanation"),
  compare_with_source: t("The document"),
  sheet: t("Your sheet"),
});
export const SURE = () => ({
  guess: t("a guess"),
  fairly: t("fairly sure"),
  sure: t("sure"),
});

// What the server knows below `seglab/`, in the page's language.
export async function known(path) {
  const query = `${path.includes("?") ? "&" : "?"}lang=${lang}`,
    answer = await asked(`seglab/${path}${query}`),
    found = await held(answer);
  if (!answer.ok) throw new Error(found.error);
  return found;
}

export const placeOf = (name) => `seglab-lesson-${name}`;

// Says "answered" (of a question), "opened" (a step), "live" (what the server answered to what was sent) and "closed".
export class Lesson extends EventTarget {
  at = 0; // the step that is open, counted from 0
  closing = new AbortController();

  // `code`: the class's; `teach` shows the notes for teachers; `present` shows one step at a time in large type, and
  // keeps nothing, since it is the class that answers; `trigger` sends to the server what is done here.
  constructor(found, { code, teach, present, trigger }) {
    super();
    Object.assign(this, { known: found, code, teach, present, trigger });
    const { name, steps, settings } = found;
    Object.assign(this, { name, steps, settings });
    this.asked = new Map(); // answers of the server, by path
    const before = present ? {} : kept.get(placeOf(name), {});
    this.state = {
      answers: {},
      times: {},
      looks: {},
      ...before,
      hash: found.hash,
    };
  }

  // When each step was first opened, in milliseconds.
  get times() {
    return this.state.times;
  }

  // The last step that was ever opened.
  get reached() {
    const most = Math.max(0, ...Object.keys(this.times).map(Number));
    return Math.min(most, this.steps.length - 1); // the lesson may have had more
  }

  title(n) {
    return this.steps[n].title ?? KINDS()[this.steps[n].kind];
  }

  // The minutes of all steps up to one, as they are planned.
  minutes(n) {
    return this.steps
      .slice(0, n + 1)
      .reduce((sum, step) => sum + step.minutes, 0);
  }

  question(id) {
    return this.steps.find((step) => step.id === id);
  }

  // Whether what comes of a question is told where it stands: of a check, and of a prediction that no later step tells.
  tellsAtOnce(ask) {
    const after = this.steps.slice(this.steps.indexOf(ask) + 1);
    return (
      ask.measured &&
      (ask.when === "after" ||
        !after.some(({ of, after: all = [] }) => [of, ...all].includes(ask.id)))
    );
  }

  // Whether what comes of a question was told before a step.
  toldBefore(id, n) {
    return this.steps
      .slice(0, n)
      .some(
        (step) =>
          [step.of, ...(step.after ?? [])].includes(id) ||
          (step.id === id && this.tellsAtOnce(step)),
      );
  }

  // What the visitor answered, or null: {first, sure, again, note, at}. Of a question that was skipped `first` is null.
  answer(id) {
    return this.state.answers[id] ?? null;
  }

  // The same in words; empty where there is nothing.
  said(id, which = "first") {
    const ask = this.question(id),
      given = this.answer(id)?.[which] ?? null;
    if (given === null) return "";
    const text = (key) =>
      ask.options.find((option) => option.key === key)?.text ?? `${key}`;
    if (Array.isArray(given)) return given.map(text).join(", ");
    if (ask.answer === "number") return `${given} ${ask.unit ?? ""}`.trim();
    return text(given);
  }

  keep(id, more) {
    const before = this.answer(id) ?? { first: null, at: Date.now() };
    this.state.answers[id] = { ...before, ...more };
    this.save();
    this.dispatchEvent(new CustomEvent("answered", { detail: id }));
  }

  open(n) {
    this.at = Math.min(Math.max(Math.trunc(n), 0), this.steps.length - 1);
    this.times[this.at] ??= Date.now();
    this.save();
    this.dispatchEvent(new CustomEvent("opened", { detail: this.at }));
  }

  // What is drawn of it lets go of all that it holds.
  close() {
    this.dispatchEvent(new Event("closed"));
    this.closing.abort();
  }

  // Hears what else is on the page, until the lesson is closed.
  hear(target, type, act) {
    target.addEventListener(type, act, { signal: this.closing.signal });
  }

  save() {
    if (!this.present) kept.set(placeOf(this.name), this.state);
  }

  // Forgets every answer.
  forget() {
    this.state = { answers: {}, times: {}, looks: {}, hash: this.known.hash };
    kept.remove(placeOf(this.name));
  }

  // What came of a question.
  result(id) {
    return this.once(`answer/${id}`);
  }

  // What a step shows, or what is `asked` of it.
  step(n, asked = {}) {
    const query = `${new URLSearchParams(asked)}`;
    return this.once(`step/${n}${query && "?"}${query}`);
  }

  // What was looked at in a step in which something is looked for: {view, a, b, note} each.
  looks(n) {
    return this.state.looks[n] ?? [];
  }

  look(n, looks) {
    this.state.looks = { ...this.state.looks, [n]: looks };
    this.save();
  }

  once(path) {
    if (!this.asked.has(path)) {
      const asking = known(`lesson/${this.name}/${path}`);
      this.asked.set(path, asking);
      asking.catch(() => this.asked.delete(path)); // to be asked again
    }
    return this.asked.get(path);
  }

  send(kind, data) {
    const { name, code } = this;
    this.trigger(kind, {
      lesson: name,
      class: code,
      visitor: store.visitor,
      ...data,
    });
  }
}
