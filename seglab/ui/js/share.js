// What goes out of the laboratory and comes back: its address, a report, and pictures that carry how they were made.
import { address } from "./address.js";
import { carried } from "./sheet.js";
import { store } from "./store.js";
import { el, t } from "./text.js";

const LARGEST = 50e6; // bytes of a picture

export class Share {
  // `place()` is what an address says of the pixels that are looked at.
  constructor(place) {
    const copy = (event) => {
      address.set(place());
      address.copy(event.target);
    };
    const link = el(
      "button.act",
      { type: "button", on: { click: copy } },
      t("Copy link"),
    );
    this.report = el(
      "a.act",
      {
        download: "seglab-report.html",
        title: t("One file, to be opened anywhere"),
      },
      t("Report"),
    );
    const file = el("input", {
      type: "file",
      accept: "image/png",
      hidden: true,
      on: {
        change: () => {
          if (file.files.length) this.open(file.files[0]);
          file.value = "";
        },
      },
    });
    const open = el(
      "button.act",
      {
        type: "button",
        title: t("A PNG that was saved here opens what it shows"),
        on: { click: () => file.click() },
      },
      t("Open a picture"),
    );
    this.told = el("div.opened", { attrs: { role: "status" } });
    this.root = el("span.share", {}, link, this.report, open, file);
  }

  // Offers the report of two sides, or of none.
  offer(query) {
    this.report.hidden = !query;
    this.report.href = `seglab/lab/report?${query}`;
  }

  async open(file) {
    const made = file.size < LARGEST ? carried(await file.arrayBuffer()) : null;
    const sides = Array.isArray(made?.sides) ? made.sides.filter(Boolean) : [];
    if (!sides.length) {
      this.tell(
        "wrong",
        t(
          "{name} carries no configuration: only pictures that were saved here do.",
          { name: file.name },
        ),
      );
      return;
    }
    const runs = sides.flatMap((side) => side.runs ?? []);
    if (runs.length && runs.every((run) => store.rows.has(run))) {
      this.told.replaceChildren();
      location.hash = String(made.link);
      return;
    }
    this.tell(
      "note",
      t("The runs of this picture are not here. Their settings are:"),
      ...sides.map(({ name, settings }) =>
        el(
          "a.act",
          { href: `#train?${new URLSearchParams(settings)}` },
          t("Take over the settings of {name}", { name }),
        ),
      ),
    );
  }

  tell(kind, ...parts) {
    const close = el(
      "button.link",
      { type: "button", on: { click: () => this.told.replaceChildren() } },
      t("Close"),
    );
    this.told.replaceChildren(
      el(
        `p.message.${kind}`,
        {},
        parts.flatMap((part) => [part, " "]),
        close,
      ),
    );
  }
}
