// A lesson for a class: its code, the link with it, and the same as a picture for phones.
import { copied } from "./address.js";
import { el, lang, t } from "./text.js";

const LETTERS = "BCDFGHJKMNPQRTVWXY346789"; // none that looks like another, and no words
const LENGTH = 4;

// Where a class finds the lesson.
export function wayTo({ name, code }) {
  const query = new URLSearchParams({ lesson: name, lang });
  if (code) query.set("class", code);
  return `${location.origin}${location.pathname}?${query}`;
}

// A text as a square that cameras read.
export async function qr(text) {
  const { qrcode } = await import("./vendor/qrcode-generator/qrcode.mjs"),
    code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const margin = 4,
    count = code.getModuleCount(),
    size = count + 2 * margin,
    canvas = el("canvas", { width: size, height: size }),
    context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  context.fillStyle = "#000";
  for (let row = 0; row < count; row++)
    for (let column = 0; column < count; column++)
      if (code.isDark(row, column))
        context.fillRect(column + margin, row + margin, 1, 1);
  return canvas;
}

function made() {
  const numbers = crypto.getRandomValues(new Uint32Array(LENGTH));
  return [...numbers].map((each) => LETTERS[each % LETTERS.length]).join("");
}

// What a teacher needs to give the lesson to a class; `give(code)` opens it with a code.
export function classroom(lesson, give) {
  const anew = el(
    "button.act",
    { type: "button", on: { click: () => give(made()) } },
    lesson.code ? t("Another code") : t("Make a code"),
  );
  const about = el(
    "p.hint",
    {},
    t(
      "With a code, each press of “Run it here” trains the class's next seed, and everybody sees all dots. It is no password; nothing is kept but the seeds and the code.",
    ),
  );
  return el(
    "details.classroom",
    { open: Boolean(lesson.code) },
    el("summary", {}, t("Give this lesson to a class")),
    el(
      "div",
      {},
      about,
      lesson.code ? way(lesson) : "",
      el("span.buttons", {}, anew),
    ),
  );
}

function way(lesson) {
  const link = wayTo(lesson),
    picture = el("span.qr", {
      attrs: { role: "img", "aria-label": t("The link as a QR code") },
    });
  qr(link).then((canvas) => picture.replaceChildren(canvas));
  return el(
    "div.way",
    {},
    el("b.code", {}, lesson.code),
    picture,
    el("a", { href: link }, link),
    el(
      "button.act",
      {
        type: "button",
        on: { click: (event) => copied(link, event.target) },
      },
      t("Copy link"),
    ),
  );
}
