// The steps of a lesson by their kind: what draws each.
import { claims } from "./claims.js";
import { show } from "./evidence.js";
import { sheet } from "./handout.js";
import { inspect, retraced } from "./inspect.js";
import { run } from "./live.js";
import { outcome } from "./outcome.js";
import { ask } from "./question.js";
import { discuss } from "./talk.js";
import { el, inline, marked } from "./text.js";

const read = (step) => el("div.read", {}, marked(step.text));

// What came of a question that was asked before.
const of = (lesson, id, n) => [
  el("p.asked", {}, inline(lesson.question(id).text)),
  outcome(lesson, id, lesson.toldBefore(id, n)),
];

const tell = (step, lesson, n) =>
  el(
    "div.tell",
    {},
    ...of(lesson, step.of, n),
    retraced(lesson, step.of),
    step.text && el("div.read", {}, marked(step.text)),
  );

// What is seen first, and then what came of the questions that it answers.
const look = (step, lesson, n) =>
  el(
    "div",
    {},
    show(step, lesson, n),
    step.after.flatMap((id) => of(lesson, id, n)),
  );

export const kinds = new Map([
  ["read", read],
  ["ask", ask],
  ["run", run],
  ["show", look],
  ["inspect", inspect],
  ["discuss", discuss],
  ["tell", tell],
  ["compare_with_source", claims],
  ["sheet", sheet],
]); // each (step, lesson, n) => Element
