// A document's figures beside those measured here.
import { el } from "./text.js";

export const claims = () => el("div");
