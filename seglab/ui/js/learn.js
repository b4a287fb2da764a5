// The Learn tab: the list of lessons, and the one that is open.
import { address } from "./address.js";
import { known, Lesson } from "./lesson.js";
import { kinds } from "./steps.js";
import { el, t } from "./text.js";

export function learn(element, trigger) {
  const made = new Learn(element, trigger);
  return (answer) =>
    made.lesson?.dispatchEvent(new CustomEvent("live", { detail: answer }));
}

class Learn {
  constructor(element, trigger) {
    this.trigger = trigger;
    this.root = el("div.learn");
    element.replaceChildren(this.root);
    address.addEventListener("read", () => this.follow());
    this.follow();
  }

  // Takes over what the address says.
  async follow() {
    const { lesson: name, step } = address.own;
    if (!name) {
      const cards = await known("lessons");
      this.root.replaceChildren(
        ...cards.map((card) =>
          el("a", { href: `#learn?lesson=${card.name}` }, card.title),
        ),
      );
      return;
    }
    const found = await known(`lesson/${name}`);
    this.lesson = new Lesson(found, {
      code: address.own.class ?? "",
      teach: "teach" in address.own,
      present: "present" in address.own,
      trigger: this.trigger,
    });
    this.lesson.root = this.root;
    this.root.replaceChildren();
    this.lesson.addEventListener("opened", ({ detail: n }) => {
      const of = this.lesson.steps[n];
      this.root.append(
        el(
          "section.lesson-step",
          {},
          kinds.get(of.kind)(of, this.lesson, n),
          el(
            "button.act",
            { type: "button", on: { click: () => this.lesson.open(n + 1) } },
            t("Go on"),
          ),
        ),
      );
      address.set({ step: n + 1 });
    });
    this.lesson.open(Number(step ?? 1) - 1);
  }
}
