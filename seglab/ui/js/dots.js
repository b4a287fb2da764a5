// Scores as marks on a line or a plane: one of each seed with their mean, and what is gained against what was there.
import { drawing, signed } from "./spread.js";
import { el, fixed, t } from "./text.js";

const WHOLE = ["seconds", "parameters", "multiply_adds"]; // scores that have no decimals
const NAMES = () => ({
  miou: "mIoU",
  pixel_accuracy: t("Pixel accuracy"),
  gap: t("Training mIoU minus validation mIoU"),
  val_loss: t("Validation loss"),
  jumps: t("Jumps of the validation loss"),
  near_border: t("mIoU near borders"),
  seconds: t("Seconds"),
  parameters: t("Parameters"),
  multiply_adds: t("Multiply-adds (MACs)"),
});

// What a score is called; `known` says which class it is of, where that was computed.
export function named(by, { class: of, share } = {}) {
  const [kind, name] = by.split(":");
  if (kind === "iou" && share)
    return t("IoU of {name}, {share} % of the pixels", { name: of, share });
  if (kind === "iou") return t("IoU of {name}", { name });
  return name ? t("mIoU of images with {name}", { name }) : NAMES()[kind];
}

export const shown = (by, value) =>
  WHOLE.includes(by) ? Math.round(value).toLocaleString("en") : fixed(value);

// Round numbers for the ticks of an axis, three to six.
export function ticks(low, high) {
  const rough = (high - low) / 5,
    unit = 10 ** Math.floor(Math.log10(rough)),
    step = [1, 2, 5, 10].map((by) => by * unit).find((each) => each >= rough),
    first = Math.ceil(low / step),
    count = Math.floor(high / step) - first + 1;
  return Array.from(
    { length: count },
    (_, n) => +((first + n) * step).toFixed(6),
  );
}

// An axis with room at both ends: where a value lies on it as a share, and its ticks.
export function axis(values) {
  const least = Math.min(...values),
    most = Math.max(...values),
    room = Math.max(0.08 * (most - least), 0.01 * Math.abs(most), 1e-3),
    [low, high] = [least - room, most + room];
  return {
    at: (value) => (value - low) / (high - low),
    ticks: ticks(low, high),
  };
}

export const mean = (values) =>
  values.reduce((a, b) => a + b, 0) / values.length;

// A line for each setting with a dot for each of its runs and a mark at their mean; `said(key)` is what stands beside a
// setting's title, where the visitor said something of it.
export function strip(settings, by, said = () => "") {
  const along = axis(
      settings.flatMap(({ dots }) => dots.map((dot) => dot.score)),
    ),
    left = (value) => `left:${(100 * along.at(value)).toFixed(2)}%`;
  const lane = (dots) => {
    const scores = dots.map((dot) => dot.score),
      told = dots.map(({ seed, score }) =>
        t("seed {seed}: {score}", { seed, score: shown(by, score) }),
      );
    return el(
      "div.lane",
      { attrs: { role: "img", "aria-label": told.join(", ") } },
      along.ticks.map((tick) => el("i.rule", { style: left(tick) })),
      el("i.mean", { style: left(mean(scores)) }),
      scores.map((score, n) =>
        el("i.dot", { style: left(score), title: told[n] }),
      ),
    );
  };
  const rows = settings.map(({ key, title, dots }) => {
    const mark = said(key);
    return el(
      "tr",
      { data: { key } },
      el(
        "th",
        { attrs: { scope: "row" } },
        title,
        mark && el("span.mark.mine", {}, mark),
      ),
      el("td", {}, lane(dots)),
      el("td.n", {}, shown(by, mean(dots.map((dot) => dot.score)))),
    );
  });
  const head = (text, kind = "") =>
    el(`th${kind}`, { attrs: { scope: "col" } }, text);
  return el(
    "table.strip",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head(t("Setting")),
        head(named(by, settings[0])),
        head(t("Mean"), ".n"),
      ),
    ),
    el("tbody", {}, rows),
    el(
      "tfoot",
      { attrs: { "aria-hidden": "true" } },
      el(
        "tr",
        {},
        el("td"),
        el(
          "td",
          {},
          el(
            "div.lane",
            {},
            along.ticks.map((tick) =>
              el("span", { style: left(tick) }, `${tick.toLocaleString("en")}`),
            ),
          ),
        ),
        el("td"),
      ),
    ),
  );
}

