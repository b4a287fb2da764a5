// All settings of the shown runs at once, which the server writes: their masks of the same image, and what they cost.
import { lang, t } from "./text.js";

export class Grid {
  // `owner` says of what the grid is (`settings`, as a query has it, nothing while there is none), has what the server
  // writes put into the place (`write`), and is told which two are to be compared (`compare`) and what is chosen (`noted`).
  constructor(owner, place) {
    this.owner = owner;
    this.place = place;
    place.classList.add("lab-grid");
    place.addEventListener("written", () => this.take());
    place.addEventListener("click", (event) => this.press(event));
    place.addEventListener("change", (event) => this.arrange(event.target));
    this.follow({});
  }

  // Takes over what the address says.
  follow({ rows = "", columns = "", cost = "", masks = "" }) {
    this.chosen = { down: rows, right: columns }; // options
    this.cost = cost;
    this.masks = /^\d{1,9}$/.test(masks); // of an image
    this.image = this.masks ? Number(masks) : 0;
  }

  show() {
    const settings = this.owner.settings;
    if (!settings.length) return;
    const asked = [
      ...settings,
      ...Object.entries({ ...this.chosen, lang }).filter(([, text]) => text),
    ];
    this.owner.write("grid", String(new URLSearchParams(asked)));
  }

  // Another option for lines or columns; where it is already that of the others, the server chooses another for those.
  arrange({ name, value }) {
    for (const select of this.place.querySelectorAll("select"))
      this.chosen[select.name] =
        select.name === name || select.value !== value ? select.value : "";
    this.owner.noted({ rows: this.chosen.down, columns: this.chosen.right });
    this.focused = name; // what is written anew takes the focus away
    this.show();
  }

  press(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { a, b, cost, step, masks } = button.dataset;
    if (a) {
      this.owner.compare({ a, b });
      return;
    }
    if (cost) this.cost = cost;
    if (step) this.image += Number(step);
    if (masks !== undefined) this.masks = !this.masks;
    this.take();
    this.owner.noted({
      cost: this.cost,
      masks: this.masks ? `${this.image}` : "",
    });
  }

  // Shows what was chosen, also in what was written anew.
  take() {
    const every = (selector) => [...this.place.querySelectorAll(selector)];
    every("select")
      .find((each) => each.name === this.focused)
      ?.focus();
    this.focused = "";
    const costs = every("[data-cost]"),
      cost =
        costs.find((button) => button.dataset.cost === this.cost) ?? costs[0];
    for (const button of costs)
      button.setAttribute("aria-pressed", String(button === cost));
    for (const figure of every("[data-of]"))
      figure.hidden = figure.dataset.of !== cost.dataset.cost;
    const [stepper] = every(".stepper");
    if (!stepper) return;
    const names = JSON.parse(stepper.dataset.names);
    this.image = (this.image + names.length) % names.length;
    stepper.querySelector("output").textContent = t(
      "{place} of {count}: {name}",
      {
        place: this.image + 1,
        count: names.length,
        name: names[this.image],
      },
    );
    every("[data-masks]")[0].setAttribute("aria-pressed", String(this.masks));
    for (const each of every(".stepper, .grid-pictures, img.mask"))
      each.hidden = !this.masks;
    if (this.masks)
      for (const picture of every("[data-picture]"))
        picture.src = picture.dataset.picture.replace("{n}", this.image);
  }
}
