// Lessons from elsewhere: the server has them in memory alone, for as long as others do not take their place; a page
// that asks for one that is gone sends it again.
import { lang } from "./text.js";

const GONE = 410; // the answer where one has to be sent again
const packed = new Map(); // as links carry them, by the names that the server gave them

// Sends a lesson, as a link carries it or as a `file`; gives what the server calls it, and how a link carries it.
export async function bring(content, file = null) {
  const query = new URLSearchParams({ lang });
  if (file !== null) query.set("file", file);
  const answer = await fetch(`seglab/brought?${query}`, {
      method: "POST",
      body: content,
    }),
    found = await answer.json();
  if (found.error) throw new Error(found.error);
  packed.set(found.name, found.own);
  return found;
}

// What the address of a lesson has of one from elsewhere, or nothing.
export const carried = (name) => packed.get(name.split(".")[0]);

// Asks for what may be about a lesson from elsewhere.
export async function asked(address) {
  const answer = await fetch(address);
  if (answer.status !== GONE) return answer;
  const name =
    address.match(/^seglab\/lesson\/([^/?]+)/)?.[1] ??
    new URLSearchParams(address.split("?")[1]).get("lesson") ??
    "";
  if (!carried(name)) return answer;
  await bring(carried(name));
  return fetch(address);
}
