// How far a difference could vary, as a picture.
import { fixed } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

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
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", "spread");
  svg.setAttribute("role", "img");
  svg.setAttribute(
    "aria-label",
    `${label}: ${fixed(difference)} (${fixed(low)} – ${fixed(high)})`,
  );
  const add = (tag, attributes, text = "") => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes))
      made.setAttribute(name, value);
    made.textContent = text;
    svg.append(made);
  };
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

const signed = (value) =>
  `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(3)}`;
