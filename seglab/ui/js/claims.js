// A document's figures beside those measured here, and what became of what it says.
import { el, fixed, marked, t } from "./text.js";

export const STATES = () => ({
  found: t("found again"),
  turned: t("the other way round"),
  open: t("open: cannot be told apart"),
});

export function claims(step, lesson, n) {
  const place = el("div.claims", {}, el("p.hint", {}, t("Loading …")));
  const draw = async () => {
    try {
      const found = await lesson.step(n);
      place.replaceChildren(...found.claims.map(claim));
    } catch ({ message }) {
      place.replaceChildren(el("p.message.note", {}, message));
    }
  };
  draw();
  return el("div", {}, step.text && marked(step.text), place);
}

const claim = (found) =>
  el(
    "article",
    {},
    el(
      "blockquote",
      {},
      marked(found.quote),
      el("small", {}, `${found.where} · ${found.measured}`),
    ),
    found.figures.length > 0 && figures(found),
    found.pairs.length > 0 && pairs(found),
    found.summary && el("p.summary", {}, found.summary),
    found.reasons.length > 0 &&
      el(
        "div.reasons",
        {},
        el("b", {}, t("Why they may differ")),
        el(
          "ul",
          {},
          found.reasons.map((reason) => el("li", {}, reason)),
        ),
      ),
  );

// Cells say what they are where there is no room for a head.
const cell = (label, ...content) => el("td", { data: { label } }, ...content);

const table = (caption, heads, rows) =>
  el(
    "table.beside",
    {},
    el("caption", {}, caption),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        heads.map((head) => el("th", { attrs: { scope: "col" } }, head)),
      ),
    ),
    el("tbody", {}, rows),
  );

function figures({ figures: all, percent }) {
  const reported = all.some(({ there }) => there !== null),
    heads = [
      t("Setting"),
      ...(reported ? [t("The document")] : []),
      t("Measured here"),
    ],
    // as many digits as the document gives
    written = Math.max(
      ...all.map(({ there }) => `${there ?? ""}`.split(".")[1]?.length ?? 0),
    ),
    of = (value) => fixed(value * (percent ? 100 : 1), percent ? 2 : 3);
  const row = ({ title, there, here, deviation, seeds }) =>
    el(
      "tr",
      {},
      el("th", { attrs: { scope: "row" } }, title),
      reported && cell(t("The document"), fixed(there, written)),
      cell(
        t("Measured here"),
        deviation === null ? of(here) : `${of(here)} ± ${of(deviation)}`,
        " ",
        el(
          "small",
          {},
          seeds === 1 ? t("one seed") : t("{count} seeds", { count: seeds }),
        ),
      ),
    );
  return table(t("Figures"), heads, all.map(row));
}

function pairs({ pairs: all, percent }) {
  const heads = [t("The document says"), t("Here"), t("Difference here")],
    signed = (value) => {
      const scaled = value * (percent ? 100 : 1);
      return `${scaled < 0 ? "−" : "+"}${fixed(Math.abs(scaled), percent ? 2 : 3)}`;
    };
  const row = ({ low, high, state, size, ends: [from, to] }) =>
    el(
      "tr",
      {},
      el(
        "th",
        { attrs: { scope: "row" } },
        t("{high} above {low}", { high, low }),
      ),
      cell(heads[1], el(`span.mark.${state}`, {}, STATES()[state])),
      cell(
        heads[2],
        signed(size),
        " ",
        el(
          "small",
          {},
          from === null || to === null
            ? t("without an interval")
            : t("({from} to {to})", { from: signed(from), to: signed(to) }),
        ),
      ),
    );
  return table(t("Statements"), heads, all.map(row));
}
