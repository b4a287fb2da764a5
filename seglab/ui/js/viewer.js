// One picture and what the shown models make of it: layers are painted here from label maps, so that all but the CRF
// itself answers at once.
import { address } from "./address.js";
import { firsts, held, put } from "./fields.js";
import { apart, fill, percent } from "./kinds.js";
import { clamp, fitted, labels, pixels, rgb, scaled, VOID } from "./pixels.js";
import { save as keep } from "./sheet.js";
import { adopt } from "./slots.js";
import { store, swatch } from "./store.js";
import { el, fixed, lang, t } from "./text.js";

const MODELS = 4,
  DRAG = 150; // milliseconds between two previews while a slider moves
const LAYERS = () => ({
  prediction: t("Prediction"),
  errors: t("Errors"),
  changed: t("What the CRF changed"),
  differ: t("Where models differ"),
  truth: t("Ground truth"),
  photo: t("Image"),
});
const MOST_SETS = 3; // of classes that are named
const RED = [220, 38, 38],
  GREEN = [22, 163, 74],
  BLUE = [37, 99, 235];

export function viewer(element, trigger) {
  const made = new Viewer(element, trigger);
  return (answer) => made.hear(answer);
}

class Viewer {
  constructor(element, trigger) {
    this.trigger = trigger;
    this.layer = "prediction";
    this.strength = 0.6;
    this.divide = 0.5;
    this.zoom = { times: 1, x: 0.5, y: 0.5 };
    this.source = { example: 0 };
    this.number = 0;
    this.panels = [];
    this.controls = el("div.viewer-controls");
    this.stage = el("div.viewer-stage");
    element.append(el("div.viewer", {}, this.controls, this.stage));
    this.load();
  }

  async load() {
    this.build();
    const answer = await fetch(`seglab/viewer?lang=${lang}`);
    const holder = el("div");
    holder.innerHTML = await answer.text(); // the server's own
    this.form = holder.firstElementChild;
    this.controls.append(this.form);
    this.first = firsts(this.form.querySelector(".crf"));
    adopt("#predict-upload", this.form.querySelector(".photo-slot"));
    this.listen();
    this.follow();
    address.addEventListener("read", () => this.follow());
    address.addEventListener("tab", () => this.look());
    for (const event of ["shown", "rows"])
      store.addEventListener(event, () => this.look());
  }

  follow() {
    const { picture, layer } = address.own;
    if (/^\d$/.test(picture ?? "")) this.source = { example: Number(picture) };
    if (layer in LAYERS()) this.layer = layer;
    this.look();
  }

  build() {
    const layers = el(
      "span.switch",
      { attrs: { role: "group", "aria-label": t("What is shown") } },
      Object.entries(LAYERS()).map(([name, text]) =>
        el(
          "button",
          {
            type: "button",
            data: { layer: name },
            on: {
              click: () => {
                this.layer = name;
                address.set({ layer: name === "prediction" ? "" : name });
                this.paint();
              },
            },
          },
          text,
        ),
      ),
    );
    const range = (text, value, most, low, change) =>
      el(
        "label",
        {},
        text,
        el("input", {
          type: "range",
          min: low,
          max: most,
          step: 0.01,
          value,
          on: {
            input: (event) => {
              change(Number(event.target.value));
              this.paint();
            },
          },
        }),
      );
    this.divider = range(
      t("Before | after the CRF"),
      this.divide,
      1,
      0,
      (value) => {
        this.divide = value;
      },
    );
    this.opacity = range(t("Strength"), this.strength, 1, 0, (value) => {
      this.strength = value;
    });
    this.nearer = range(t("Zoom"), 1, 8, 1, (value) => {
      this.zoom.times = value;
      this.place();
    });
    this.layers = layers;
    this.bar = el(
      "div.chart-bar",
      {},
      layers,
      this.divider,
      this.opacity,
      this.nearer,
    );
    this.error = el("div");
    this.told = el("p.under", { attrs: { "aria-live": "polite" } });
    this.agreed = el("p.agreed", { attrs: { role: "status" } });
    this.grid = el("div.panels");
    this.legend = el("div.legend");
    this.stage.append(
      el("div.runs-slot", { data: { tab: "predict" } }),
      this.bar,
      this.error,
      this.agreed,
      this.grid,
      this.told,
      this.legend,
      el(
        "p.hint",
        {},
        t(
          "Point at a picture, or move over it with the arrow keys, to read its classes. Double-click to zoom in, drag to move.",
        ),
      ),
    );
  }

