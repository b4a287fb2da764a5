// A question: what the visitor answers, how sure they are, and what came of it.
import { SURE } from "./lesson.js";
import { outcome } from "./outcome.js";
import { el, inline, t } from "./text.js";

// The fields of a question, and what is given in them: null as long as that is nothing. `taken` is called at each change.
export function fields(ask, name, given, taken) {
  if (ask.answer === "text" || ask.answer === "number")
    return written(ask, given, taken);
  const several = ask.answer === "several",
    now = [given ?? []].flat();
  const inputs = ask.options.map(({ key }) =>
    el("input", {
      type: several ? "checkbox" : "radio",
      name,
      value: key,
      checked: now.includes(key),
      on: { change: () => taken() },
    }),
  );
  const root = el(
    "div.options",
    {},
    ask.options.map(({ text }, k) =>
      el("label.option", {}, inputs[k], el("span", {}, inline(text))),
    ),
  );
  const value = () => {
    const keys = inputs.filter((each) => each.checked).map((one) => one.value);
    return keys.length ? (several ? keys : keys[0]) : null;
  };
  return { root, value };
}

function written(ask, given, taken) {
  const number = ask.answer === "number",
    attrs = { "aria-label": ask.text };
  const field = el(number ? "input" : "textarea", {
    value: given ?? "",
    attrs: number
      ? { ...attrs, type: "number", step: "any", inputmode: "decimal" }
      : { ...attrs, rows: 3, maxlength: 2000 },
    on: { input: () => taken() },
  });
  const value = () => {
    const text = field.value.trim();
    return text === "" ? null : number ? Number(text) : text;
  };
  return {
    root: el("div.written", {}, field, ask.unit && el("span", {}, ask.unit)),
    value,
  };
}

export function ask(step, lesson, n) {
  const root = el("div.ask");
  const draw = () => {
    const told = lesson.answer(step.id) && lesson.tellsAtOnce(step);
    root.replaceChildren(
      ...(told
        ? [el("p.question", {}, inline(step.text)), outcome(lesson, step.id)]
        : [form(step, lesson, n)]),
    );
  };
  lesson.addEventListener("answered", ({ detail }) => {
    if (detail === step.id) draw();
  });
  draw();
  return root;
}

function form(step, lesson, n) {
  const answer = lesson.answer(step.id),
    at = lesson.tellsAtOnce(step),
    keep = el("button.act.main", { type: "submit", disabled: true }),
    input = fields(step, `ask-${step.id}`, answer?.first, () => {
      keep.disabled = input.value() === null;
    });
  keep.textContent = at ? t("Keep it, compare") : t("Keep it, go on");
  const done = (given) => {
    lesson.keep(step.id, given);
    if (!at) lesson.open(n + 1);
  };
  const skip = el(
    "button.act",
    { type: "button", on: { click: () => done({ first: null }) } },
    lesson.present ? t("Show what came out") : t("Skip"),
  );
  const sure = step.sure && level(step.id, answer?.sure);
  return el(
    "form",
    {
      on: {
        submit: (event) => {
          event.preventDefault();
          const first = input.value();
          if (first === null) return;
          done({ first, ...(sure && { sure: sure.value() }) });
        },
      },
    },
    el(
      "fieldset",
      { disabled: Boolean(answer) },
      el("legend", {}, inline(step.text)),
      hint(step),
      input.root,
      sure ? sure.root : null,
    ),
    answer ? after(answer) : el("div.keep", {}, keep, skip),
  );
}

function hint(step) {
  if (step.answer === "several")
    return el("p.hint", {}, t("Pick all that apply."));
  if (step.when === "before")
    return el(
      "p.hint",
      {},
      t("A prediction cannot be wrong: it shows you what surprises you."),
    );
  return null;
}

// What is said below a question that is answered.
const after = ({ first }) =>
  el(
    "p.hint",
    {},
    first === null
      ? t("You skipped this.")
      : t("Kept. What came out is told further on."),
  );

// How sure the visitor is.
function level(id, given) {
  const inputs = Object.entries(SURE()).map(([value, text]) => [
    el("input", {
      type: "radio",
      name: `sure-${id}`,
      value,
      checked: value === given,
    }),
    text,
  ]);
  return {
    root: el(
      "fieldset.sure",
      {},
      el("legend", {}, t("How sure are you?")),
      inputs.map(([input, text]) =>
        el("label.option", {}, input, el("span", {}, text)),
      ),
    ),
    value: () => inputs.find(([input]) => input.checked)?.[0].value ?? null,
  };
}
