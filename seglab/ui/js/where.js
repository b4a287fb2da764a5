// Where two sides differ: one validation image at a time as photograph, truth, A and B, and who of both is right. All
// label maps are here as bytes, so that nothing that is pressed or moved asks the server.
import { address } from "./address.js";
import { clamp, pixels, rgb, scaled, VOID } from "./pixels.js";
import { el, fixed, t } from "./text.js";

export const BOTH = 0,
  ONLY_A = 1,
  ONLY_B = 2,
  ALIKE = 3,
  DIFFERENTLY = 4; // as the server counts them
const KINDS = () => [
  t("both right"),
  t("only A right"),
  t("only B right"),
  t("both wrong alike"),
  t("both wrong differently"),
];
const COLORS = {
  [ONLY_A]: rgb("#0072b2"),
  [ONLY_B]: rgb("#e69f00"),
  [ALIKE]: rgb("#4b5563"),
  [DIFFERENTLY]: rgb("#cc79a7"),
};
const MODES = () => ({
  who: t("Who is right"),
  slider: t("A | B"),
  a: t("Errors of A"),
  b: t("Errors of B"),
});
const ORDERS = () => ({
  difference: t("They differ most"),
  a_wins: t("A wins most"),
  b_wins: t("B wins most"),
  suspicious: t("Suspicious truth"),
  stored: t("As stored"),
});
const RED = [220, 38, 38],
  PLAY = 600,
  MOST_ZOOM = 8;

// What a pixel is, by its truth and both labels.
export const kindOf = (truth, a, b) =>
  a === truth
    ? b === truth
      ? BOTH
      : ONLY_A
    : b === truth
      ? ONLY_B
      : a === b
        ? ALIKE
        : DIFFERENTLY;

export class Where {
  constructor(lab) {
    this.lab = lab;
    this.known = null;
    Object.assign(this, {
      n: 0,
      mode: "who",
      order: "difference",
      slice: "",
      by: null,
      lit: null,
      epoch: null,
      strength: 0.75,
      divide: 0.5,
    });
    this.hidden = new Set();
    this.zoom = { times: 1, x: 0.5, y: 0.5 };
    this.probe = [0.5, 0.5];
    this.build();
  }

  build() {
    const select = (text, change) =>
      el(
        "label",
        {},
        text,
        el("select", {
          on: {
            change: (event) => {
              change(event.target.value);
              this.arrange();
            },
          },
        }),
      );
    this.orderBox = select(t("Order"), (value) => {
      [this.order, this.by] = value.startsWith("class ")
        ? ["class", Number(value.slice(6))]
        : [value, null];
    });
    this.sliceBox = select(t("Images"), (value) => {
      this.slice = value;
    });
    const step = (text, label, by) =>
      el(
        "button.act",
        {
          type: "button",
          attrs: { "aria-label": label },
          on: { click: () => this.step(by) },
        },
        text,
      );
    this.place = el("output");
    const steps = el(
      "span.steps",
      {},
      step("‹", t("Image before"), -1),
      this.place,
      step("›", t("Next image"), 1),
    );
    this.bar = el("div.chart-bar", {}, this.orderBox, this.sliceBox, steps);
    this.list = el("div.thumbs", {
      attrs: { role: "group", "aria-label": t("Validation images") },
    });
    this.modes = el(
      "span.switch",
      { attrs: { role: "group", "aria-label": t("What is shown") } },
      Object.entries(MODES()).map(([name, text]) =>
        el(
          "button",
          {
            type: "button",
            data: { mode: name },
            on: { click: () => this.show(name) },
          },
          text,
        ),
      ),
    );
    const range = (text, value, least, most, change) =>
      el(
        "label",
        {},
        text,
        el("input", {
          type: "range",
          min: least,
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
    this.divider = range("A | B", this.divide, 0, 1, (value) => {
      this.divide = value;
    });
    this.nearer = range(t("Zoom"), 1, 1, MOST_ZOOM, (value) => {
      this.zoom.times = value;
    });
    const opacity = range(t("Strength"), this.strength, 0, 1, (value) => {
      this.strength = value;
    });
    this.panes = Object.fromEntries(
      Object.entries({
        photo: t("Image"),
        truth: t("Ground truth"),
        a: "A",
        b: "B",
        view: "",
      }).map(([name, text]) => [name, this.pane(name, text)]),
    );
    this.legend = el("div.legend", {
      attrs: { role: "group", "aria-label": t("Classes that are shown") },
    });
    this.numbers = el("div.numbers");
    this.read = el("p.under", { id: "lab-read" });
    this.slider = el("input", {
      type: "range",
      min: 0,
      step: 1,
      attrs: { "aria-label": t("Epoch") },
      on: { input: () => this.at(Number(this.slider.value)) },
    });
    this.play = el(
      "button.act",
      { type: "button", on: { click: () => this.toggle() } },
      t("Play"),
    );
    this.told = el("output");
    this.replay = el(
      "div.epochs",
      {},
      el("span", {}, t("Epoch")),
      this.slider,
      this.told,
      this.play,
    );
    this.note = el("p.hint");
    this.root = el(
      "div.where",
      { on: { keydown: (event) => this.key(event) } },
      this.bar,
      this.list,
      el(
        "div.four",
        {},
        ["photo", "truth", "a", "b"].map((name) => this.panes[name].box),
      ),
      el("div.chart-bar", {}, this.modes, this.divider, opacity, this.nearer),
      el("div.large", {}, this.panes.view.box, this.numbers),
      this.read,
      this.replay,
      this.note,
      this.legend,
      el(
        "p.hint.keys",
        {},
        t(
          "Keys: ← → image, ↑ ↓ epoch, space plays, D who is right, T truth, + − zoom, 0 whole image, shift and an arrow moves the cross-hair.",
        ),
      ),
    );
    this.seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) {
          this.seen.unobserve(target);
          this.thumbnail(
            Number(target.dataset.n),
            target.querySelector("canvas"),
          );
        }
    });
  }

