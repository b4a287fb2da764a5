// The list of runs, which every tab shares: it moves to the tab that is open.
import { address } from "./address.js";
import { Finder } from "./find.js";
import { follow } from "./slots.js";
import { MOST, store, swatch } from "./store.js";
import { duration, el, fixed, t } from "./text.js";

const AT_FIRST = 8, // rows, until all are asked for
  MANY = 30; // runs from which on there is something to look for them with
const STATES = () => ({
  queued: t("queued"),
  running: t("running"),
  stopping: t("stopping"),
  interrupted: t("interrupted"),
  completed: t("completed"),
  budget: t("time limit reached"),
  stopped: t("stopped"),
  diverged: t("diverged"),
  failed: t("failed"),
  damaged: t("damaged"),
});
const PHASES = () => ({
  prepares: t("preparing"),
  trains: t("training"),
  scores: t("validating"),
});
export const BUSY = ["queued", "running", "stopping"];

export function runs(element, trigger) {
  const send = (data) => trigger("click", { ...data, visitor: store.visitor });
  const greet = () => trigger("submit", { visitor: store.visitor });
  const list = new List(element, send);
  greet();
  setInterval(greet, 60000);
  store.addEventListener("visitor", greet);
  return ({ said, error, failed }) => {
    if (!failed) list.tell(error ? "wrong" : "right", error || said);
    store.ask();
    if (list.finder.active) list.finder.ask(); // older runs are in no news
  };
}

class List {
  constructor(element, send) {
    this.send = send;
    this.lines = new Map();
    this.folded = new Set();
    this.all = false;
    this.filter = null;
    this.message = el("p.message", { hidden: true, attrs: { role: "status" } });
    this.lost = el(
      "p.message.wrong",
      { hidden: true, attrs: { role: "alert" } },
      t(
        "The server does not answer. It is asked again every two seconds; runs go on meanwhile.",
      ),
    );
    this.items = el("ul.runs");
    this.hint = el("p.hint");
    this.more = el("button.act", {
      type: "button",
      on: {
        click: () => {
          if (this.finder.active) this.finder.further();
          else if (store.more && this.chosen() !== "shipped")
            this.finder.browse(true);
          else this.all = !this.all;
          this.draw();
        },
      },
    });
    this.fewer = el(
      "button.act",
      {
        type: "button",
        hidden: true,
        on: { click: () => this.finder.browse(false) },
      },
      t("Show fewer"),
    );
    this.filters = el("div.filters", {
      attrs: { role: "group", "aria-label": t("Runs in this list") },
    });
    this.finder = new Finder(STATES(), () => this.draw());
    this.head = el("div.runs-head", {}, el("h2", {}, t("Runs")), this.filters);
    this.root = el(
      "section.runs-list",
      { attrs: { "aria-label": t("Runs") } },
      this.head,
      this.finder.root,
      this.lost,
      this.message,
      this.items,
      this.hint,
      el("div.runs-more", {}, this.more, this.fewer),
    );
    element.append(this.root);
    for (const event of ["rows", "shown", "me"])
      store.addEventListener(event, () => this.draw());
    store.addEventListener("lost", () => {
      this.lost.hidden = !store.lost;
    });
    store.addEventListener("many", () =>
      this.tell(
        "note",
        t(
          "{most} runs are shown at most. On the command line, seglab compare takes any number.",
          { most: MOST },
        ),
      ),
    );
    const gone = () =>
      address.gone &&
      this.tell(
        "note",
        t(
          "The link has parts that are not known here and were left out: {parts}",
          { parts: address.gone },
        ),
      );
    address.addEventListener("gone", gone);
    gone();
    follow("runs", ["train", "predict", "compare"], this.root, () =>
      this.draw(),
    );
  }

  tell(kind, text) {
    this.message.hidden = !text;
    this.message.className = `message ${kind}`;
    this.message.setAttribute("role", kind === "wrong" ? "alert" : "status");
    this.message.textContent = text ?? "";
  }

  kinds() {
    const made = store.me.shared
      ? { mine: t("Mine"), everyone: t("Everyone") }
      : { mine: t("Made here") };
    return { ...made, shipped: t("Shipped") };
  }

  chosen() {
    if (this.filter) return this.filter;
    const mine = [...store.rows.values()].some((row) => store.isMine(row));
    return mine ? "mine" : "shipped";
  }

