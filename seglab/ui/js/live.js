// A step that trains while the lesson is given: its button, how far its runs are, and what they do to a difference.
import { mean } from "./dots.js";
import { known } from "./lesson.js";
import { awaited, BUSY, progressed, stated } from "./runs.js";
import { dotted } from "./seeds.js";
import { signed } from "./spread.js";
import { store } from "./store.js";
import { duration, el, fixed, t } from "./text.js";

const MOST = 4; // runs under way that are shown one by one
const groups = new WeakMap(); // of each lesson, by name

// What is known of a lesson's group and its runs, for all who show it.
export function trained(lesson, name) {
  const all = groups.get(lesson) ?? new Map();
  groups.set(lesson, all);
  if (!all.has(name)) all.set(name, new Trained(lesson, name));
  return all.get(name);
}

// Says "changed" whenever something is to be drawn anew.
class Trained extends EventTarget {
  found = null; // what the server knows of it
  messages = []; // what came of the press
  pressed = false; // and the server has not answered yet
  stamp = "";

  constructor(lesson, name) {
    super();
    Object.assign(this, { lesson, name });
    lesson.hear(store, "rows", () => this.follow());
    lesson.hear(store, "lost", () => this.heard({ messages: [] }));
    lesson.addEventListener("live", ({ detail }) => {
      const { kind, group, failed } = detail;
      if (failed) this.heard({ messages: [] }); // which the page has told
      if (kind === "started" && group === name) this.heard(detail);
    });
    this.ask();
  }

  say() {
    this.dispatchEvent(new Event("changed"));
  }

  press() {
    this.pressed = true;
    this.messages = [];
    this.say();
    this.lesson.send("click", { group: this.name });
  }

  heard({ messages }) {
    if (!this.pressed) return;
    this.pressed = false;
    this.messages = messages;
    store.ask();
    this.say();
  }

  // The page's list says that a run has another state: what that changes is asked for once, and else drawn as it goes.
  follow() {
    const rows = [...store.rows.values()].filter(
        ({ run, kind }) =>
          kind === "own" && run.startsWith(`${this.lesson.name}-`),
      ),
      stamp = JSON.stringify(rows.map(({ run, state }) => [run, state]));
    if (stamp !== this.stamp) {
      this.stamp = stamp;
      this.ask();
    } else if (this.rows.length) this.say();
  }

  async ask() {
    const { lesson, name } = this,
      place = `lesson/${lesson.name}/live/${name}`;
    try {
      this.found = await known(`${place}?class=${lesson.code}`);
      this.wrong = "";
    } catch ({ message }) {
      this.wrong = message;
    }
    this.say();
  }

  // Its runs as the page's list has them, the visitor's own first, then the next to end.
  get rows() {
    const order = ({ place }) => place ?? 0;
    return (this.found?.runs ?? [])
      .map((run) => store.rows.get(run))
      .filter(Boolean)
      .sort((a, b) => store.isMine(b) - store.isMine(a) || order(a) - order(b));
  }

  get busy() {
    return this.rows.filter(({ state }) => BUSY.includes(state));
  }

  // In a few words, where something is under way.
  get chip() {
    const [first] = this.busy;
    if (!first) return "";
    return first.state === "queued"
      ? t("waits in the queue")
      : t("epoch {done} of {all}", {
          done: (first.epoch ?? 0).toFixed(1),
          all: first.epochs,
        });
  }
}

export function run(step, lesson) {
  const of = trained(lesson, step.group),
    text = el("p", {}, step.text ?? ""),
    button = el("button.act.main.begin", {
      type: "button",
      textContent: t("Run it here"),
      on: { click: () => of.press() },
    }),
    takes = el("p.hint"),
    told = el("div.messages", { attrs: { role: "status" } }),
    far = el("div.runs-far"),
    dots = el("details.seeds", {}, el("summary"), el("div")),
    all = el("details.whole", {}, el("summary"), el("div"));
  const draw = () => {
    const { found, pressed, messages, wrong } = of,
      busy = found?.busy && !lesson.code;
    button.disabled = !found || pressed || busy;
    takes.replaceChildren(found ? beforehand(of, lesson) : "");
    told.replaceChildren(
      ...[...messages, ...(wrong ? [["wrong", wrong]] : [])].map(
        ([kind, words]) => el(`p.message.${kind}`, {}, words),
      ),
    );
    far.replaceChildren(...underWay(of));
    if (found) fill(dots, ...scores(found, lesson));
    if (found) fill(all, ...whole(found));
  };
  of.addEventListener("changed", draw);
  dots.open = lesson.present;
  draw();
  return el("div.live", {}, text, button, takes, told, far, dots, all);
}

