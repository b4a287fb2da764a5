// What scripts say, in the page's language. Every text stands in a call of t, so that it can be collected.
export const lang = document.documentElement.lang || "en";
const own = document.getElementById("texts"); // a report's, which has no server
let texts = own ? JSON.parse(own.textContent) : {};
export const ready = own
  ? Promise.resolve()
  : fetch(new URL(`texts.${lang}.json`, import.meta.url))
      .then((answer) => (answer.ok ? answer.json() : {}))
      .then(
        (found) => {
          texts = found;
        },
        () => {},
      );

// The text with its {values} filled in; what has no translation stays English.
export const t = (text, values = {}) =>
  (texts[text] ?? text).replace(
    /{(\w+)}/g,
    (whole, name) => values[name] ?? whole,
  );

// An element with its properties, attributes (in `attrs`) and children; texts are texts, never HTML.
export function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name || "div");
  if (classes.length) made.className = classes.join(" ");
  const { attrs = {}, on = {}, data = {}, ...rest } = properties;
  Object.assign(made, rest);
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(attrs))
    if (value !== null) made.setAttribute(key, value);
  for (const [key, value] of Object.entries(on))
    made.addEventListener(key, value);
  made.append(
    ...children
      .flat()
      .filter(
        (child) => child !== null && child !== undefined && child !== false,
      ),
  );
  return made;
}

// A text with **bold**, *emphasis*, `code`, line breaks and empty lines between paragraphs, as elements; what stands in
// a line is `inline`.
export const marked = (text) =>
  text
    .trim()
    .split(/\n\s*\n/)
    .map((part) => el("p", {}, inline(part)));

export const inline = (text) => text.trim().split("\n").flatMap(line);

const MARKS = { "**": "strong", "*": "em", "`": "code" };
const line = (text, n) => [
  n ? el("br") : null,
  ...text.split(/(\*\*.+?\*\*|`.+?`|\*\S(?:.*?\S)??\*)/).map((part, k) => {
    if (k % 2 === 0) return part;
    const mark = part.match(/^(\*\*|\*|`)/)[0];
    return el(MARKS[mark], {}, part.slice(mark.length, -mark.length));
  }),
];

// How far something is that the server does for one after the other: nothing is known while it waits for others.
export const progress = (kind, label, share) =>
  el(
    `div.far.${kind}`,
    {},
    el("progress", { attrs: { "aria-label": label, value: share } }),
    el("small.hint", {}, t("waits for others")),
  );

export const fixed = (value, digits = 3) =>
  value === null || value === undefined ? "–" : value.toFixed(digits);

// Seconds as a person says them.
export function duration(seconds) {
  if (seconds < 90) return t("{seconds} s", { seconds: Math.round(seconds) });
  if (seconds < 5400)
    return t("{minutes} min", { minutes: Math.round(seconds / 60) });
  return t("{hours} h", { hours: (seconds / 3600).toFixed(1) });
}

// A choice with its label; `change` gets the value.
export const choice = (text, change) =>
  el(
    "label",
    {},
    text,
    el("select", { on: { change: (event) => change(event.target.value) } }),
  );

// Buttons to the image before and the next, with what stands between them; `go` gets -1 or 1.
export function steps(go, between) {
  const step = (text, label, by) =>
    el(
      "button.act",
      {
        type: "button",
        attrs: { "aria-label": label },
        on: { click: () => go(by) },
      },
      text,
    );
  return [
    step("‹", t("Image before"), -1),
    between,
    step("›", t("Next image"), 1),
  ];
}