  listed() {
    const filter = this.chosen(),
      shown = new Set(store.shown);
    const fits = (row) =>
      filter === "mine"
        ? store.isMine(row)
        : filter === "everyone"
          ? row.kind !== "shipped"
          : row.kind !== "own";
    const trained = address.tab === "predict";
    // runs that never began are in the way of those that did
    const idle = (row) =>
      row.over && !row.trained && !row.step && !shown.has(row.run);
    return [...store.rows.values()].filter(
      (row) =>
        ((fits(row) && !store.older.has(row.run)) || shown.has(row.run)) &&
        !(trained && !row.trained) &&
        (this.all || !idle(row)),
    );
  }

  draw() {
    if (!store.loaded) {
      this.hint.textContent = t("Reading the runs …");
      this.more.hidden = true;
      return;
    }
    const filter = this.chosen();
    this.filters.replaceChildren(
      ...Object.entries(this.kinds()).map(([kind, text]) =>
        el(
          "button",
          {
            type: "button",
            attrs: { "aria-pressed": String(kind === filter) },
            on: {
              click: () => {
                this.filter = kind;
                this.draw();
              },
            },
          },
          text,
        ),
      ),
    );
    this.finder.within(filter);
    this.finder.root.hidden = !this.finder.active && !this.isLong(filter);
    if (this.finder.active) {
      this.drawFound();
      return;
    }
    this.fewer.hidden = true;
    const rows = this.listed();
    const busy = rows.filter((row) => BUSY.includes(row.state));
    const few = this.all
      ? rows
      : rows.filter(
          (row, n) =>
            n < AT_FIRST || store.shown.includes(row.run) || busy.includes(row),
        );
    const wanted = [];
    const plans = new Map();
    for (const row of few) {
      const plan = row.plan?.[0];
      if (!plan) {
        wanted.push(this.line(row));
        continue;
      }
      if (plans.has(plan)) continue;
      const order = (each) => Number(each.run.split(" ").at(-1));
      const members = [...store.rows.values()]
        .filter((each) => each.plan?.[0] === plan)
        .sort((a, b) => order(a) - order(b));
      plans.set(plan, members);
      wanted.push(this.plan(plan, row.plan[1], members));
      if (!this.folded.has(plan))
        wanted.push(
          ...members
            .filter((each) => few.includes(each))
            .map((each) => this.line(each, true)),
        );
    }
    this.put(wanted);
    const hidden = rows.length - few.length,
      untold = store.more > 0 && filter !== "shipped";
    this.more.hidden = !hidden && !untold && !this.all;
    this.more.textContent = this.all
      ? t("Show fewer")
      : untold
        ? t("Show all")
        : t("Show {count} more", { count: hidden });
    this.hint.textContent = rows.length
      ? ""
      : filter === "mine"
        ? t("No runs of yours yet. Pick a model under Train and press Start.")
        : t("No runs.");
    this.hint.hidden = rows.length > 0;
  }

  // Whether there are so many runs in a filter that one may want to look for some.
  isLong(filter) {
    const there = [...store.rows.values()].filter((row) =>
      filter === "shipped" ? row.kind !== "own" : row.kind !== "shipped",
    );
    return there.length + store.more > MANY;
  }

  // What was looked for, in the order that was asked for; plans are taken apart.
  drawFound() {
    const { rows, count, problem, browsing } = this.finder,
      left = Math.max(0, count - rows.length);
    this.put(rows.map((row) => this.line(row)));
    this.more.hidden = !left;
    this.more.textContent = t("Show {count} more", { count: left });
    this.fewer.hidden = !browsing;
    this.hint.textContent =
      problem ||
      (count
        ? t("{shown} of {count} runs", { shown: rows.length, count })
        : t("No run is like that."));
    this.hint.hidden = false;
  }

  // Has these lines in the list, and no others.
  put(wanted) {
    const items = wanted.map((line) => line.item);
    for (const [n, item] of items.entries())
      if (this.items.children[n] !== item)
        this.items.insertBefore(item, this.items.children[n] ?? null);
    while (this.items.children.length > items.length)
      this.items.lastChild.remove();
    for (const [key, line] of this.lines)
      if (!items.includes(line.item)) this.lines.delete(key);
  }

