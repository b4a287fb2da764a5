// Two sides of the shown runs: what can be said of their difference, and the views that show where it is.
import { asked } from "./brought.js";
import { address } from "./address.js";
import { Crf } from "./crf.js";
import { Grid } from "./grid.js";
import { store, swatch } from "./store.js";
import { el, lang, progress, t } from "./text.js";
import { Share } from "./share.js";
import { Served } from "./sides.js";
import { verdict as written } from "./spread.js";
import { Where } from "./where.js";

const VIEWS = () => ({
  overview: t("Overview"),
  where: t("Where do they differ?"),
  real: t("Is it real?"),
  why: t("Why?"),
  crf: t("CRF"),
  grid: t("Grid"),
});
const WRITTEN = ["real", "why"]; // by the server
const STRIP = 3; // of the images that differ most, in the overview

export function lab(element, trigger) {
  const made = new Lab(element, trigger);
  return (answer) => made.hear(answer);
}

class Lab {
  constructor(element, trigger) {
    this.trigger = trigger;
    this.known = { sides: [] };
    this.view = "overview";
    this.build(element);
    this.where = new Where(this);
    this.places.where.append(this.where.root);
    this.grid = new Grid(this, this.places.grid);
    this.crf = new Crf(this);
    this.places.crf.append(this.crf.root);
    this.follow();
    address.addEventListener("read", () => this.follow());
    address.addEventListener("tab", () => this.read());
    for (const event of ["shown", "points", "rows"])
      store.addEventListener(event, () => this.read());
  }

  build(element) {
    const side = (name) =>
      el(
        "label.side-of",
        {},
        el("b", {}, name.toUpperCase()),
        el("i.swatch"),
        el("select", {
          attrs: {
            "aria-label": t("Side {name}", { name: name.toUpperCase() }),
          },
          on: {
            change: (event) => this.choose({ [name]: event.target.value }),
          },
        }),
      );
    this.sides = { a: side("a"), b: side("b") };
    const swap = el(
      "button.act",
      {
        type: "button",
        title: t("Swap the sides"),
        attrs: { "aria-label": t("Swap the sides") },
        on: { click: () => this.choose({ a: this.known.b, b: this.known.a }) },
      },
      "⇄",
    );
    this.share = new Share(() => this.spot);
    this.verdict = el("div.verdict", { attrs: { role: "status" } });
    this.tabs = el(
      "div.switch.views",
      { attrs: { role: "tablist", "aria-label": t("What is compared") } },
      Object.entries(VIEWS()).map(([name, text]) =>
        el(
          "button",
          {
            type: "button",
            id: `lab-tab-${name}`,
            data: { view: name },
            attrs: { role: "tab", "aria-controls": `lab-${name}` },
            on: {
              click: () => this.open(name),
              keydown: (event) => this.along(event),
            },
          },
          text,
        ),
      ),
    );
    this.places = Object.fromEntries(
      Object.keys(VIEWS()).map((name) => [
        name,
        el("div", {
          id: `lab-${name}`,
          attrs: { role: "tabpanel", "aria-labelledby": `lab-tab-${name}` },
        }),
      ]),
    );
    for (const view of WRITTEN)
      this.places[view].addEventListener("click", (event) => this.press(event));
    this.root = el(
      "section.lab",
      { hidden: true, attrs: { "aria-label": t("Two sides") } },
      el("div.lab-head", {}, this.sides.a, swap, this.sides.b, this.share.root),
      this.share.told,
      this.verdict,
      this.tabs,
      Object.values(this.places),
    );
    element.append(this.root);
  }

  // Takes over what the address says.
  follow() {
    const { a = "", b = "", view } = address.own;
    this.wanted = { a, b };
    this.grid.follow(address.own);
    this.open(view in VIEWS() ? view : "overview", false);
    this.where.follow(address.own);
    this.crf.follow(address.own);
    this.read();
  }

  choose(sides) {
    const known = { ...this.wanted, ...this.known },
      { a = known.a, b = known.b } = sides;
    // a side that is chosen twice changes places with the other
    this.wanted =
      a !== b ? { a, b } : sides.a ? { a, b: known.a } : { a: known.b, b };
    address.set(this.wanted);
    this.read();
  }

  open(view, told = true) {
    this.view = view;
    if (told) {
      const { image, show } = this.spot,
        own = image === undefined ? {} : { image, show };
      address.set({ ...own, view: view === "overview" ? "" : view });
    }
    this.display(view);
  }

  // What is looked at in the view, as an address has it.
  get spot() {
    if (!this.whole && this.view === "where") return {};
    return this[this.view]?.spot ?? {};
  }

  // Whether there is anything to see in a view, as far as is known.
  can(view) {
    if (this.whole === undefined || view === "overview") return true;
    if (view === "crf") return this.known.sides.length > 0;
    return view === "grid" ? this.gridded : this.whole;
  }

