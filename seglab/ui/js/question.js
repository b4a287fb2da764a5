// A question, and what the visitor answers.
import { el } from "./text.js";

export const ask = (step) => el("p", {}, step.text);