  // A plan's own line: its runs together.
  plan(key, title, rows) {
    const id = `plan ${key}`;
    const line = this.lines.get(id) ?? this.emptyPlan(id, key);
    const over = rows.filter((row) => row.over).length,
      open = !this.folded.has(key);
    const best = Math.max(...rows.map((row) => row.miou ?? -1));
    line.fold.setAttribute("aria-expanded", String(open));
    line.title.textContent = title;
    line.note.textContent =
      t("{over} of {all} runs have ended", { over, all: rows.length }) +
      (best >= 0 ? ` · ${t("best mIoU {miou}", { miou: fixed(best) })}` : "");
    line.stop.hidden = !(
      rows.some((row) => BUSY.includes(row.state)) &&
      rows.every((row) => store.mayChange(row))
    );
    line.show.onclick = () => store.add(rows.map((row) => row.run));
    return line;
  }

  emptyPlan(id, key) {
    const line = { title: el("b"), note: el("small") };
    line.fold = el("button.fold", {
      type: "button",
      attrs: { "aria-label": t("Show or hide the runs of this plan") },
      on: {
        click: () => {
          this.folded.has(key) ? this.folded.delete(key) : this.folded.add(key);
          this.draw();
        },
      },
    });
    line.show = el("button.act", { type: "button" }, t("Show all"));
    line.stop = el(
      "button.act",
      {
        type: "button",
        on: { click: () => this.send({ action: "stop_all", run: key }) },
      },
      t("Stop all"),
    );
    line.item = el(
      "li.plan-line",
      {},
      line.fold,
      el("span", {}, line.title, line.note),
      el("span.buttons", {}, line.show, line.stop),
    );
    this.lines.set(id, line);
    return line;
  }

  line(row, member = false) {
    const line = this.lines.get(row.run) ?? this.empty(row.run);
    line.update(row, member);
    return line;
  }

  empty(name) {
    const now = () => store.rows.get(name);
    const eye = el(
      "button.eye",
      { type: "button", on: { click: () => store.toggle(name) } },
      el("i"),
    );
    const title = el("b"),
      what = el("small.what"),
      owner = el("small.owner");
    const state = el("span.state"),
      when = el("small");
    const bar = el("progress", {
        max: 1,
        attrs: { "aria-label": t("Progress") },
      }),
      far = el("small");
    const miou = el("span.miou", {
      title: t("mIoU of the best epoch, on the validation images"),
    });
    const texts = el("div.texts");
    const act = (action, text) =>
      el(
        "button.act",
        {
          type: "button",
          data: { action },
          on: {
            click: (event) => {
              event.target.disabled = true;
              setTimeout(() => {
                event.target.disabled = false;
              }, 4000);
              event.target.closest("details")?.removeAttribute("open");
              this.send({ action, run: name });
            },
          },
        },
        text,
      );
    const stop = act("stop", t("Stop")),
      resume = act("resume", t("Resume"));
    const cpu = act("cpu", t("Go on on the CPU")),
      wait = act("wait", t("Wait for a GPU"));
    const rename = el(
      "button",
      {
        type: "button",
        data: { action: "rename" },
        on: { click: () => this.rename(name) },
      },
      t("Rename"),
    );
    const clone = el(
      "button",
      {
        type: "button",
        data: { action: "clone" },
        on: {
          click: (event) => {
            event.target.closest("details").open = false;
            document.dispatchEvent(
              new CustomEvent("seglab-clone", { detail: name }),
            );
          },
        },
      },
      t("Use these settings"),
    );
    const take = el(
      "button",
      {
        type: "button",
        data: { action: "take" },
        on: {
          click: (event) => {
            event.target.closest("details").open = false;
            this.send({ action: "take", run: name });
            setTimeout(
              () =>
                document
                  .querySelector("#travel")
                  .scrollIntoView({ block: "nearest", behavior: "smooth" }),
              600,
            );
          },
        },
      },
      t("Download"),
    );
    const remove = el(
      "button",
      {
        type: "button",
        data: { action: "delete" },
        on: {
          click: (event) => {
            event.target.closest("details").open = false;
            if (confirm(t("Delete {run} for good?", { run: now().name })))
              this.send({ action: "delete", run: name });
          },
        },
      },
      t("Delete"),
    );
    const menu = el(
      "details.menu",
      {},
      el("summary", { attrs: { "aria-label": t("More for this run") } }, "⋯"),
      el("div", {}, clone, rename, take, remove),
    );
    const item = el(
      "li.run-line",
      { data: { run: name } },
      eye,
      el("span.who", {}, title, what, owner),
      el("span.how", {}, state, when),
      el("span.far", {}, bar, far),
      miou,
      el("span.buttons", {}, stop, resume, cpu, wait, menu),
      texts,
    );
    const update = (row, member) => {
      const shown = store.shown.includes(name),
        mine = store.mayChange(row);
      item.classList.toggle("member", member);
      item.classList.toggle("shown", shown);
      eye.setAttribute("aria-pressed", String(shown));
      eye.setAttribute("aria-label", t("Show {run}", { run: row.name }));
      eye.title = shown ? t("Hide") : t("Show");
      eye.firstChild.style.background = shown ? swatch(row) : "transparent";
      eye.firstChild.style.borderColor = swatch(row).startsWith("#")
        ? swatch(row)
        : "currentColor";
      set(title, row.name);
      set(what, [row.model, row.data, row.what].filter(Boolean).join(" · "));
      what.title = row.run;
      set(
        owner,
        store.me.shared && row.kind === "own"
          ? row.owner || t("somebody")
          : row.foreign && row.kind === "own"
            ? t("brought from elsewhere")
            : "",
      );
      state.className = `state ${row.origin && row.over ? "adopted" : row.state}`;
      set(state, stated(row));
      set(when, awaited(row));
      bar.value = row.done ?? 0;
      bar.hidden = Boolean(row.origin);
      set(far, progressed(row));
      set(miou, fixed(row.miou));
      stop.hidden = !(mine && ["queued", "running"].includes(row.state));
      resume.hidden = !(
        mine &&
        !row.foreign &&
        ["stopped", "interrupted", "failed"].includes(row.state)
      );
      cpu.hidden = !(mine && row.unlent === "wait");
      wait.hidden = !(mine && row.unlent === "cpu");
      rename.hidden = !mine;
      remove.hidden = !(mine && !["running", "stopping"].includes(row.state));
      clone.hidden = row.state === "damaged" || Boolean(row.origin);
      take.hidden = !(row.over && row.trained) || Boolean(row.origin);
      const said = [...row.texts];
      if (row.unlent)
        said.push(
          row.unlent === "wait"
            ? t(
                "Hugging Face lends the GPU, a little at a time, from your own daily allowance. When none is lent, this run waits.",
              )
            : t(
                "Hugging Face lends the GPU, a little at a time, from your own daily allowance. When none is lent, this run goes on on the CPU.",
              ),
        );
      if (texts.dataset.said !== said.join("\n")) {
        texts.dataset.said = said.join("\n");
        const wrong = ["failed", "damaged", "diverged"].includes(row.state);
        texts.replaceChildren(
          ...said.map((text, n) =>
            el(wrong && n === 0 ? "p.why" : "p", {}, text),
          ),
        );
      }
    };
    const line = { item, update, title };
    this.lines.set(name, line);
    return line;
  }

