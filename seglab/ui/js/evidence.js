// A step that shows evidence: a view of the laboratory, of a lesson's settings in the place of runs. A view is drawn when
// its step is opened, and lets go of its pixels when the lesson is closed.
import { asked, held } from "./brought.js";
import { Crf } from "./crf.js";
import { Curves } from "./curves.js";
import { folded, plane, strip } from "./dots.js";
import { Grid } from "./grid.js";
import { known } from "./lesson.js";
import { averaged } from "./points.js";
import { Served } from "./sides.js";
import { verdict } from "./spread.js";
import { el, inline, lang, t } from "./text.js";
import { MARKS, Where } from "./where.js";

const AXES = { epochs: "epoch", steps: "step", seconds: "seconds" };
const VIEWS = {
  overview,
  where,
  real,
  why,
  curves,
  grid,
  crf,
  scatter,
  folds,
}; // each draws what the server knows of it into a place, and gives what closes it

export function show(step, lesson, n) {
  const place = el("div.view");
  view(place, step, lesson, n);
  return el(
    "div.evidence",
    {},
    step.caption && el("p.caption", {}, inline(step.caption)),
    place,
  );
}

// Draws a step's view into a place, or the one that is `wanted`; gives what closes it.
export function view(place, step, lesson, n, wanted = {}) {
  let close, gone;
  const draw = async () => {
    place.replaceChildren();
    place.classList.add("working");
    try {
      const found = await lesson.step(n, wanted);
      if (!gone)
        close = VIEWS[step.view.view](place, found, { step, lesson, n });
    } catch ({ message }) {
      if (!gone) place.replaceChildren(again(message, draw));
    } finally {
      if (!gone) place.classList.remove("working");
    }
  };
  const end = () => {
    gone = true;
    close?.();
    place.replaceChildren();
  };
  lesson.addEventListener("closed", end);
  draw();
  return end;
}

// What went wrong, and the way to have it tried again.
const again = (message, click) =>
  el(
    "p.message.wrong",
    { attrs: { role: "alert" } },
    message,
    " ",
    el("button.link", { type: "button", on: { click } }, t("Try again")),
  );

// --- numbers

function overview(place, { settings, by }, { step, lesson, n }) {
  const draw = () =>
    place.replaceChildren(
      strip(settings, by, predicted(step, lesson, n, settings)),
    );
  lesson.addEventListener("answered", draw);
  draw();
}

// What the visitor said of each of some settings, where a question before was which of them.
function predicted({ after }, lesson, n, settings) {
  const keys = settings.map(({ key }) => key),
    among = ({ kind, options = [] }) =>
      kind === "ask" &&
      options.filter((option) => keys.includes(option.key)).length > 1;
  const asks = lesson.steps.slice(0, n).filter(among),
    ask = asks.find(({ id }) => after.includes(id)) ?? asks.at(-1),
    given = (which) => [(ask && lesson.answer(ask.id)?.[which]) ?? []].flat();
  return (key) =>
    given("first").includes(key)
      ? t("you said")
      : given("again").includes(key)
        ? t("you, after talking")
        : "";
}

function curves(place, { settings, scores, x }) {
  const points = new Map(
      settings.map(({ key, seeds }) => [key, averaged(seeds)]),
    ),
    rows = settings.map(({ key, title }, n) => ({
      run: key,
      name: title,
      stroke: n,
    })),
    drawn = new Curves(
      { rows, points: (run) => points.get(run) },
      { metrics: scores, axis: AXES[x] },
    );
  const most = Math.max(...settings.map(({ seeds }) => seeds.length));
  place.append(drawn.root);
  if (most > 1)
    place.append(
      el(
        "p.hint",
        {},
        t(
          "A line is the mean of a setting's seeds; its band goes from the lowest to the highest.",
        ),
      ),
    );
  drawn.soon();
  return () => {
    drawn.close();
    points.clear();
  };
}

function scatter(place, { points, x, y }) {
  place.append(plane(points, x, y));
}

function folds(place, { settings, by }) {
  place.append(
    el("div.scroll", { tabIndex: 0 }, folded(settings)),
    strip(settings, by),
  );
}

// --- two sides

const query = (found, lesson) =>
  new URLSearchParams({ lesson: lesson.name, a: found.a, b: found.b, lang });

// Which is which, and what can be said of their difference.
const sides = ({ names, verdict: found }) =>
  el(
    "div.two",
    {},
    el(
      "p.which",
      {},
      el("span", {}, el("b", {}, "A"), " ", names.a),
      el("span", {}, el("b", {}, "B"), " ", names.b),
    ),
    el("div.verdict", {}, verdict(found)),
  );

