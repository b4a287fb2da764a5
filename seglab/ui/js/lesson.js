// A lesson that is open: what it holds, what the visitor answered, and what came of its questions.
import { kept } from "./kept.js";
import { store } from "./store.js";
import { lang } from "./text.js";

// What the server knows below `seglab/`, in the page's language.
export async function known(path) {
  const query = `${path.includes("?") ? "&" : "?"}lang=${lang}`,
    answer = await fetch(`seglab/${path}${query}`),
    found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

// Says "answered" (of a question), "opened" (a step) and "live" (what the server answered to what was sent).
export class Lesson extends EventTarget {
  at = 0; // the step that is open, counted from 0

  // `code`: the class's; `teach` shows the notes for teachers, `present` one step at a time in large type; `trigger`
  // sends to the server what is done here.
  constructor(found, { code, teach, present, trigger }) {
    super();
    Object.assign(this, { known: found, code, teach, present, trigger });
    const { name, steps, settings } = found;
    Object.assign(this, { name, steps, settings });
    this.asked = new Map(); // answers of the server, by path
    this.state = {
      answers: {},
      times: {},
      ...kept.get(this.place, {}),
      hash: found.hash,
    };
  }

  get place() {
    return `seglab-lesson-${this.name}`;
  }

  // When each step was first opened, in milliseconds.
  get times() {
    return this.state.times;
  }

  // The last step that was ever opened.
  get reached() {
    return Math.max(0, ...Object.keys(this.times).map(Number));
  }

  // What the visitor answered, or null: {first, sure, again, note, at}. Of a question that was skipped `first` is null.
  answer(id) {
    return this.state.answers[id] ?? null;
  }

  keep(id, more) {
    this.state.answers[id] = {
      first: null,
      at: Date.now(),
      ...this.answer(id),
      ...more,
    };
    kept.set(this.place, this.state);
    this.dispatchEvent(new CustomEvent("answered", { detail: id }));
  }

  open(n) {
    this.at = Math.min(Math.max(n, 0), this.steps.length - 1);
    this.times[this.at] ??= Date.now();
    kept.set(this.place, this.state);
    this.dispatchEvent(new CustomEvent("opened", { detail: this.at }));
  }

  // Forgets every answer.
  forget() {
    kept.remove(this.place);
  }

  // What came of a question.
  result(id) {
    return this.once(`answer/${id}`);
  }

  // What a step shows.
  step(n) {
    return this.once(`step/${n}`);
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
