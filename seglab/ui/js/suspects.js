// The regions that both sides get wrong alike, which may be mistakes of the truth: each opens its image, near it.
import { el, t } from "./text.js";

export class Suspects {
  // `opened` is told of a region that is pressed.
  constructor(opened) {
    this.opened = opened;
    this.root = el("div.suspects", {
      hidden: true,
      attrs: { role: "group", "aria-label": t("Suspicious regions") },
    });
  }

  // Shows those of images that are looked at, or none of them.
  async show(on, { images, classes }, source, slice) {
    this.root.hidden = !on;
    if (!on) return;
    if (this.source !== source) {
      this.source = source;
      this.root.replaceChildren();
      this.found = source.regions().catch(() => []);
    }
    const found = await this.found;
    if (this.source !== source) return;
    const here = found.filter(
      ({ image }) => !slice || images[image].slice === slice,
    );
    const chip = (k) =>
      el(
        "span.chip",
        {},
        el("i", { style: `background:${classes[k][0]}` }),
        classes[k][1],
      );
    const row = (region) =>
      el(
        "tr",
        {},
        el("td", {}, chip(region.truth), " → ", chip(region.said)),
        el("td.n", {}, region.pixels),
        el(
          "td",
          {},
          el(
            "button.act",
            {
              type: "button",
              attrs: {
                "aria-label": t("{truth}, both say {said}, {name}: see it", {
                  truth: classes[region.truth][1],
                  said: classes[region.said][1],
                  name: images[region.image].name,
                }),
              },
              on: { click: () => this.opened(region) },
            },
            images[region.image].name,
          ),
        ),
      );
    const heads = [t("Truth, and what both say"), t("Pixels"), t("Image")];
    this.root.replaceChildren(
      here.length
        ? el(
            "table.scores",
            {},
            el(
              "thead",
              {},
              el(
                "tr",
                {},
                heads.map((text, n) => el(n === 1 ? "th.n" : "th", {}, text)),
              ),
            ),
            el("tbody", {}, here.map(row)),
          )
        : el("p.hint", {}, t("There are none.")),
    );
  }
}