  // Shows a view; while there is nothing to see in it, the one that was chosen stays chosen.
  display(chosen) {
    const view = this.can(chosen) ? chosen : "overview";
    for (const button of this.tabs.children) {
      const on = button.dataset.view === view;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
    }
    for (const [name, place] of Object.entries(this.places))
      place.hidden = name !== view;
    document.body.dataset.lab = this.root.hidden ? "overview" : view;
    if (view === "where") this.where.look();
    else this.where.stop();
    if (view === "crf" && !this.root.hidden) this.crf.look();
    if (WRITTEN.includes(view)) this.write(view);
    if (view === "grid") this.grid.show();
  }

  along(event) {
    const names = Object.keys(VIEWS()).filter((name) => this.can(name)),
      step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.open(
      names[(names.indexOf(this.view) + step + names.length) % names.length],
    );
    this.tabs.querySelector(`[data-view=${this.view}]`).focus();
  }

  get query() {
    const query = new URLSearchParams(
      store.rowsShown.map((row) => ["run", row.run]),
    );
    for (const [name, value] of Object.entries({ ...this.wanted, lang }))
      if (value) query.append(name, value);
    return query;
  }

  // Reads anew where other runs are shown, other sides are wanted, or a run has been scored once more.
  async read() {
    if (address.tab !== "compare") return;
    const rows = store.rowsShown;
    this.rows = JSON.stringify(
      rows.map((row) => [row.run, row.best, row.state, row.name]),
    );
    const state = JSON.stringify([this.rows, this.wanted]);
    if (state === this.state) return;
    this.state = state;
    const asked = (this.asked = {});
    if (!rows.length) {
      this.take({ sides: [] });
      return;
    }
    const query = this.query;
    try {
      const answer = await fetch(`seglab/lab?${query}`);
      const found = await answer.json();
      if (this.asked !== asked) return;
      // what is asked later is of the very sides that were answered, whatever is wanted by then
      for (const name of ["a", "b"])
        if (found[name]) query.set(name, found[name]);
      this.take(
        answer.ok
          ? { ...found, query: String(query) }
          : { sides: [], error: found.error },
      );
    } catch {
      if (this.asked === asked) this.state = "";
    }
  }

  take(known) {
    this.known = known;
    this.root.hidden = known.sides.length < 2 && !known.error;
    this.whole = !known.error && !known.missing && !this.root.hidden; // or there is less to see
    this.gridded = Boolean(known.grid) && !this.root.hidden; // whatever the two sides are
    this.share.offer(this.whole ? known.query : "");
    this.where.take(this.whole ? known : null, this.whole && new Served(known));
    if (!this.root.hidden) {
      for (const name of ["a", "b"]) this.offer(name);
      this.say();
      this.places.overview.replaceChildren(...(this.whole ? this.strip() : []));
      this.tabs.hidden = !this.known.sides.length;
      for (const button of this.tabs.children)
        button.hidden = !this.can(button.dataset.view);
    }
    this.display(this.view);
  }

  // A view that the server writes, once for each pair, or for whatever the query names.
  async write(view, query = this.whole ? this.known.query : "") {
    const place = this.places[view],
      state = query && query + this.rows;
    if (!state || place.dataset.state === state) return;
    place.dataset.state = state;
    place.classList.add("working");
    try {
      const answer = await asked(`seglab/lab/${view}?${query}`),
        text = answer.ok ? await answer.text() : "";
      if (place.dataset.state !== state) return;
      if (answer.ok)
        place.innerHTML = text; // the server's own, in which names are escaped
      else
        place.replaceChildren(
          el(
            "p.message.wrong",
            { attrs: { role: "alert" } },
            (await answer.json()).error,
          ),
        );
      if (!answer.ok) place.dataset.state = ""; // to be asked again
    } catch {
      if (place.dataset.state === state) place.dataset.state = "";
    }
    if (place.dataset.state === state || !place.dataset.state)
      place.classList.remove("working");
    place.dispatchEvent(new Event("written"));
    if (place.querySelector("[data-borders]")) {
      const { a, b } = this.known,
        runs = store.rowsShown.map((row) => row.run);
      this.trigger("select", { a, b, runs });
    }
  }

  // What happens at borders comes later than the rest, where images are large.
  async counted({ kind, of, share, error }) {
    const place = this.places.why.querySelector("[data-borders]"),
      { a, b, query } = this.known;
    if (!place || (of && String(of) !== String([a, b]))) return;
    if (kind === "counting") {
      place.querySelector("progress").value = share;
      return;
    }
    if (place.dataset.borders) return; // the end is told twice
    place.dataset.borders = "asked";
    let wrong = error;
    try {
      if (!wrong) {
        const answer = await asked(`seglab/lab/borders?${query}`);
        if (answer.ok) place.outerHTML = await answer.text();
        else wrong = (await answer.json()).error;
      }
    } catch {
      place.dataset.borders = "";
      const press = { click: () => this.counted({ kind: "counted", of }) };
      place.replaceChildren(
        el("button.act", { type: "button", on: press }, t("Try again")),
      );
    }
    if (wrong)
      place.replaceChildren(
        el("p.message.wrong", { attrs: { role: "alert" } }, wrong),
      );
  }

