// What came of a question, and beside it what the visitor said. It is a gap that is shown, not a mark that is given.
import { SURE } from "./lesson.js";
import { el, inline, marked, t } from "./text.js";

// `again`: it was told before, so the options are folded.
export function outcome(lesson, id, again = false) {
  const root = el("div.outcome", { attrs: { role: "status" } });
  const draw = async () => {
    try {
      const found = await lesson.result(id);
      root.replaceChildren(...told(lesson, lesson.question(id), found, again));
    } catch ({ message }) {
      root.replaceChildren(el("p.message.note", {}, message));
    }
  };
  lesson.addEventListener("answered", ({ detail }) => {
    if (detail === id) draw();
  });
  draw();
  return root;
}

const told = (lesson, ask, found, again) =>
  [
    el("p.you", {}, you(lesson, ask)),
    el("div.came", {}, el("small", {}, t("What came out")), marked(found.tell)),
    gap(lesson, ask, found),
    again && ask.options.length
      ? el(
          "details",
          {},
          el("summary", {}, t("All answers")),
          options(lesson, ask, found),
        )
      : options(lesson, ask, found),
    found.notes.map((note) => el("p.message.note", {}, note)),
  ]
    .flat()
    .filter(Boolean);

// What the visitor said.
function you(lesson, ask) {
  const {
    first = null,
    sure = null,
    again = null,
  } = lesson.answer(ask.id) ?? {};
  if (first === null && again === null)
    return ask.when === "before"
      ? t("You made no prediction.")
      : t("You gave no answer.");
  const said =
    first === null
      ? ""
      : sure
        ? t("You said: {answer} ({sure})", {
            answer: lesson.said(ask.id),
            sure: SURE()[sure],
          })
        : t("You said: {answer}", { answer: lesson.said(ask.id) });
  const then =
    again === null
      ? ""
      : t("After talking: {answer}", {
          answer: lesson.said(ask.id, "again"),
        });
  return [said, then].filter(Boolean).join(" · ");
}

// How far a number is from what was measured.
function gap(lesson, ask, { number }) {
  const first = lesson.answer(ask.id)?.first ?? null;
  if (ask.answer !== "number" || first === null || number === null) return null;
  const by = Math.abs(first - number);
  return el(
    "p.hint",
    {},
    by <= (ask.tolerance ?? 0)
      ? t("That is as close as can be asked for.")
      : t("{gap} apart.", { gap: Number(by.toPrecision(2)) }),
  );
}

// Every option: whether it came out, whether the visitor said so, and what makes it tempting.
function options(lesson, ask, found) {
  if (!ask.options.length) return null;
  const { first = null, again = null } = lesson.answer(ask.id) ?? {},
    among = (given, key) => [given ?? []].flat().includes(key);
  const mark = (on, kind, text) =>
    on ? el(`span.mark.${kind}`, {}, text) : "";
  const list = el(
    "ul.whys",
    {},
    ask.options.map(({ key, text }) =>
      el(
        "li",
        { data: { here: found.right.includes(key) } },
        el("b", {}, inline(text)),
        mark(found.right.includes(key), "here", t("came out here")),
        mark(among(first, key), "mine", t("you")),
        mark(among(again, key), "mine", t("you, after talking")),
        found.why[key] && el("p.why", {}, inline(found.why[key])),
      ),
    ),
  );
  return found.right.length
    ? list
    : [list, el("p.hint", {}, t("None of these came out here."))];
}
