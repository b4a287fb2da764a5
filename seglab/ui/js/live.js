// A step that trains while the lesson is given.
import { el } from "./text.js";

export const run = () => el("div");