  listen() {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("click", (event) => {
      const button = event.target.closest(".examples button");
      if (button) {
        this.source = { example: Number(button.dataset.index) };
        address.set({
          picture: button.dataset.index === "0" ? "" : button.dataset.index,
        });
        this.refuse("");
        this.ask(false);
        this.mark();
      }
      if (event.target.closest(".reset")) {
        put(this.form.querySelector(".crf"), this.first);
        this.ask(false);
      }
    });
    this.form.addEventListener("input", (event) => {
      for (const section of this.form.querySelectorAll("section.entry"))
        section.hidden = !this.steps().includes(section.dataset.entry);
      if (event.target.type !== "range") return;
      clearTimeout(this.dragging);
      this.dragging = setTimeout(() => this.ask(true), DRAG);
    });
    this.form.addEventListener("change", () => {
      clearTimeout(this.dragging);
      this.ask(false);
    });
  }

  steps() {
    return [...this.form.querySelectorAll("[name=step]:checked")].map(
      (input) => input.value,
    );
  }

  options() {
    const found = {};
    for (const field of this.form.querySelectorAll(".field")) {
      (found[field.closest("[data-entry]").dataset.entry] ??= {})[
        field.dataset.option
      ] = held(field);
    }
    return { predictors: found };
  }

  // The runs that are asked: of those shown, the first that have weights.
  runs() {
    return store.rowsShown
      .filter((row) => row.trained)
      .slice(0, MODELS)
      .map((row) => row.run);
  }

  // Asks anew where the shown runs, or their weights, are others than before.
  look() {
    if (!this.form || address.tab !== "predict") return;
    const runs = this.runs(),
      asked = JSON.stringify(
        runs.map((name) => [name, store.rows.get(name).best]),
      );
    if (asked === this.asked) return;
    this.asked = asked;
    if (runs[0] !== this.leader) {
      this.leader = runs[0];
      this.examples();
    }
    this.ask(false);
  }

  async examples() {
    const place = this.form.querySelector(".examples");
    if (!this.leader) {
      place.replaceChildren();
      return;
    }
    const answer = await fetch(
      `seglab/examples?run=${encodeURIComponent(this.leader)}`,
    );
    const urls = answer.ok ? await answer.json() : [];
    place.replaceChildren(
      ...urls.map((url, n) =>
        el(
          "button",
          {
            type: "button",
            data: { index: n },
            title: t("Validation image {number}", { number: n + 1 }),
          },
          el("img", {
            src: url,
            alt: t("Validation image {number}", { number: n + 1 }),
          }),
        ),
      ),
    );
    if (!urls.length)
      place.append(
        el(
          "p.hint",
          {},
          t("This model's data is not available here; upload a photo."),
        ),
      );
    this.mark();
  }

  mark() {
    for (const button of this.form.querySelectorAll(".examples button"))
      button.setAttribute(
        "aria-pressed",
        String(Number(button.dataset.index) === this.source.example),
      );
  }

  ask(quick) {
    const runs = this.runs();
    this.error.replaceChildren();
    if (!runs.length) {
      this.panels = [];
      this.grid.replaceChildren(
        el("p.hint", {}, t("Show one to four trained runs in the list above.")),
      );
      this.legend.replaceChildren();
      return;
    }
    // a photograph is large: its preview comes first
    const first =
      !quick && this.source.photo && this.seen !== this.source.photo;
    this.seen = this.source.photo;
    this.waiting = first ? () => this.ask(false) : null;
    this.number += 1;
    this.grid.classList.add("working");
    this.trigger("click", {
      number: this.number,
      runs,
      picture: this.source,
      quick: quick || Boolean(first),
      key: this.picture?.key ?? "",
      steps: this.steps(),
      options: this.options(),
      vote: this.form.querySelector("[name=vote]").checked,
      visitor: store.visitor,
    });
  }

