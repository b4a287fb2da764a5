// Scores as dots on a line, a row each: what was there as circles, what came since as diamonds, with intervals.
import { el } from "./text.js";

const EDGE = 0.06; // of the range, left free on either side

// `rows`: {title, value, dots: [{at, title, live}], bar: [low, high], mean}, of which `value` is told in words; `zero` is
// drawn as a line of its own; `shown` gives a number's text.
export function dotted(label, rows, shown, zero = false) {
  const values = rows.flatMap(({ dots, bar, mean }) => [
    ...dots.map(({ at }) => at),
    ...(bar ?? []),
    ...(mean === undefined ? [] : [mean]),
  ]);
  if (zero) values.push(0);
  const least = Math.min(...values),
    most = Math.max(...values),
    room = EDGE * (most - least) || 0.01;
  const place = (value) =>
    `${(100 * (value - least + room)) / (most - least + 2 * room)}%`;
  const mark = (kind, at, rest = {}) =>
    el(`i.${kind}`, { ...rest, style: `left: ${place(at)}` });
  const track = ({ dots, bar, mean }) =>
    el(
      "span.track",
      { attrs: { "aria-hidden": "true" } },
      zero && mark("zero", 0),
      bar &&
        el("i.bar", {
          style: `left: ${place(bar[0])}; right: calc(100% - ${place(bar[1])})`,
        }),
      dots.map(({ at, title, live }) =>
        mark(live ? "dot.live" : "dot", at, { title }),
      ),
      mean !== undefined && mark("mean", mean, { title: shown(mean) }),
    );
  const ends = [least, ...(zero ? [0] : []), most].filter(
    (value, n, all) =>
      all.indexOf(value) === n &&
      (value === 0 || !zero || Math.abs(value) > 0.2 * (most - least)),
  );
  return el(
    "figure.dotted",
    {},
    el("figcaption", {}, label),
    rows.map((row) =>
      el(
        "div.row",
        {},
        el("span.of", {}, row.title, " ", el("b", {}, row.value)),
        track(row),
      ),
    ),
    el(
      "div.row.scale",
      { attrs: { "aria-hidden": "true" } },
      el("span.of"),
      el(
        "span.track",
        {},
        ends.map((value) =>
          el("span", { style: `left: ${place(value)}` }, shown(value)),
        ),
      ),
    ),
  );
}
