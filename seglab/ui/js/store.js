// What the page knows: the runs and the points of their curves, which runs are shown, and who looks at it.
import { kept } from "./kept.js";
import { lang } from "./text.js";

const EVERY = 2000,
  HIDDEN = 30000,
  SILENCE = 15000; // milliseconds between two questions; until one is given up
const LINES = window.seglab.lines; // the colors that the command line draws with, too
const DASHES = [[], [8, 4], [2, 3]];
export const MOST = 60; // runs that are shown at once, as many as one request may name
const FIRST = 4; // finished runs that a new page shows beside those under way

// 32 random hexadecimal digits.
export const token = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

class Store extends EventTarget {
  rows = new Map(); // by name, the newest first
  points = new Map(); // {at, steps, evals} by name
  shown = []; // names of the runs that curves, masks and scores are of, in the order of their being picked
  me = { key: "", teacher: false, shared: false, limits: {}, problem: "" };
  version = "";
  more = 0; // runs that the server has and the page is not told of
  older = new Set(); // those of them that were looked for
  lost = false; // the server does not answer
  picked = false; // the visitor, or the page's address, said what is shown
  loaded = false;

  constructor() {
    super();
    this.visitor = kept.get("seglab-visitor", {});
    if (!/^[0-9a-f]{32}$/.test(this.visitor.token ?? "")) {
      this.visitor = { token: token(), nickname: "", key: "" };
      kept.set("seglab-visitor", this.visitor);
    }
    document.addEventListener(
      "visibilitychange",
      () => document.hidden || this.ask(),
    );
  }

  say(what) {
    this.dispatchEvent(new Event(what));
  }

  change(visitor) {
    Object.assign(this.visitor, visitor);
    kept.set("seglab-visitor", this.visitor);
    this.say("visitor");
  }

  isMine(row) {
    return this.me.shared
      ? row.key !== "" && row.key === this.me.key
      : row.kind === "own";
  }
  mayChange(row) {
    return (
      row.kind === "own" &&
      (!this.me.shared || this.me.teacher || this.isMine(row))
    );
  }

  show(names) {
    const once = names.filter((name, n) => names.indexOf(name) === n),
      known = once.slice(0, MOST);
    if (known.length < once.length) this.say("many");
    if (known.join("\n") === this.shown.join("\n")) return;
    this.shown = known;
    this.picked = true;
    this.say("shown");
    this.ask();
  }

  toggle(name) {
    this.show(
      this.shown.includes(name)
        ? this.shown.filter((each) => each !== name)
        : [...this.shown, name],
    );
  }
  // Beside what the visitor picked; what only stood there at first makes room.
  add(names) {
    const kept = this.picked
      ? this.shown
      : this.shown.filter((name) => this.isMine(this.rows.get(name)));
    this.show([...names, ...kept]);
  }

  // The rows of what is shown, as far as they are known.
  // Those that come with seglab first, then the oldest first, so that a new one never changes the order of the others.
  get rowsShown() {
    const rows = [...this.rows.values()].filter((row) =>
      this.shown.includes(row.run),
    );
    return [
      ...rows.filter((row) => row.kind === "shipped"),
      ...rows.filter((row) => row.kind !== "shipped").reverse(),
    ];
  }

  begin() {
    const again = async () => {
      await this.ask();
      this.timer = setTimeout(again, document.hidden ? HIDDEN : EVERY);
    };
    again();
  }

  async ask() {
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    try {
      const query = new URLSearchParams({ v: this.version, lang });
      for (const name of this.shown)
        query.append("r", `${name}@${this.points.get(name)?.at ?? ""}`);
      const answer = await fetch(`seglab/watch?${query}`, {
        signal: AbortSignal.timeout(SILENCE),
      });
      if (answer.status === 200) this.take(await answer.json());
      else if (answer.status !== 204) throw new Error(answer.statusText);
      if (this.lost) {
        this.lost = false;
        this.say("lost");
      }
    } catch {
      if (!this.lost) {
        this.lost = true;
        this.say("lost");
      }
    }
    this.asking = false;
    if (this.again) {
      this.again = false;
      await this.ask();
    }
  }

  // Runs that were looked for: those of which the page is not told stay out of its own list.
  know(rows) {
    for (const row of rows) {
      if (!this.rows.has(row.run)) this.older.add(row.run);
      this.rows.set(row.run, row);
    }
  }

  take({ v, rows, gone = [], all, more = 0, points = {} }) {
    this.version = v;
    this.more = more;
    if (all) {
      this.rows.clear();
      this.older.clear();
    }
    const fresh = rows.filter((row) => !this.rows.has(row.run));
    for (const row of rows) this.rows.set(row.run, row);
    for (const name of gone) {
      this.rows.delete(name);
      this.older.delete(name);
      this.points.delete(name);
    }
    if (this.shown.some((name) => gone.includes(name))) {
      this.shown = this.shown.filter((name) => !gone.includes(name));
      this.say("shown");
    }
    if (fresh.length && !all)
      this.rows = new Map([...this.rows].sort(([, a], [, b]) => age(a, b)));
    for (const [name, added] of Object.entries(points)) {
      const known = this.points.get(name);
      this.points.set(
        name,
        known && !added.new
          ? {
              at: added.at,
              steps: [...known.steps, ...added.steps],
              evals: [...known.evals, ...added.evals],
            }
          : added,
      );
    }
    if (!this.loaded) {
      this.loaded = true;
      this.say("loaded");
    }
    if (!this.picked && rows.length) this.atFirst();
    if (rows.length || gone.length) this.say("rows");
    if (fresh.length || gone.length) this.say("others");
    if (Object.keys(points).length) this.say("points");
  }

  // What a new page shows: the visitor's runs under way and the latest others; where there are none, the shipped ones.
  atFirst() {
    const mine = [...this.rows.values()].filter((row) => this.isMine(row));
    const busy = mine.filter((row) =>
      ["queued", "running", "stopping"].includes(row.state),
    );
    const others = mine
      .filter((row) => !busy.includes(row) && row.trained)
      .slice(0, FIRST);
    let names = [...busy, ...others].map((row) => row.run);
    if (!names.length)
      names = [...this.rows.values()]
        .filter((row) => row.kind === "shipped")
        .map((row) => row.run);
    if (names.join("\n") !== this.shown.join("\n")) {
      this.shown = names;
      this.say("shown");
      this.again = true;
    }
  }
}

export const store = new Store();

// The order of the list: the newest first, then those that were not made here.
const age = (a, b) => b.made - a.made;

// How a run's line looks, whatever its company.
export function stroke(row) {
  const dark = document.body.classList.contains("dark"),
    color = LINES[row.stroke % LINES.length];
  return {
    color: dark && color === "#000000" ? "#f3f4f6" : color,
    dash: DASHES[Math.floor(row.stroke / LINES.length) % 3],
  };
}

// A small sample of it.
export function swatch(row) {
  const { color, dash } = stroke(row),
    [on, off] = dash;
  return on
    ? `repeating-linear-gradient(90deg, ${color} 0 ${on}px, transparent ${on}px ${on + off}px)`
    : color;
}