  refuse(text) {
    this.form
      .querySelector(".refused")
      .replaceChildren(
        ...(text
          ? [el("p.message.wrong", { attrs: { role: "alert" } }, text)]
          : []),
      );
  }

  async hear({ kind, ...answer }) {
    if (answer.failed) {
      this.grid.classList.remove("working");
      return;
    }
    if (kind === "uploaded") {
      this.refuse(answer.error ?? "");
      if (answer.photo) {
        this.source = { photo: answer.photo };
        this.mark();
        this.ask(false);
      }
      return;
    }
    if (answer.number !== this.number) return; // a later one is on its way
    this.error.replaceChildren(
      ...(answer.error
        ? [el("p.message.wrong", { attrs: { role: "alert" } }, answer.error)]
        : []),
    );
    if (answer.results.length) {
      const picture = answer.image
        ? {
            key: answer.key,
            image: await pixels(answer.image),
            truth: answer.truth ? await labels(answer.truth) : null,
            classes: answer.classes ?? [],
          }
        : this.picture;
      const results = await Promise.all(
        answer.results.map(async (each) => ({
          ...each,
          maps: await Promise.all(each.maps.map(labels)),
          edges: await Promise.all(each.edges.map(labels)),
        })),
      );
      if (answer.number !== this.number) return;
      this.picture = picture;
      this.results = results;
      this.arrange();
    }
    this.grid.classList.remove("working");
    const next = this.waiting;
    this.waiting = null;
    next?.();
  }

  // A panel for each result.
  arrange() {
    while (this.panels.length > this.results.length) this.panels.pop();
    while (this.panels.length < this.results.length)
      this.panels.push(this.panel(this.panels.length));
    this.grid.replaceChildren(...this.panels.map((panel) => panel.box));
    const classes = new Map(
      this.results
        .flatMap((result) => result.classes)
        .map(([color, name]) => [`${color} ${name}`, [color, name]]),
    );
    this.legend.replaceChildren(
      ...[...classes.values()].map(([color, name]) =>
        el("span.chip", {}, el("i", { style: `background:${color}` }), name),
      ),
    );
    this.paint();
  }