function where(place, found, { step, lesson, n }) {
  const { view } = step;
  place.append(sides(found));
  const body = el("div"),
    drawn = pixels(body, found, lesson, n);
  place.append(body);
  if (!drawn) return null;
  const without = view.without
    .map((name) => found.classes.findIndex(([, each]) => each === name))
    .filter((k) => k >= 0);
  drawn.follow({ image: found.scene, show: view.mode, without: `${without}` });
  if (["photo", "truth"].includes(view.mode)) drawn.panes.only(view.mode);
  return () => drawn.close();
}

// The pixels of two sides, as the laboratory shows them; nothing where only their scores are here.
function pixels(place, found, lesson, n) {
  if (found.missing) {
    place.replaceChildren(el("p.message.note", {}, found.missing));
    return null;
  }
  const asked = { ...found, query: query(found, lesson) },
    drawn = new Where({
      watching: true,
      looked() {},
      nameOf: (side) => found.names[side],
      link: () => `learn?lesson=${lesson.name}&step=${n + 1}`,
    });
  place.append(drawn.root);
  drawn.take(asked, new Served(asked));
  return drawn;
}

// Puts what the server writes into a place; whether it could.
async function written(place, path) {
  place.classList.add("working");
  try {
    const answer = await asked(`seglab/lab/${path}`);
    if (!answer.ok) throw new Error((await held(answer)).error);
    place.innerHTML = await answer.text(); // the server's own, in which names are escaped
    return true;
  } catch ({ message }) {
    place.replaceChildren(again(message, () => written(place, path)));
    return false;
  } finally {
    place.classList.remove("working");
    place.dispatchEvent(new Event("written"));
  }
}

function real(place, found, { lesson }) {
  const body = el("div");
  place.append(sides(found), body);
  written(body, `real?${query(found, lesson)}`);
}

function why(place, found, { step, lesson, n }) {
  const body = el("div.parts"),
    below = el("div");
  let drawn;
  place.append(sides(found), body, below);
  body.addEventListener("written", () => {
    first(body, step.view.at);
    borders(body, query(found, lesson));
  });
  body.addEventListener("click", (event) => {
    if (!event.target.closest(MARKS)) return;
    drawn ??= pixels(below, found, lesson, n);
    drawn?.press(event);
    below.scrollIntoView({ block: "start", behavior: "smooth" });
  });
  written(body, `why?${query(found, lesson)}`);
  return () => drawn?.close();
}

// The part of a view that is looked at stands first, the others folded below.
function first(body, name) {
  const parts = [...body.querySelectorAll("[data-part]")],
    wanted = parts.find((each) => each.dataset.part === name) ?? parts[0];
  if (!wanted) return;
  body.replaceChildren(
    wanted,
    el(
      "details.terms",
      {},
      el("summary", {}, t("What else is known of the difference")),
      parts.filter((each) => each !== wanted),
    ),
  );
}

// What happens at borders comes later than the rest, and where it takes long, bit by bit.
async function borders(body, asked) {
  const place = body.querySelector("[data-borders]");
  let going = Boolean(place);
  while (going && place.isConnected)
    going =
      (await written(place, `borders?${asked}`)) &&
      Boolean(place.querySelector("[data-borders]"));
}

function crf(place, { run, scene }, { step, lesson }) {
  const drawn = new Crf({
    known: { a: run, sides: [{ run }] },
    refines: true,
    looked() {},
    noted() {},
    trigger: (kind, data) => lesson.send(kind, data),
  });
  place.append(drawn.root);
  lesson.addEventListener("live", ({ detail }) => drawn.hear(detail));
  drawn.follow({ image: `${scene}`, show: step.view.mode });
  return () => drawn.close();
}

// --- many settings

function grid(place, _, { step, lesson, n }) {
  const body = el("div"),
    below = el("div");
  let drawn;
  place.append(body, below);
  const compare = async ({ a, b }) => {
    drawn?.close();
    drawn = null;
    below.replaceChildren();
    try {
      const found = await known(`lab?lesson=${lesson.name}&a=${a}&b=${b}`);
      const body = el("div");
      below.replaceChildren(sides(found), body);
      drawn = pixels(body, found, lesson, n);
    } catch ({ message }) {
      below.replaceChildren(again(message, () => compare({ a, b })));
    }
    below.scrollIntoView({ block: "start", behavior: "smooth" });
  };
  const settings = [
    ["lesson", lesson.name],
    ["group", step.view.group],
  ];
  new Grid(
    {
      settings,
      write: (view, asked) => written(body, `${view}?${asked}`),
      compare,
      noted() {},
    },
    body,
  ).show();
  return () => drawn?.close();
}
