// What stands elsewhere than where Gradio made it.
import { address } from "./address.js";

const TRIES = 100,
  PAUSE = 50; // looks for an element, and milliseconds between two

// Keeps an element in the slot of its kind on the tab that is open, where that is one of its tabs.
export function follow(kind, tabs, root, arrived = () => {}) {
  const move = (tries) => {
    const slot = document.querySelector(
      `.${kind}-slot[data-tab="${address.tab}"]`,
    );
    if (slot) {
      if (root.parentNode !== slot) slot.append(root);
      arrived();
    } else if (tries && tabs.includes(address.tab))
      setTimeout(() => move(tries - 1), PAUSE);
  };
  address.addEventListener("tab", () => move(TRIES));
  move(TRIES);
}

// An element, as soon as Gradio has made it.
export async function appears(query) {
  for (;;) {
    const found = document.querySelector(query);
    if (found) return found;
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

// Takes one of Gradio's buttons into a form, whose other buttons it is not to press.
export async function adopt(query, place) {
  const button = await appears(query);
  button.type = "button";
  place.append(button);
}
