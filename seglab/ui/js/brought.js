// Lessons from elsewhere: the server has them in memory alone, for as long as others do not take their place; a page
// that asks for one that is gone sends it again.
import { lang, t } from "./text.js";

const GONE = 410; // the answer where one has to be sent again
const packed = new Map(); // as links carry them, by the names that the server gave them

// What goes wrong on the way, in the page's language and not in the browser's words.
const reached = (...asking) => fetch(...asking).catch(silent),
  silent = () => {
    throw new Error(t("The server does not answer. Try again in a while."));
  };

// What an answer holds.
export const held = (answer) => answer.json().catch(silent);

// Sends a lesson, as a link carries it or as a `file`; gives what the server calls it, and how a link carries it.
export async function bring(content, file = null) {
  const query = new URLSearchParams({ lang });
  if (file !== null) query.set("file", file);
  const found = await held(
    await reached(`seglab/brought?${query}`, { method: "POST", body: content }),
  );
  if (found.error) throw new Error(found.error);
  packed.set(found.name, found.own);
  return found;
}

// What the address of a lesson has of one from elsewhere, or nothing.
export const carried = (name) => packed.get(name.split(".")[0]);

// Asks for what may be about a lesson from elsewhere.
export async function asked(address) {
  const answer = await reached(address);
  if (answer.status !== GONE) return answer;
  const name =
    address.match(/^seglab\/lesson\/([^/?]+)/)?.[1] ??
    new URLSearchParams(address.split("?")[1]).get("lesson") ??
    "";
  if (!carried(name)) return answer;
  await bring(carried(name));
  return reached(address);
}