  pane(name, text) {
    const canvas = el("canvas", {
      tabIndex: name === "view" ? 0 : -1,
      attrs: { role: "img", "aria-describedby": "lab-read" },
    });
    const cross = el("i.cross"),
      line = el("i.line", { hidden: true }),
      stack = el("div.stack", {}, canvas, cross, line),
      frame = el("div.frame", {}, stack);
    const at = (event) => {
      const rect = canvas.getBoundingClientRect();
      return [
        clamp((event.clientX - rect.left) / rect.width),
        clamp((event.clientY - rect.top) / rect.height),
      ];
    };
    let from = null;
    canvas.addEventListener("pointermove", (event) => {
      if (from && this.zoom.times > 1) {
        const rect = frame.getBoundingClientRect();
        this.zoom.x = clamp(
          from.x - (event.clientX - from.left) / rect.width / this.zoom.times,
        );
        this.zoom.y = clamp(
          from.y - (event.clientY - from.top) / rect.height / this.zoom.times,
        );
      }
      this.point(...at(event));
    });
    canvas.addEventListener("pointerdown", (event) => {
      from = { left: event.clientX, top: event.clientY, ...this.zoom };
      this.point(...at(event));
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel"])
      canvas.addEventListener(end, () => {
        from = null;
      });
    canvas.addEventListener("dblclick", (event) =>
      this.near(
        this.zoom.times >= MOST_ZOOM ? 1 : this.zoom.times * 2,
        ...at(event),
      ),
    );
    const title = el("figcaption", {}, el("b", {}, text), el("small"));
    return {
      box: el("figure", { data: { pane: name } }, frame, title),
      canvas,
      cross,
      line,
      stack,
      frame,
      title,
    };
  }

  // --- what there is

  take(known) {
    const same =
      known &&
      this.known &&
      ["version", "runs", "made_of"].every(
        (key) => String(known[key]) === String(this.known[key]),
      );
    this.known = known;
    if (!same) {
      this.stop();
      this.current = null;
    }
    if (!known) return;
    if (!same) {
      this.hidden.clear();
      this.by = null;
      if (this.order === "class") this.order = "difference";
      this.maps = [];
      this.loading = new Map();
      this.photos = new Map();
      this.replayed = null;
      this.epoch = null;
      this.lit = null;
      this.cell = null;
      if (this.order === "cell") this.order = "difference";
    }
    this.colors = known.classes.map(([color]) => rgb(color));
    this.offer();
    if (this.n >= known.images.length) this.n = 0;
    if (!same && this.chosen === undefined)
      this.n = known.orders.difference[0] ?? 0;
    this.arrange();
  }

  // The orders that can be chosen, and the classes that are shown.
  offer() {
    const { known } = this,
      slices = [
        ...new Set(known.images.map((image) => image.slice).filter(Boolean)),
      ].sort();
    if (!slices.includes(this.slice)) this.slice = "";
    this.sliceBox.hidden = !slices.length;
    this.sliceBox.lastChild.replaceChildren(
      el("option", { value: "" }, t("all")),
      ...slices.map((value) =>
        el("option", { value, selected: value === this.slice }, value),
      ),
    );
    const names = this.cell?.map((k) => known.classes[k][1]);
    this.orderBox.lastChild.replaceChildren(
      ...Object.entries(ORDERS()).map(([value, text]) =>
        el("option", { value, selected: value === this.order }, text),
      ),
      ...(names
        ? [
            el(
              "option",
              { value: "cell", selected: this.order === "cell" },
              t("{truth} labeled {label}", {
                truth: names[0],
                label: names[1],
              }),
            ),
          ]
        : []),
      ...known.classes.map(([, name], k) =>
        el(
          "option",
          { value: `class ${k}`, selected: this.by === k },
          t("By the difference of {name}", { name }),
        ),
      ),
    );
    const all = el(
      "button.act",
      {
        type: "button",
        on: {
          click: () => {
            this.hidden.clear();
            this.offer();
            this.paint();
          },
        },
      },
      t("all classes"),
    );
    this.legend.replaceChildren(
      all,
      ...known.classes.map(([color, name], k) =>
        el(
          "button.chip",
          {
            type: "button",
            attrs: { "aria-pressed": String(!this.hidden.has(k)) },
            on: {
              click: (event) => {
                if (!this.hidden.delete(k)) this.hidden.add(k);
                event.currentTarget.setAttribute(
                  "aria-pressed",
                  String(!this.hidden.has(k)),
                );
                this.paint();
              },
            },
          },
          el("i", { style: `background:${color}` }),
          name,
        ),
      ),
    );
  }

  follow({ image, show }) {
    this.chosen = /^\d+$/.test(image ?? "") ? Number(image) : undefined;
    if (this.chosen !== undefined) this.n = this.chosen;
    if (show in MODES()) this.mode = show;
    if (this.known) this.arrange();
  }

  // --- what other views open

  byClass(k) {
    Object.assign(this, {
      order: "class",
      by: k,
      slice: "",
      lit: null,
      cell: null,
      mode: "who",
    });
    this.hidden = new Set(this.known.classes.keys());
    this.hidden.delete(k);
    this.first();
  }

  only(slice) {
    Object.assign(this, {
      order: "difference",
      by: null,
      slice,
      lit: null,
      cell: null,
      mode: "who",
    });
    this.hidden.clear();
    this.first();
  }

  // The pixels of a true class that one side or both took for another one.
  async mistakes(truth, label) {
    Object.assign(this, {
      order: "cell",
      by: null,
      slice: "",
      lit: null,
      cell: [truth, label],
      mode: "who",
    });
    this.hidden = new Set(
      [...this.known.classes.keys()].filter((k) => k !== truth && k !== label),
    );
    await this.mapsOf(0);
    if (this.known) this.first();
  }

  first() {
    this.n = this.chosen = this.places[0] ?? 0;
    this.epoch = null;
    address.set({ image: this.n });
    this.offer();
    this.arrange();
  }

  isOfCell(truth, a, b) {
    return truth === this.cell[0] && (a === this.cell[1] || b === this.cell[1]);
  }

  // How many pixels of an image are of the cell of the confusion matrix; of images whose maps are not here, none.
  ofCell(n) {
    const maps = this.maps[n];
    let count = 0;
    if (maps)
      for (let i = 0; i < maps.truth.length; i++)
        if (
          maps.a[i] !== maps.b[i] &&
          this.isOfCell(maps.truth[i], maps.a[i], maps.b[i])
        )
          count++;
    return count;
  }

  // The images in their order.
  get places() {
    const { images, orders } = this.known,
      key = (n) => Math.abs(images[n].classes[this.by] ?? 0);
    const counts =
      this.order === "cell" ? images.map((_, n) => this.ofCell(n)) : [];
    const order =
      this.order === "cell"
        ? images.map((_, n) => n).sort((a, b) => counts[b] - counts[a])
        : this.order === "class"
          ? images.map((_, n) => n).sort((a, b) => key(b) - key(a))
          : orders[this.order];
    return order.filter((n) => !this.slice || images[n].slice === this.slice);
  }

  pageOf(n) {
    return this.known.pages.findLastIndex((first) => first <= n);
  }

  // The label maps of an image; those of its page come together.
  async mapsOf(n) {
    if (this.maps[n]) return this.maps[n];
    const page = this.pageOf(n),
      { known, loading, maps } = this;
    if (!loading.has(page))
      loading.set(
        page,
        (async () => {
          const answer = await fetch(`seglab/lab/maps/${page}?${known.query}`);
          if (!answer.ok) throw new Error(answer.statusText);
          const bytes = new Uint8Array(await answer.arrayBuffer());
          let start = 0;
          for (
            let k = known.pages[page];
            k < (known.pages[page + 1] ?? known.images.length);
            k++
          ) {
            const [height, width] = known.images[k].size,
              size = height * width,
              part = () => bytes.subarray(start, (start += size));
            maps[k] = { width, height, truth: part(), a: part(), b: part() };
          }
        })(),
      );
    try {
      await loading.get(page);
    } catch {
      loading.delete(page);
    }
    return maps[n];
  }

  async photoOf(n, width, height) {
    if (!this.known?.photos) return null;
    if (!this.photos.has(n))
      this.photos.set(
        n,
        pixels(`${this.known.photos}${n}.webp?v=${this.known.version}`).catch(
          () => null,
        ),
      );
    const photo = await this.photos.get(n);
    return photo && scaled(photo, width, height);
  }

  // The few images' label maps after every evaluation, which are asked for once.
  async replays() {
    if (this.replayed || this.replaying || !this.known.samples.length) return;
    const { known, maps } = this,
      [a, b] = known.epochs.map((epochs) => epochs.length);
    this.replaying = true;
    try {
      const answer = await fetch(
          `seglab/lab/replay?${known.query}&epochs_a=${a}&epochs_b=${b}`,
        ),
        bytes = new Uint8Array(await answer.arrayBuffer());
      if (!answer.ok || maps !== this.maps) return; // of other sides
      let start = 0;
      this.replayed = {};
      for (const [side, epochs] of ["a", "b"].map((name, k) => [
        name,
        known.epochs[k],
      ])) {
        this.replayed[side] = epochs.map((epoch) => [
          epoch,
          new Map(
            known.samples.map((n) => {
              const [height, width] = known.images[n].size;
              return [n, bytes.subarray(start, (start += height * width))];
            }),
          ),
        ]);
      }
      this.epochs = [...new Set(known.epochs.flat())].sort((a, b) => a - b);
      this.scrubber();
    } catch {
      this.replayed = null;
    } finally {
      this.replaying = false;
    }
  }

  // --- what is pressed

  show(mode = this.mode) {
    if (mode !== this.mode) address.set({ show: mode === "who" ? "" : mode });
    this.mode = mode;
    if (this.known) this.look();
  }

  pick(n) {
    this.stop();
    this.n = this.chosen = n;
    this.epoch = null;
    address.set({ image: n });
    if (this.known) this.look();
  }

  step(by) {
    const places = this.places,
      at = places.indexOf(this.n);
    if (places.length)
      this.pick(places[(at + by + places.length) % places.length]);
  }

  at(k) {
    this.epoch = k >= this.epochs.length ? null : this.epochs[k];
    this.told.textContent =
      this.epoch === null ? t("best epoch") : `${+this.epoch.toFixed(2)}`;
    this.paint();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    this.play.textContent = t("Play");
  }

  toggle() {
    if (this.playing) this.stop();
    else {
      let k =
        Number(this.slider.value) >= this.epochs.length
          ? -1
          : Number(this.slider.value);
      const step = () => {
        k += 1;
        if (k >= this.epochs.length) this.stop();
        this.slider.value = k;
        this.at(k);
      };
      this.playing = setInterval(step, PLAY);
      this.play.textContent = t("Pause");
      step();
    }
  }

  near(times, x = this.probe[0], y = this.probe[1]) {
    this.zoom =
      times <= 1
        ? { times: 1, x: 0.5, y: 0.5 }
        : { times: Math.min(MOST_ZOOM, times), x, y };
    this.nearer.lastChild.value = this.zoom.times;
    this.arrow();
  }

  // What is said of a place is read aloud where keys brought the cross-hair there.
  point(x, y, byKeys = false) {
    this.read.setAttribute("aria-live", byKeys ? "polite" : "off");
    this.probe = [x, y];
    this.arrow();
    this.say();
  }

  key(event) {
    if (event.target.matches("input, select")) return;
    const arrow = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    }[event.key];
    const act = {
      " ": () =>
        event.target.matches("button") || this.replay.hidden || this.toggle(),
      d: () => this.show("who"),
      t: () => {
        this.peek = !this.peek;
        this.paint();
      },
      "+": () => this.near(this.zoom.times * 2),
      "=": () => this.near(this.zoom.times * 2),
      "-": () => this.near(this.zoom.times / 2),
      0: () => this.near(1),
    }[event.key.toLowerCase()];
    if (event.ctrlKey || event.metaKey || event.altKey || (!arrow && !act))
      return;
    if (event.key === " " && event.target.matches("button")) return;
    if (arrow?.[1] && !event.shiftKey && this.replay.hidden) return; // the page scrolls
    event.preventDefault();
    if (act) act();
    else if (event.shiftKey)
      this.point(
        clamp(this.probe[0] + 0.02 * arrow[0]),
        clamp(this.probe[1] + 0.02 * arrow[1]),
        true,
      );
    else if (arrow[0]) this.step(arrow[0]);
    else {
      this.slider.value = Number(this.slider.value) - arrow[1];
      this.at(Number(this.slider.value));
    }
  }

  // --- what is seen

  arrange() {
    const places = this.places;
    if (!places.includes(this.n) && places.length) {
      this.n = places[0];
      if (this.chosen !== undefined) address.set({ image: this.n });
    }
    this.seen.disconnect();
    const focused = this.list.contains(document.activeElement)
      ? document.activeElement.dataset.n
      : null;
    this.list.replaceChildren(
      ...places.map((n) => {
        const { name, counts } = this.known.images[n],
          total = counts.reduce((a, b) => a + b, 0) || 1,
          share = (kind) => `${(100 * counts[kind]) / total}%`;
        const button = el(
          "button",
          {
            type: "button",
            title: name,
            data: { n },
            attrs: {
              "aria-label": t("{name}: only A right {a}, only B right {b}", {
                name,
                a: percent(counts[ONLY_A] / total),
                b: percent(counts[ONLY_B] / total),
              }),
            },
            on: { click: () => this.pick(n) },
          },
          el("canvas"),
          el(
            "span.bar",
            {},
            el("i.a", { style: `width:${share(ONLY_A)}` }),
            el("i.b", { style: `width:${share(ONLY_B)}` }),
          ),
        );
        this.seen.observe(button);
        return button;
      }),
    );
    if (focused)
      this.list
        .querySelector(`[data-n="${focused}"]`)
        ?.focus({ preventScroll: true });
    if (this.lab.view === "where") this.look();
  }

  async look() {
    if (!this.known?.images.length) return;
    const { n, known } = this,
      image = known.images[n],
      places = this.places,
      gone = () =>
        n !== this.n ||
        known.version !== this.known?.version ||
        known.query !== this.known.query;
    for (const button of this.list.children)
      button.setAttribute(
        "aria-pressed",
        String(Number(button.dataset.n) === n),
      );
    const own = this.list.querySelector("[aria-pressed=true]");
    if (own)
      this.list.scrollLeft =
        own.offsetLeft - this.list.offsetLeft - this.list.clientWidth / 2;
    this.place.textContent = t("{place} of {count}: {name}", {
      place: places.indexOf(n) + 1,
      count: places.length,
      name: image.slice ? `${image.name} (${image.slice})` : image.name,
    });
    this.scrubber();
    const maps = await this.mapsOf(n);
    if (gone() || !maps) return;
    const photo = await this.photoOf(n, maps.width, maps.height);
    if (gone()) return;
    this.current = { maps, photo };
    this.paint();
    if (this.known.samples.includes(n)) this.replays();
    const next = this.known.pages.length > 1 && places[places.indexOf(n) + 1];
    if (next) this.mapsOf(next);
  }

  // The epochs can be gone through for the few images of which they were kept.
  scrubber() {
    const here =
      this.known.samples.includes(this.n) &&
      this.replayed?.b &&
      this.epochs?.length;
    this.replay.hidden = !here;
    this.note.textContent =
      this.known.samples.includes(this.n) || !this.known.samples.length
        ? ""
        : t(
            "Of {count} images every epoch was kept: {names}. Of the others, the best epoch.",
            {
              count: this.known.samples.length,
              names: this.known.samples
                .map((n) => this.known.images[n].name)
                .join(", "),
            },
          );
    if (!here) return;
    this.slider.max = this.epochs.length;
    if (this.epoch === null) {
      this.slider.value = this.epochs.length;
      this.told.textContent = t("best epoch");
    }
  }

  // A side's label map at the epoch that is looked at.
  mapOf(side) {
    const { maps } = this.current;
    if (this.epoch === null || !this.replayed?.[side]) return maps[side];
    const reached = this.replayed[side]
      .filter(([epoch]) => epoch <= this.epoch)
      .at(-1);
    return reached?.[1].get(this.n) ?? maps[side];
  }

  paint() {
    for (const button of this.modes.children)
      button.setAttribute(
        "aria-pressed",
        String(button.dataset.mode === this.mode),
      );
    this.divider.hidden = this.mode !== "slider";
    if (!this.current) return;
    const { maps, photo } = this.current,
      { width, height, truth } = maps,
      a = this.mapOf("a"),
      b = this.mapOf("b");
    const edge = Math.round(this.divide * width),
      left = (i) => i % width < edge;
    const label = (map) => (i) => {
      const k = map(i);
      return k === VOID || this.hidden.has(k) ? null : this.colors[k];
    };
    const draw = (name, color, gray, strength = this.strength) => {
      this.size(name, width, height);
      fill(
        this.panes[name].canvas,
        width,
        height,
        photo,
        color,
        gray,
        strength,
      );
    };
    draw("photo", () => null, false);
    draw(
      "truth",
      label((i) => truth[i]),
      false,
    );
    draw(
      "a",
      label((i) => (this.peek ? truth[i] : a[i])),
      false,
    );
    draw(
      "b",
      label((i) => (this.peek ? truth[i] : b[i])),
      false,
    );
    const wrong = (map) => (i) =>
      truth[i] !== VOID && map[i] !== truth[i] ? RED : null;
    const color = {
      who: (i) =>
        this.order === "cell" && !this.isOfCell(truth[i], a[i], b[i])
          ? null
          : this.whose(kind(i), i, width),
      slider: label((i) => (left(i) ? a[i] : b[i])),
      a: wrong(a),
      b: wrong(b),
    }[this.mode];
    const kind = (i) =>
      truth[i] === VOID ? VOID : kindOf(truth[i], a[i], b[i]);
    draw(
      "view",
      this.peek ? label((i) => truth[i]) : color,
      this.mode !== "slider" && !this.peek,
      Math.max(this.strength, 0.35),
    );
    const { line, canvas, title } = this.panes.view;
    line.hidden = this.mode !== "slider";
    line.style.left = `${(100 * edge) / width}%`;
    this.count(truth, a, b);
    title.firstChild.textContent = this.peek
      ? t("Ground truth")
      : MODES()[this.mode];
    canvas.setAttribute(
      "aria-label",
      `${MODES()[this.mode]}, ${this.known.images[this.n].name}. ${this.numbers.textContent}`,
    );
    this.caption();
    this.arrow();
    this.say();
  }

  size(name, width, height) {
    const { canvas, frame } = this.panes[name];
    if (canvas.width !== width || canvas.height !== height)
      [canvas.width, canvas.height] = [width, height];
    frame.style.aspectRatio = `${width} / ${height}`;
  }

  // The color of a pixel in "who is right"; where one kind is lit, the others are not shown.
  whose(kind, i, width) {
    if (
      kind === VOID ||
      kind === BOTH ||
      (this.lit !== null && this.lit !== kind)
    )
      return null;
    if (
      kind === ALIKE &&
      this.lit === null &&
      ((i % width) + Math.floor(i / width)) % 4 < 2
    )
      return null; // hatched
    return COLORS[kind];
  }

  count(truth, a, b) {
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < truth.length; i++)
      if (truth[i] !== VOID) counts[kindOf(truth[i], a[i], b[i])]++;
    const sum = (numbers) => numbers.reduce((x, y) => x + y, 0) || 1,
      all = this.known.images.reduce(
        (sums, image) => sums.map((each, k) => each + image.counts[k]),
        [0, 0, 0, 0, 0],
      );
    const focused = this.numbers.contains(document.activeElement)
      ? document.activeElement.dataset.kind
      : null;
    this.numbers.replaceChildren(
      el(
        "table.values",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", {}, t("Pixels")),
            el("th.n", {}, t("this image")),
            el("th.n", {}, t("all images")),
          ),
        ),
        el(
          "tbody",
          {},
          KINDS().map((text, kind) =>
            el(
              "tr",
              {},
              el(
                "th",
                { attrs: { scope: "row" } },
                kind === BOTH
                  ? text
                  : el(
                      "button.chip",
                      {
                        type: "button",
                        data: { kind },
                        attrs: { "aria-pressed": String(this.lit === kind) },
                        on: { click: () => this.light(kind) },
                      },
                      el(`i.kind-${kind}`),
                      text,
                    ),
              ),
              el("td.n", {}, percent(counts[kind] / sum(counts))),
              el("td.n", {}, percent(all[kind] / sum(all))),
            ),
          ),
        ),
      ),
      el("p.hint", {}, t("Press a kind to see it alone.")),
    );
    if (focused)
      this.numbers
        .querySelector(`[data-kind="${focused}"]`)
        .focus({ preventScroll: true });
  }

  light(kind) {
    this.lit = this.lit === kind ? null : kind;
    this.mode = "who";
    this.paint();
  }

  caption() {
    const { a, b } = this.known.images[this.n],
      best = this.epoch === null;
    for (const [side, miou] of [
      ["a", a],
      ["b", b],
    ]) {
      this.panes[side].title.firstChild.textContent =
        `${side.toUpperCase()}  ${this.lab.nameOf(side)}`;
      this.panes[side].title.lastChild.textContent = best
        ? t("mIoU of this image {miou}", { miou: fixed(miou) })
        : t("after epoch {epoch}", { epoch: +this.epoch.toFixed(2) });
    }
    for (const name of ["photo", "truth", "a", "b"])
      this.panes[name].canvas.setAttribute(
        "aria-label",
        this.panes[name].title.textContent,
      );
  }

  arrow() {
    const { times, x, y } = this.zoom,
      shift = (centre) =>
        Math.min(0, Math.max(1 - times, 0.5 - centre * times)) * 100;
    for (const { stack, cross } of Object.values(this.panes)) {
      stack.style.transform =
        times === 1
          ? ""
          : `translate(${shift(x)}%, ${shift(y)}%) scale(${times})`;
      cross.style.left = `${100 * this.probe[0]}%`;
      cross.style.top = `${100 * this.probe[1]}%`;
      cross.style.transform = `scale(${1 / times})`;
    }
  }

  // Says what is at the cross-hair.
  say() {
    if (!this.current) return;
    const { width, height, truth } = this.current.maps;
    const x = Math.min(width - 1, Math.floor(this.probe[0] * width)),
      y = Math.min(height - 1, Math.floor(this.probe[1] * height));
    const name = (map) =>
      map[y * width + x] === VOID
        ? t("not labeled")
        : (this.known.classes[map[y * width + x]]?.[1] ?? "?");
    this.read.textContent = t(
      "Pixel ({x}, {y}): truth {truth} · A {a} · B {b}",
      {
        x,
        y,
        truth: name(truth),
        a: name(this.mapOf("a")),
        b: name(this.mapOf("b")),
      },
    );
  }

  // Who is right, small.
  async thumbnail(n, canvas) {
    const { known } = this,
      maps = known && (await this.mapsOf(n));
    if (!maps || known.query !== this.known?.query) return;
    const { width, height, truth, a, b } = maps,
      photo = await this.photoOf(n, width, height);
    [canvas.width, canvas.height] = [width, height];
    fill(
      canvas,
      width,
      height,
      photo,
      (i) =>
        truth[i] === VOID
          ? null
          : (COLORS[
              { [ONLY_A]: ONLY_A, [ONLY_B]: ONLY_B }[
                kindOf(truth[i], a[i], b[i])
              ]
            ] ?? null),
      true,
      0.85,
    );
  }
}

// Paints colors over a photograph, which is grayed where errors are shown; where it is not here, over gray.
function fill(canvas, width, height, photo, color, gray, strength) {
  const out = new ImageData(width, height),
    data = out.data;
  for (let i = 0; i < width * height; i++) {
    const p = 4 * i,
      over = color(i),
      light =
        gray && photo
          ? 110 +
            0.5 * (0.3 * photo[p] + 0.59 * photo[p + 1] + 0.11 * photo[p + 2])
          : 0;
    for (let c = 0; c < 3; c++) {
      const base = photo ? (gray ? light : photo[p + c]) : 200;
      data[p + c] = over ? base * (1 - strength) + over[c] * strength : base;
    }
    data[p + 3] = 255;
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