const WIDTH = 640,
  HEIGHT = 300; // of a plane, whose margins the style sheet knows
const [LEFT, RIGHT, TOP, BOTTOM] = [50, 30, 16, 30];

// What is gained (up) against what was there before (right), each point with a number that a table explains.
export function plane(points, x, y) {
  const across = axis(points.map((point) => point.x)),
    up = axis([0, ...points.map((point) => point.y)]),
    px = (value) => LEFT + (WIDTH - LEFT - RIGHT) * across.at(value),
    py = (value) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up.at(value),
    left = (value) => `${(100 * px(value)) / WIDTH}%`,
    top = (value) => `${(100 * py(value)) / HEIGHT}%`;
  const title = t("What is gained in {y} (up), against {x} before (right)", {
      x: named(x),
      y: named(y),
    }),
    { svg, add } = drawing("plane", WIDTH, HEIGHT, title);
  for (const tick of up.ticks)
    add("line", {
      x1: LEFT,
      x2: WIDTH - RIGHT,
      y1: py(tick),
      y2: py(tick),
      class: tick === 0 ? "tick" : "rule",
    });
  for (const tick of across.ticks)
    add("line", {
      x1: px(tick),
      x2: px(tick),
      y1: HEIGHT - BOTTOM,
      y2: HEIGHT - BOTTOM + 4,
      class: "tick",
    });
  const texts = [
    ...up.ticks.map((tick) =>
      el("span.up", { style: `top:${top(tick)}` }, `${tick}`),
    ),
    ...across.ticks.map((tick) =>
      el("span.across", { style: `left:${left(tick)}` }, `${tick}`),
    ),
  ];
  const marks = points.map((point, n) =>
    el(
      "b.numbered",
      {
        style: `left:${left(point.x)};top:${top(point.y)}`,
        title: point.title,
        attrs: { "aria-hidden": "true" },
      },
      `${n + 1}`,
    ),
  );
  const rows = points.map((point, n) =>
    el(
      "tr",
      {},
      el("td.n", {}, `${n + 1}`),
      el("th", { attrs: { scope: "row" } }, point.title),
      el("td.n", {}, shown(x, point.x)),
      el("td.n", {}, signed(point.y)),
    ),
  );
  const head = (text, kind) =>
    el(`th${kind}`, { attrs: { scope: "col" } }, text);
  return el(
    "div.scatter",
    {},
    el(
      "figure",
      {},
      el("div.plot", {}, svg, texts, marks),
      el("figcaption", {}, title),
    ),
    el(
      "table.values",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("td"),
          head(t("Setting"), ""),
          head(t("before"), ".n"),
          head(t("gained"), ".n"),
        ),
      ),
      el("tbody", {}, rows),
    ),
  );
}

// The folds of a cross-validation: which part each setting is scored on, and where the weights that it begins with have
// learned from that part before.
export function folded(settings) {
  const numbers = Array.from({ length: settings[0].of }, (_, n) => n);
  const part = (setting, n) => {
    if (n !== setting.fold) return el("td.train", {}, t("trained on"));
    const { seen, images } = setting;
    return seen
      ? el(
          "td.seen",
          {},
          t("scored on"),
          el(
            "small",
            {},
            t("{seen} of {images} seen before", { seen, images }),
          ),
        )
      : el("td.held", {}, t("scored on"));
  };
  const row = (setting) =>
    el(
      "tr",
      {},
      el(
        "th",
        { attrs: { scope: "row" } },
        setting.title,
        setting.begins &&
          el(
            "small",
            {},
            t("begins with the weights of “{name}”", { name: setting.begins }),
          ),
      ),
      numbers.map((n) => part(setting, n)),
    );
  return el(
    "table.folds",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("td"),
        numbers.map((n) =>
          el(
            "th",
            { attrs: { scope: "col" } },
            t("Part {number}", { number: n + 1 }),
          ),
        ),
      ),
    ),
    el("tbody", {}, settings.map(row)),
  );
}
