// The steps of a lesson by their kind: what draws each.
import { claims } from "./claims.js";
import { show } from "./evidence.js";
import { sheet } from "./handout.js";
import { run } from "./live.js";
import { ask } from "./question.js";
import { el } from "./text.js";

const read = (step) => el("p", {}, step.text);

export const kinds = new Map([
  ["read", read],
  ["ask", ask],
  ["run", run],
  ["show", show],
  ["discuss", read],
  ["tell", read],
  ["compare_with_source", claims],
  ["sheet", sheet],
]); // each (step, lesson, n) => Element
