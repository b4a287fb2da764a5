// What the visitor takes away of a lesson.
import { el } from "./text.js";

export const sheet = () => el("div");