  rename(name) {
    const line = this.lines.get(name),
      row = store.rows.get(name);
    line.item.querySelector("details").open = false;
    const field = el("input.rename", {
      value: row.name,
      maxLength: 40,
      attrs: { "aria-label": t("New name of {run}", { run: row.name }) },
    });
    let over = false; // taking the field away makes it lose the focus, too
    const done = (keep) => {
      if (over) return;
      over = true;
      const value = field.value.trim();
      field.replaceWith(line.title);
      if (keep && value && value !== row.name)
        this.send({ action: "rename", run: name, name: value });
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") done(true);
      if (event.key === "Escape") done(false);
    });
    field.addEventListener("blur", () => done(true));
    line.title.replaceWith(field);
    field.focus();
    field.select();
  }
}

const set = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// A run's state in a word.
export const stated = (row) =>
  row.origin && row.state === "completed"
    ? t("adopted")
    : row.phase && row.phase !== "trains"
      ? PHASES()[row.phase]
      : (STATES()[row.state] ?? row.state);

// Its place in the queue, and when it may begin.
export function awaited(row) {
  if (row.place === null) return "";
  const place = t("number {place} in the queue", { place: row.place });
  if (row.starts === null) return place;
  return `${place}, ${row.starts ? t("starts in about {time}", { time: duration(row.starts) }) : t("starts now")}`;
}

// How far it is.
export function progressed(row) {
  if (row.origin) return ""; // it was not trained here
  const parts = [
    t("epoch {done} of {all}", {
      done: (row.epoch ?? 0).toFixed(1),
      all: row.epochs,
    }),
  ];
  if (row.budget)
    parts.push(
      t("{seconds} of {budget} s", {
        seconds: Math.round(row.seconds ?? 0),
        budget: Math.round(row.budget),
      }),
    );
  if (row.left !== null && row.left !== undefined && row.state === "running") {
    parts.push(
      row.left > 0
        ? t("{time} left", { time: duration(row.left) })
        : t("nearly done"),
    );
  }
  return parts.join(" · ");
}
