// A lesson for a class: its code, the link with it, and the same as a picture for phones.
import { link } from "./about.js";
import { copied } from "./address.js";
import { carried } from "./brought.js";
import { coded } from "./qr.js";
import { el, lang, t } from "./text.js";

const LETTERS = "BCDFGHJKMNPQRTVWXY346789"; // none that looks like another, and no words
const LENGTH = 4;

// Where a class finds the lesson; one from elsewhere stands in the fragment, which the server does not get.
export function wayTo({ name, code }) {
  if (carried(name)) return location.href.split("#")[0] + link(name, code);
  const query = new URLSearchParams({ lesson: name, lang });
  if (code) query.set("class", code);
  return `${location.origin}${location.pathname}?${query}`;
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
  const to = wayTo(lesson),
    picture = el("span.qr", {
      attrs: { role: "img", "aria-label": t("The link as a QR code") },
    });
  coded(to).then((canvas) => picture.replaceChildren(canvas ?? ""));
  return el(
    "div.way",
    {},
    el("b.code", {}, lesson.code),
    picture,
    el("a", { href: to }, to),
    el(
      "button.act",
      {
        type: "button",
        on: { click: (event) => copied(to, event.target) },
      },
      t("Copy link"),
    ),
  );
}