function fill(details, title, ...parts) {
  details.hidden = !title;
  details.firstChild.textContent = title;
  details.lastChild.replaceChildren(...parts.filter(Boolean));
}

// Below a later view of the same settings: where the seeds lie that were trained here meanwhile, or how far they are.
export function meanwhile(step, lesson, n) {
  const { a, b, of = [], group } = step.view ?? {},
    seen = [a, b, ...of];
  const begun = lesson.steps.slice(0, n).find((other) => {
    if (other.kind !== "run") return false;
    const { quick } = lesson.known.groups[other.group];
    return group === other.group || quick.every((key) => seen.includes(key));
  });
  if (!begun) return "";
  const runs = trained(lesson, begun.group),
    root = el("div.live.meanwhile");
  const draw = () => {
    const { found, chip } = runs,
      there = found && Object.values(found.dots).flat();
    root.replaceChildren(
      ...(there?.some((dot) => dot.live) ? bySeed(found) : []),
      chip && el("p.hint", {}, t("Your run: {state}", { state: chip })),
    );
  };
  runs.addEventListener("changed", draw);
  draw();
  return root;
}

// --- before and after the press

// What the button starts, and how long that takes.
function beforehand({ found, busy }, lesson) {
  const { settings, count, seconds, recorded } = found,
    names = Object.values(settings).join(", ");
  const parts = [
    lesson.code
      ? t(
          "Starts {count} runs ({names}) with the class's next seed: every press of the class is another one.",
          { count, names },
        )
      : t("Starts {count} runs ({names}) with a seed that nobody has used.", {
          count,
          names,
        }),
  ];
  if (seconds)
    parts.push(
      t("About {time} together, as such runs took here.", {
        time: duration(seconds),
      }),
    );
  else if (recorded)
    parts.push(
      t(
        "They took {time} together where this lesson was made; here it may be another time.",
        { time: duration(recorded) },
      ),
    );
  const others = [...store.rows.values()].filter(
    (row) => BUSY.includes(row.state) && !busy.includes(row),
  ).length;
  if (others)
    parts.push(t("Other runs before them: {count}.", { count: others }));
  return parts.join(" ");
}

// The runs under way, and those of the visitor that came to nothing.
function underWay({ rows, busy, lesson }) {
  const title = ({ run }) => lesson.settings[run.split("-")[1]];
  const line = (row) =>
    el(
      "div.run-far",
      {},
      el(`span.state.${row.state}`, {}, stated(row)),
      el(
        "span",
        {},
        el("b", {}, title(row)),
        " ",
        el("small", {}, t("seed {seed}", { seed: row.run.split("-")[2] })),
      ),
      el("progress", {
        value: row.done ?? 0,
        attrs: { "aria-label": title(row) },
      }),
      el("small.when", {}, awaited(row) || progressed(row)),
    );
  const failed = rows.filter(
    (row) =>
      store.isMine(row) && !BUSY.includes(row.state) && row.texts?.length,
  );
  const more = busy.length - MOST;
  return [
    ...busy.slice(0, MOST).map(line),
    ...(more > 0
      ? [el("p.hint", {}, t("and {count} more", { count: more }))]
      : []),
    ...failed
      .slice(0, 2)
      .map((row) =>
        el(
          "p.message.wrong",
          {},
          `${title(row)}, ${stated(row)}: ${row.texts.join(" ")}`,
        ),
      ),
  ];
}

// --- what they do to the difference

// Every run's score, with what the shapes of the dots mean.
function bySeed({ settings, dots }) {
  const rows = Object.entries(settings).map(([key, title]) => ({
    title,
    value: dots[key].length
      ? fixed(mean(dots[key].map(({ score }) => score)))
      : "–",
    dots: dots[key].map(({ seed, score, live }) => ({
      at: score,
      live,
      title: `${t("seed {seed}", { seed })}: ${fixed(score)}`,
    })),
  }));
  if (!rows.some((row) => row.dots.length)) return [];
  const shapes = [
    el("i.dot"),
    t("the lesson's own"),
    el("i.dot.live"),
    t("trained here"),
  ];
  const live = rows.some((row) => row.dots.some((dot) => dot.live));
  return [
    dotted(t("mIoU"), rows, fixed),
    ...(live ? [el("p.hint.shapes", {}, shapes)] : []),
  ];
}

