// The same validation images as every shown run labels them, after each epoch.
import { follow } from "./slots.js";
import { store, swatch } from "./store.js";
import { el, lang, t } from "./text.js";

const PLAY = 700; // milliseconds between two epochs

export function masks(element) {
  new Masks(element);
}

class Masks {
  constructor(element) {
    this.sets = [];
    this.epoch = null; // the latest
    this.slider = el("input", {
      type: "range",
      min: 0,
      step: 1,
      attrs: { "aria-label": t("Epoch") },
      on: { input: () => this.pick(Number(this.slider.value)) },
    });
    this.play = el(
      "button.act",
      { type: "button", on: { click: () => this.toggle() } },
      t("Play"),
    );
    this.told = el("output");
    this.bar = el(
      "div.epochs",
      { hidden: true },
      el("span", {}, t("Epoch")),
      this.slider,
      this.told,
      this.play,
    );
    this.body = el("div");
    this.section = el(
      "section.masks",
      { hidden: true },
      el("h2", {}, t("Masks of validation images")),
      this.bar,
      this.body,
    );
    this.large = el(
      "dialog.large",
      { on: { click: () => this.large.close() } },
      el("img", { alt: "" }),
      el("p"),
    );
    element.append(this.section);
    document.body.append(this.large);
    follow("masks", ["train", "compare"], this.section);
    this.body.addEventListener("click", (event) => {
      const picture = event.target.closest("button.picture");
      if (!picture) return;
      this.large.firstChild.src = picture.firstChild.src;
      this.large.firstChild.alt = this.large.lastChild.textContent =
        picture.firstChild.alt;
      this.large.showModal();
    });
    for (const event of ["loaded", "shown"])
      store.addEventListener(event, () => this.read());
    document.addEventListener("seglab-epoch", ({ detail: epoch }) => {
      if (!this.epochs?.length) return;
      const n = nearest(this.epochs, epoch);
      this.slider.value = n;
      this.pick(n);
    });
    store.addEventListener("points", () => this.grown());
    store.addEventListener("rows", () => this.draw());
    this.read();
  }

  // Reads anew where a run that is shown has been scored once more.
  grown() {
    const scored = store.shown
      .map((name) => store.points.get(name)?.evals.length ?? 0)
      .join();
    if (scored !== this.scored) this.read();
  }

  async read() {
    this.scored = store.shown
      .map((name) => store.points.get(name)?.evals.length ?? 0)
      .join();
    const asked = (this.asked = {});
    if (!store.rowsShown.length) {
      this.sets = [];
      this.draw();
      return;
    }
    const query = new URLSearchParams(
      store.rowsShown.map((row) => ["run", row.run]),
    );
    query.append("lang", lang);
    try {
      const answer = await fetch(`seglab/masks?${query}`);
      if (this.asked !== asked || !answer.ok) return;
      this.sets = (await answer.json()).sets;
    } catch {
      return;
    }
    this.epochs = [
      ...new Set(
        this.sets.flatMap((set) => set.runs.flatMap((run) => run.epochs)),
      ),
    ].sort((a, b) => a - b);
    this.draw();
  }

  toggle() {
    if (this.playing) {
      clearInterval(this.playing);
      this.playing = null;
    } else {
      let n =
        this.epoch === null ||
        Number(this.slider.value) >= this.epochs.length - 1
          ? -1
          : Number(this.slider.value);
      const step = () => {
        n += 1;
        if (n >= this.epochs.length) {
          this.toggle();
          return;
        }
        this.slider.value = n;
        this.pick(n);
      };
      this.playing = setInterval(step, PLAY);
      step();
    }
    this.play.textContent = this.playing ? t("Pause") : t("Play");
  }

  pick(n) {
    this.epoch = n >= this.epochs.length - 1 ? null : this.epochs[n];
    this.draw();
  }

  draw() {
    const some = this.sets.some((set) => set.runs.length);
    this.section.hidden = !some;
    if (!some) return;
    const last = this.epochs.length - 1;
    this.bar.hidden = last < 1;
    this.slider.max = Math.max(0, last);
    if (this.epoch === null) this.slider.value = last;
    this.told.textContent =
      this.epoch === null ? t("latest") : `${+this.epoch.toFixed(2)}`;
    this.body.replaceChildren(
      ...this.sets.flatMap((set) => {
        const lines = [];
        if (set.images.length)
          lines.push(this.line(t("Image"), "", null, set.images));
        if (set.truth.length)
          lines.push(this.line(t("Ground truth"), "", null, set.truth));
        for (const run of set.runs) {
          const row = store.rows.get(run.run);
          if (!row) continue;
          const reached = run.epochs
            .filter((epoch) => this.epoch === null || epoch <= this.epoch)
            .at(-1);
          if (reached === undefined) {
            if (run.note) lines.push(this.line(row.name, run.note, row, []));
            continue;
          }
          const pictures = set.truth.map(
            (_, n) => `${run.base}${n}.webp?epoch=${reached}&v=${run.v}`,
          );
          lines.push(
            this.line(
              row.name,
              row.origin
                ? t("adopted")
                : t("after epoch {epoch}", { epoch: +reached.toFixed(2) }),
              row,
              pictures,
            ),
          );
        }
        const known = set.runs.some((run) => store.rows.get(run.run)?.origin)
          ? [...set.classes, ["#000", t("no class")]]
          : set.classes;
        const classes = el(
          "div.legend",
          {},
          known.map(([color, name]) =>
            el(
              "span.chip",
              {},
              el("i", { style: `background:${color}` }),
              name,
            ),
          ),
        );
        return [
          el(
            "div.samples",
            {
              attrs: {
                tabindex: 0,
                role: "group",
                "aria-label": t("Masks of validation images"),
              },
            },
            lines,
          ),
          classes,
        ];
      }),
    );
  }

  line(title, note, row, pictures) {
    const head = el(
      "div.sample-title",
      {},
      el(
        "b",
        {},
        row ? el("i.swatch", { style: `background:${swatch(row)}` }) : null,
        title,
      ),
      el("small", {}, note),
    );
    return el(
      "div.sample-row",
      {},
      head,
      pictures.map((url, n) =>
        el(
          "button.picture",
          { type: "button" },
          el("img", {
            src: url,
            loading: "lazy",
            alt: t("{what}, image {number}", { what: title, number: n + 1 }),
          }),
        ),
      ),
    );
  }
}

// The place of the number that is nearest to one.
const nearest = (numbers, wanted) =>
  numbers.reduce(
    (best, each, n) =>
      Math.abs(each - wanted) < Math.abs(numbers[best] - wanted) ? n : best,
    0,
  );