  // What a mark of a view opens: its pixels.
  press(event) {
    if (!this.where.press(event)) return;
    this.open("where");
    this.root.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  offer(name) {
    const box = this.sides[name],
      select = box.querySelector("select"),
      chosen = this.known[name] ?? this.wanted[name];
    select.replaceChildren(
      ...this.known.sides.map(({ run, name: text, seeds }) =>
        el(
          "option",
          { value: run, selected: run === chosen },
          seeds > 1
            ? t("{name} · {count} seeds", { name: text, count: seeds })
            : text,
        ),
      ),
    );
    const row = store.rows.get(select.value.split("|")[0]);
    box.querySelector(".swatch").style.background = row ? swatch(row) : "";
  }

  // What the grid and the CRF's laboratory ask and tell.
  get settings() {
    return store.rowsShown.map((row) => ["run", row.run]);
  }

  get refines() {
    return address.tab === "compare" && this.view === "crf";
  }

  compare(sides) {
    this.choose(sides);
    this.open("overview");
    this.root.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  noted(own) {
    address.set(own);
  }

  // What the view of pixels asks and tells.
  get watching() {
    return this.view === "where";
  }

  looked(own) {
    address.set({ at: "", zoom: "", without: "", ...own });
  }

  // The address of what is looked at, which names the runs and the sides.
  link(sides) {
    const { a, b } = this.known,
      runs = sides.flatMap((side) => side.runs);
    const own = {
      ...address.own,
      ...this.where.spot,
      view: "where",
      a,
      b,
    };
    return `compare?${new URLSearchParams({ ...own, runs })}`;
  }

  nameOf(side) {
    return (
      this.known.sides.find((each) => each.run === this.known[side])?.name ?? ""
    );
  }

  say() {
    const { error, verdict, missing } = this.known;
    if (missing) {
      this.verdict.replaceChildren(
        el(
          "div",
          {},
          el(
            "p",
            {},
            el(
              "b",
              {},
              t("{name} has not been computed yet.", { name: missing.name }),
            ),
          ),
          el(
            "p",
            {},
            t(
              "All {count} validation images are labeled anew, once for everybody.",
              { count: missing.images },
            ),
          ),
        ),
        this.computing === missing.run
          ? progress("computing", missing.name, this.reached)
          : el(
              "button.act",
              {
                type: "button",
                disabled: Boolean(this.computing),
                on: { click: () => this.compute(missing.run) },
              },
              this.computing
                ? t("Another side is being computed")
                : t("Compute it"),
            ),
      );
      return;
    }
    if (error) {
      this.verdict.replaceChildren(el("p.message.wrong", {}, error));
      return;
    }
    this.verdict.replaceChildren(...written(verdict));
  }

  // Has a side computed; `then` is what comes after it.
  compute(side, then = () => this.read()) {
    Object.assign(this, { computing: side, reached: null, then });
    this.tell();
    this.trigger("click", {
      side,
      runs: store.rowsShown.map((row) => row.run),
    });
  }

  tell() {
    if (!this.root.hidden) this.say();
    this.crf.say();
  }

  hear(answer) {
    const { kind = "", side, share, error, failed } = answer;
    if (kind === "computing") {
      this.reached = share;
      for (const bar of this.root.querySelectorAll(".computing progress"))
        bar.value = share;
      return;
    }
    if (kind === "refined" || kind.startsWith("search") || failed)
      this.crf.hear(answer);
    if (kind.startsWith("count")) this.counted(answer);
    if (kind !== "computed" || side !== this.computing) return; // the end is told twice
    this.computing = null;
    this.tell();
    if (error) {
      this.verdict.append(
        el("p.message.wrong", { attrs: { role: "alert" } }, error),
      );
      return;
    }
    this.state = "";
    this.then();
  }

  // The images that differ most: each opens where.
  strip() {
    const { orders, images } = this.known;
    const pictures = orders.difference.slice(0, STRIP).map((n) => {
      const canvas = el("canvas"),
        { counts, name } = images[n],
        total = counts.reduce((a, b) => a + b, 0) || 1;
      const share = (counts[1] + counts[2]) / total;
      this.where.thumbnail(n, canvas);
      return el(
        "button.most",
        {
          type: "button",
          on: {
            click: () => {
              this.where.pick(n);
              this.open("where");
            },
          },
        },
        canvas,
        el("b", {}, `${(100 * share).toFixed(1)} %`),
        el("small", {}, name),
      );
    });
    return [
      el("h3", {}, t("They differ most here")),
      el("div.most-different", {}, pictures),
      el(
        "p.hint",
        {},
        t("Blue: only A is right. Orange: only B. Press one to see it large."),
      ),
    ];
  }
}
