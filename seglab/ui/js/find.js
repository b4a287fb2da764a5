// Looks for runs among all that the server has, which may be more than the page is told of.
import { address } from "./address.js";
import { store } from "./store.js";
import { choice, el, lang, t } from "./text.js";

const STEP = 20, // runs that are found at first, and more at a press
  REST = 250; // milliseconds after the last letter
const SORTS = () => ({
  made: t("Newest first"),
  miou: t("Highest mIoU first"),
  seconds: t("Longest training first"),
  parameters: t("Largest model first"),
  name: t("By name"),
  model: t("By model"),
});

export class Finder {
  // `states` are what a run may be in, `changed` is called whenever there is something else to show.
  constructor(states, changed) {
    this.changed = changed;
    this.names = [];
    this.count = 0;
    this.first = STEP;
    this.browsing = false; // all runs are looked through, without any word
    this.problem = "";
    this.text = el("input", {
      type: "search",
      placeholder: t("Search runs"),
      attrs: { "aria-label": t("Search runs") },
      on: { input: () => this.later() },
    });
    this.state = choice(t("State"), () => this.anew());
    this.sort = choice(t("Order"), () => this.anew());
    fill(this.state, { "": t("any state"), ...states });
    fill(this.sort, SORTS());
    this.root = el(
      "div.runs-find",
      { hidden: true, attrs: { role: "search" } },
      this.text,
      this.state,
      this.sort,
    );
    store.addEventListener("others", () => this.active && this.ask());
  }

  get asked() {
    return {
      text: this.text.value.trim(),
      state: this.state.lastChild.value,
      sort: this.sort.lastChild.value,
    };
  }

  get active() {
    const { text, state, sort } = this.asked;
    return Boolean(text || state || sort !== "made" || this.browsing);
  }

  // The rows that were found, as they are now.
  get rows() {
    return this.names.map((name) => store.rows.get(name)).filter(Boolean);
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.anew(), REST);
  }

  anew() {
    this.first = STEP;
    this.browsing &&= store.more > 0;
    if (this.active) this.ask();
    else this.changed();
  }

  browse(on) {
    this.browsing = on;
    this.anew();
  }

  further() {
    this.first += STEP;
    this.ask();
  }

  // Has another filter or tab be looked in.
  within(whose) {
    const trained = address.tab === "predict" ? "1" : "";
    if (whose === this.whose && trained === this.trained) return;
    Object.assign(this, { whose, trained, first: STEP });
    if (this.active) this.ask();
  }

  async ask() {
    const query = new URLSearchParams({ ...this.asked, lang });
    for (const name of ["whose", "trained", "first"])
      query.set(name, this[name] ?? "");
    query.set("key", store.me.key);
    const turn = (this.turn = (this.turn ?? 0) + 1); // of two answers the later question's counts
    try {
      const answer = await fetch(`seglab/runs?${query}`);
      const found = await answer.json();
      if (turn !== this.turn) return;
      this.problem = found.error ?? "";
      if (!this.problem) {
        store.know(found.rows);
        this.names = found.rows.map((row) => row.run);
        this.count = found.count;
      }
    } catch {
      if (turn !== this.turn) return;
      this.problem = t("The server does not answer. Try again in a while.");
    }
    this.changed();
  }
}

const fill = (label, options) =>
  label.lastChild.append(
    ...Object.entries(options).map(([value, text]) =>
      el("option", { value }, text),
    ),
  );
