// Numbers as small drawings: how far a difference could vary, and what falls from step to step.
import { el, fixed, t } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

// An empty drawing that is read aloud as its label, and what adds a shape to it.
export function drawing(name, width, height, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", name);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const add = (tag, attributes, text = "") => {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes))
      made.setAttribute(key, value);
    made.textContent = text;
    svg.append(made);
  };
  return { svg, add };
}

// Values by step as a line, with the step that is looked at.
export function descent(values, step, label) {
  const width = 220,
    height = 44,
    least = Math.min(...values),
    most = Math.max(...values);
  const told = values.map((value, k) => `${k}: ${fixed(value)}`).join(", "),
    { svg, add } = drawing("descent", width, height, `${label}: ${told}`);
  const place = (value, k) => [
    8 + ((width - 16) * k) / Math.max(1, values.length - 1),
    6 + ((height - 12) * (most - value)) / (most - least || 1),
  ];
  add("polyline", { points: values.map((v, k) => place(v, k)).join(" ") });
  for (const [k, value] of values.entries()) {
    const [cx, cy] = place(value, k);
    add("circle", { cx, cy, r: k === step ? 5 : 2.5 });
  }
  return svg;
}

// The distribution of a difference as a cat's eye, with its interval, what was measured, each seed's own, and zero.
export function spread(
  { shape, low, high, difference, by_seed: seeds },
  label,
) {
  const width = 360,
    height = 74,
    middle = 32;
  const values = [0, low, high, ...shape.map(([place]) => place), ...seeds],
    least = Math.min(...values),
    most = Math.max(...values);
  const x = (value) =>
    14 + ((width - 28) * (value - least)) / (most - least || 1);
  const { svg, add } = drawing(
    "spread",
    width,
    height,
    `${label}: ${fixed(difference)} (${fixed(low)} – ${fixed(high)})`,
  );
  const upper = shape.map(
      ([place, tall]) => `${x(place)},${middle - 20 * tall}`,
    ),
    lower = shape.map(([place, tall]) => `${x(place)},${middle + 20 * tall}`);
  add("polygon", {
    points: [...upper, ...lower.reverse()].join(" "),
    class: "body",
  });
  add("line", { x1: x(0), x2: x(0), y1: 4, y2: 60, class: "zero" });
  add("line", {
    x1: x(low),
    x2: x(high),
    y1: middle,
    y2: middle,
    class: "interval",
  });
  for (const each of seeds)
    add("circle", { cx: x(each), cy: middle + 12, r: 2.5, class: "seed" });
  add("circle", { cx: x(difference), cy: middle, r: 4.5, class: "measured" });
  for (const [value, text] of [
    [0, "0"],
    [low, signed(low)],
    [high, signed(high)],
  ]) {
    if (value === 0 || Math.abs(x(value) - x(0)) > 26)
      add("text", { x: x(value), y: 70, class: "tick" }, text);
  }
  return svg;
}

export const signed = (value) =>
  `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(3)}`;

// A verdict as a page shows it: its sentences, the first in bold, and how far the difference could vary.
export function verdict(found) {
  const [first, ...more] = found.sentences;
  const said = el(
    "div",
    {},
    el("p", {}, el("b", {}, first)),
    more.map((text) => el("p", {}, text)),
  );
  if (found.low === null) return [said];
  const label = t(
    "What the difference in mIoU could be; the line is the interval, the dot what was measured",
  );
  return [said, spread(found, label)];
}