function scores(found, lesson) {
  const { settings, dots, problem } = found,
    keys = Object.keys(settings),
    live = dots[keys[0]].filter((dot) => dot.live).length,
    own = dots[keys[0]].length - live;
  const title = t("Scores by seed: {own} of the lesson, {live} trained here", {
    own,
    live,
  });
  const open = lesson.steps.filter(
    ({ kind, when, id }) =>
      kind === "ask" && when === "before" && !lesson.answer(id),
  ).length;
  return [
    title,
    open &&
      !lesson.present &&
      el(
        "p.message.note",
        {},
        t(
          "You have not answered every prediction of this lesson yet: one of the answers may be here.",
        ),
      ),
    problem && el("p.message.wrong", {}, problem),
    ...bySeed(found),
    ...(found.after ? difference(found, keys) : []),
  ];
}

// The difference with its interval, without the seeds that were trained here and with them.
function difference({ settings, before, after, against, dots }, keys) {
  const [a, b] = keys,
    names = { a: settings[a], b: settings[b] };
  const bar = ({ low, high }) => (low === null ? null : [low, high]);
  const each = (live) =>
    dots[b]
      .filter((dot) => dot.live === live)
      .flatMap(({ seed, score }) => {
        const other = dots[a].find((dot) => dot.seed === seed);
        if (!other) return [];
        const at = score - other.score;
        return [
          { at, live, title: `${t("seed {seed}", { seed })}: ${signed(at)}` },
        ];
      });
  const own = each(false),
    live = each(true),
    seeds = live.length,
    count = (dots) => t("{count} seeds", { count: dots.length });
  const rows = [
    {
      title: `${t("the lesson's own")}, ${count(own)}`,
      value: signed(before.size),
      dots: own,
      bar: bar(before),
      mean: before.size,
    },
  ];
  if (seeds)
    rows.push({
      title: `${t("with those trained here")}, ${count([...own, ...live])}`,
      value: signed(after.size),
      dots: [...own, ...live],
      bar: bar(after),
      mean: after.size,
    });
  return [
    dotted(t("Difference: {b} minus {a}", names), rows, signed, true),
    el("p.told-difference", {}, verdict(after, names)),
    seeds > 0 && el("p.against", {}, ...alone(after, seeds, against, names)),
  ];
}

function verdict({ size, low, high, apart }, { a, b }) {
  const [better, worse] = size > 0 ? [b, a] : [a, b],
    given = { better, worse, size: fixed(Math.abs(size)), a, b };
  if (low === null)
    return t(
      "{better} scores {size} higher than {worse}; how far that could vary cannot be told.",
      given,
    );
  Object.assign(given, { low: signed(low), high: signed(high) });
  return apart
    ? t(
        "{better} scores {size} higher than {worse}. The interval leaves zero out: {low} to {high}.",
        given,
      )
    : t(
        "{a} and {b} cannot be told apart: the interval has zero in it, {low} to {high}.",
        given,
      );
}

// How many of the seeds that were trained here would have said something else, each alone.
function alone({ apart, size }, seeds, against, { a, b }) {
  const [first, second] = size > 0 ? [b, a] : [a, b];
  return [
    el(
      "b",
      {},
      apart ? `${against}/${seeds} ` : `${seeds - against} : ${against} `,
    ),
    apart
      ? t(
          "{against} of the {seeds} seeds trained here, alone, would have reported the opposite.",
          { against, seeds },
        )
      : t(
          "Alone, {most} of the {seeds} seeds trained here put {first} first, and {against} {second}.",
          { most: seeds - against, seeds, first, second, against },
        ),
  ];
}

// --- all runs of the lesson

function whole({ all, spent, like, settings }) {
  if (!like) return [""];
  const open = (key) =>
    el(
      "button.act",
      {
        type: "button",
        on: {
          click: () =>
            document.dispatchEvent(
              new CustomEvent("seglab-clone", { detail: like[key] }),
            ),
        },
      },
      t("{setting} in the Train tab", { setting: settings[key] }),
    );
  return [
    t("All runs of this lesson: {count}", { count: all }),
    el(
      "p",
      {},
      t(
        "They were trained beforehand, {time} in all where this lesson was made, and come with it. To train one with other settings, take its own into the form:",
        { time: duration(spent) },
      ),
    ),
    el("div.buttons", {}, Object.keys(like).map(open)),
  ];
}
