// A step that shows evidence: a view of the laboratory.
import { el } from "./text.js";

export const show = () => el("div");