  panel(n) {
    const canvas = el("canvas", { tabIndex: 0, attrs: { role: "img" } });
    const line = el("i"),
      stack = el("div.stack", {}, canvas, line),
      frame = el("div.frame", {}, stack);
    const title = el("figcaption"),
      save = el(
        "button.act",
        {
          type: "button",
          on: {
            click: () =>
              canvas.toBlob((blob) =>
                keep(blob, `${this.results[n].name}.png`),
              ),
          },
        },
        "PNG",
      );
    const box = el("figure", {}, frame, title, save);
    const at = (event) => {
      const rect = canvas.getBoundingClientRect();
      return [
        (event.clientX - rect.left) / rect.width,
        (event.clientY - rect.top) / rect.height,
      ];
    };
    let from = null,
      probe = [0.5, 0.5];
    canvas.addEventListener("pointermove", (event) => {
      if (from && this.zoom.times > 1) {
        const rect = frame.getBoundingClientRect();
        this.zoom.x = clamp(
          from.x - (event.clientX - from.left) / rect.width / this.zoom.times,
        );
        this.zoom.y = clamp(
          from.y - (event.clientY - from.top) / rect.height / this.zoom.times,
        );
        this.place();
      }
      this.read(n, ...at(event));
    });
    canvas.addEventListener("pointerdown", (event) => {
      from = { left: event.clientX, top: event.clientY, ...this.zoom };
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel"])
      canvas.addEventListener(end, () => {
        from = null;
      });
    canvas.addEventListener("dblclick", (event) => {
      const [x, y] = at(event),
        times = this.zoom.times >= 8 ? 1 : Math.min(8, this.zoom.times * 2);
      this.zoom = times === 1 ? { times, x: 0.5, y: 0.5 } : { times, x, y };
      this.nearer.lastChild.value = times;
      this.place();
    });
    canvas.addEventListener("keydown", (event) => {
      const step = {
        ArrowLeft: [-1, 0],
        ArrowRight: [1, 0],
        ArrowUp: [0, -1],
        ArrowDown: [0, 1],
      }[event.key];
      if (!step) return;
      event.preventDefault();
      probe = [
        clamp(probe[0] + step[0] * 0.02),
        clamp(probe[1] + step[1] * 0.02),
      ];
      this.read(n, ...probe);
    });
    return { box, canvas, stack, line, frame, title };
  }

  // Says what is at a place of a picture.
  read(n, x, y) {
    const result = this.results[n],
      truth = this.truthOf(result);
    const name = (map, nothing) => {
      const value =
        map.data[
          Math.min(map.height - 1, Math.floor(y * map.height)) * map.width +
            Math.min(map.width - 1, Math.floor(x * map.width))
        ];
      return value === VOID ? nothing : (result.classes[value]?.[1] ?? value);
    };
    const [before, after] = result.maps.map((map) => name(map, t("no class")));
    const parts = [
      before === after
        ? t("prediction: {name}", { name: after })
        : t("prediction: {before}, after the CRF {after}", { before, after }),
    ];
    if (truth)
      parts.push(t("truth: {name}", { name: name(truth, t("not labeled")) }));
    this.told.textContent = `${result.name}: ${parts.join(" · ")}`;
    for (const panel of this.panels) panel.canvas.title = parts.join("\n");
  }

  truthOf(result) {
    const { truth, classes } = this.picture;
    return truth &&
      classes.join("\n") === result.classes.map(([, name]) => name).join("\n")
      ? truth
      : null;
  }

  place() {
    const { times, x, y } = this.zoom;
    for (const { stack } of this.panels) {
      const shift = (centre) =>
        Math.min(0, Math.max(1 - times, 0.5 - centre * times)) * 100;
      stack.style.transform =
        times === 1
          ? ""
          : `translate(${shift(x)}%, ${shift(y)}%) scale(${times})`;
    }
  }

  paint() {
    for (const button of this.layers.children)
      button.setAttribute(
        "aria-pressed",
        String(button.dataset.layer === this.layer),
      );
    this.divider.hidden = !["prediction", "errors"].includes(this.layer);
    this.opacity.hidden = this.layer === "photo";
    if (!this.results) return;
    this.agreed.hidden = this.layer !== "differ";
    this.apart = this.layer === "differ" ? this.compare() : null;
    for (const [n, panel] of this.panels.entries())
      this.draw(panel, this.results[n]);
    this.place();
  }

  // Where the models' labels differ, and says how much; no truth is needed for it.
  compare() {
    const models = this.results.filter(({ run }) => run),
      names = models.map(({ classes }) => classes.map(([, name]) => name));
    this.agreed.textContent = "";
    if (models.length < 2 || new Set(names.map(String)).size > 1) {
      this.agreed.textContent = t(
        "Show two models or more that know the same classes.",
      );
      return null;
    }
    const found = apart(models.map(({ maps }) => maps[1].data)),
      sets = found.sets
        .slice(0, MOST_SETS)
        .map(
          ([labels, share]) =>
            `${labels.map((k) => names[0][k] ?? t("no class")).join(" | ")} ${percent(share)}`,
        );
    this.agreed.textContent = t(
      "The models agree in {share} of the pixels. They differ most in: {sets}",
      { share: percent(found.same), sets: sets.join(" · ") || "–" },
    );
    return found.differ;
  }

  draw({ canvas, line, frame, title }, result) {
    const { width, height } = result.maps[0],
      photo = scaled(this.picture.image, width, height);
    const truth = this.truthOf(result),
      known = truth && fitted(truth, width, height);
    frame.style.aspectRatio = `${width} / ${height}`;
    const colors = result.classes.map(([color]) => rgb(color)),
      [before, after] = result.maps.map((map) => map.data),
      edge = Math.round(this.divide * width);
    const guess = (i) => (i % width < edge ? before[i] : after[i]),
      real = (i) => (known ? known[i] : VOID);
    // The truth without classes that not every model knows, which count for nothing.
    const names = result.classes.map(([, name]) => name),
      gone = new Set(result.without.map((name) => names.indexOf(name))),
      counted = (i) => (gone.has(real(i)) ? VOID : real(i));
    // What the CRF did to a pixel that it changed.
    const change = (i) => {
      if (before[i] === after[i]) return null;
      if (counted(i) === VOID) return "changed";
      if (after[i] === counted(i)) return "mended";
      return before[i] === counted(i) ? "harmed" : "changed";
    };
    const changes = { mended: GREEN, harmed: RED, changed: BLUE };
    const color = {
      prediction: (i) => colors[guess(i)],
      truth: (i) => (real(i) === VOID ? null : colors[real(i)]),
      errors: (i) =>
        counted(i) !== VOID && guess(i) !== counted(i) ? RED : null,
      differ: (i) => (this.apart?.[i] ? colors[after[i]] : null),
      changed: (i) => changes[change(i)],
      photo: () => null,
    }[this.layer];
    fill(
      canvas,
      { width, height, photo },
      color,
      ["errors", "differ", "changed"].includes(this.layer),
      Math.max(this.strength, this.layer === "changed" ? 0.5 : 0),
    );
    if (result.edges.length && this.layer === "prediction") {
      const context = canvas.getContext("2d");
      context.fillStyle = "#fff";
      for (let i = 0; i < before.length; i++)
        if (result.edges[i % width < edge ? 0 : 1].data[i])
          context.fillRect(i % width, Math.floor(i / width), 1, 1);
    }
    const count = { mended: 0, harmed: 0, changed: 0 };
    for (let i = 0; i < before.length; i++)
      if (before[i] !== after[i]) count[change(i)]++;
    line.hidden =
      !["prediction", "errors"].includes(this.layer) ||
      edge <= 0 ||
      edge >= width;
    line.style.left = `${(100 * edge) / width}%`;
    this.caption(title, result, count, known);
    canvas.setAttribute(
      "aria-label",
      `${result.name}, ${LAYERS()[this.layer]}. ${title.textContent}`,
    );
  }

  caption(title, result, count, known) {
    const row = store.rows.get(result.run),
      lines = [];
    if (result.scores)
      lines.push(
        t("mIoU on this image: {before}, after the CRF {after}", {
          before: fixed(result.scores[0]),
          after: fixed(result.scores[1]),
        }),
      );
    else lines.push(t("No ground truth"));
    if (result.scores && result.without.length)
      lines.push(
        t("Counted without {classes}", { classes: result.without.join(", ") }),
      );
    if (result.void?.some(Boolean))
      lines.push(
        t("No class in {before} of the pixels, after the CRF {after}", {
          before: percent(result.void[0]),
          after: percent(result.void[1]),
        }),
      );
    if (known)
      lines.push(
        t("The CRF mended {mended} pixels and harmed {harmed}.", count),
      );
    if (result.things.length)
      lines.push(
        t(
          "Instances found, outlined in white: {before}, after the CRF {after}",
          { before: result.things[0], after: result.things[1] },
        ),
      );
    lines.push(
      t("Model {ms} ms, CRF {crf} ms", { ms: result.ms, crf: result.crf_ms }),
    );
    title.replaceChildren(
      el(
        "b",
        {},
        row ? el("i.swatch", { style: `background:${swatch(row)}` }) : null,
        result.name,
      ),
      ...lines.map((text) => el("small", {}, text)),
    );
  }
}
