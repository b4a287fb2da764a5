// Where two sides differ: one validation image at a time, in an order, with the epochs of the few images of which they
// were kept. All label maps are here as bytes, so that nothing that is pressed or moved asks the server.
import { bin, cell } from "./focus.js";
import {
  ALIKE,
  fill,
  colorOf,
  kindOf,
  ONLY_A,
  ONLY_B,
  percent,
  shrunk,
} from "./kinds.js";
import { MODES, Panes } from "./panes.js";
import { VOID } from "./pixels.js";
import { png, save, sheet } from "./sheet.js";
import { replayed } from "./sides.js";
import { Suspects } from "./suspects.js";
import { choice, el, fixed, steps, t } from "./text.js";

const ORDERS = () => ({
  difference: t("They differ most"),
  a_wins: t("A wins most"),
  b_wins: t("B wins most"),
  suspicious: t("Suspicious truth"),
  stored: t("As stored"),
});
const PLAY = 600, // milliseconds an epoch
  THUMBNAIL = 160; // pixels of its width at most

// What other views have of it, to be pressed.
export const MARKS =
  "button[data-class], button[data-slice], button[data-cell], button[data-bin]";

export class Where {
  // `owner` says what a side is called (`nameOf`) and whether this view is seen (`watching`), and is told what is looked
  // at (`looked`), of which it gives the address (`link`).
  constructor(owner) {
    this.owner = owner;
    this.known = null;
    Object.assign(this, { n: 0, order: "difference", slice: "" });
    Object.assign(this, { by: null, focus: null, epoch: null });
    this.build();
  }

  build() {
    this.orderBox = choice(t("Order"), (value) => {
      [this.order, this.by] = value.startsWith("class ")
        ? ["class", Number(value.slice(6))]
        : [value, null];
      this.arrange();
    });
    this.sliceBox = choice(t("Images"), (value) => {
      this.slice = value;
      this.arrange();
    });
    this.place = el("output");
    this.bar = el(
      "div.chart-bar",
      {},
      this.orderBox,
      this.sliceBox,
      el(
        "span.steps",
        {},
        steps((by) => this.step(by), this.place),
      ),
      el(
        "button.act",
        { type: "button", on: { click: () => this.picture() } },
        t("Save as PNG"),
      ),
    );
    this.list = el("div.thumbs", {
      attrs: { role: "group", "aria-label": t("Validation images") },
    });
    this.suspects = new Suspects((region) => this.near(region));
    this.panes = new Panes({
      changed: (mode) =>
        this.owner.looked({ show: mode === "who" ? "" : mode }),
      swiped: (by) => this.step(by),
    });
    this.replay = this.scale();
    this.note = el("p.hint");
    this.root = el(
      "div.where",
      { on: { keydown: (event) => this.key(event) } },
      this.bar,
      this.list,
      this.suspects.root,
      this.panes.root,
      this.replay,
      this.note,
      this.panes.legend,
      el(
        "p.hint.keys",
        {},
        t(
          "Keys: ← → image, ↑ ↓ epoch, space plays, D who is right, T truth, 1 to 9 classes, + − zoom, 0 whole image, shift and an arrow moves the cross-hair.",
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

  // The epochs to go through.
  scale() {
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
    this.film = el(
      "button.act",
      { type: "button", on: { click: () => this.animation() } },
      t("Save as GIF"),
    );
    return el(
      "div.epochs",
      {},
      el("span", {}, t("Epoch")),
      this.slider,
      this.told,
      this.play,
      this.film,
    );
  }

  // --- what there is

  // Takes two sides with the `source` of their pixels; they may be the same as before, with other numbers.
  take(known, source) {
    const same =
      known &&
      this.known &&
      ["version", "runs", "made_of"].every(
        (key) => String(known[key]) === String(this.known[key]),
      );
    this.known = known;
    if (!same) {
      this.stop();
      this.panes.current = this.current = null;
    }
    if (!known) {
      this.source = this.replays = null; // of no use to anybody
      return;
    }
    if (same)
      this.source.known = known; // other runs may be shown beside them
    else {
      this.source = source;
      if (!this.linked) this.panes.hidden.clear();
      this.linked = "";
      this.panes.lit = null;
      Object.assign(this, { by: null, focus: null });
      Object.assign(this, { epoch: null, replays: null, epochs: null });
      if (["class", "focus"].includes(this.order)) this.order = "difference";
      this.n = this.chosen ?? known.orders.difference[0] ?? 0;
    }
    this.panes.offer(known.classes);
    this.offer();
    if (this.n >= known.images.length) this.n = 0;
    this.arrange();
  }

  // Lets go of everything, since it is not seen again.
  close() {
    this.take(null);
    this.seen.disconnect();
    this.root.remove();
  }

  // The orders that can be chosen.
  offer() {
    const { known } = this,
      slices = [
        ...new Set(known.images.map((image) => image.slice).filter(Boolean)),
      ].sort();
    if (!slices.includes(this.slice)) this.slice = "";
    this.sliceBox.hidden = !slices.length;
    const option = (value, text, selected) =>
      el("option", { value, selected }, text);
    this.sliceBox.lastChild.replaceChildren(
      option("", t("all"), false),
      ...slices.map((value) => option(value, value, value === this.slice)),
    );
    const choices = Object.entries(ORDERS());
    if (this.focus) choices.push(["focus", this.focus.text]);
    for (const [k, [, name]] of known.classes.entries())
      choices.push([`class ${k}`, t("By the difference of {name}", { name })]);
    const chosen = this.order === "class" ? `class ${this.by}` : this.order;
    this.orderBox.lastChild.replaceChildren(
      ...choices.map(([value, text]) => option(value, text, value === chosen)),
    );
  }

  follow({ image, show, ...place }) {
    this.panes.follow(place);
    this.linked = place.without; // of the sides to come
    this.chosen = /^\d+$/.test(image ?? "") ? Number(image) : undefined;
    if (show in MODES()) this.panes.mode = show;
    if (this.chosen !== undefined) this.slice = "";
    // other sides may be asked for as well, which have more images
    if (this.chosen < this.known?.images.length) this.n = this.chosen;
    if (!this.known) return;
    this.panes.offer(this.known.classes);
    this.arrange();
  }

  // What is looked at, as an address has it.
  get spot() {
    const { mode, place } = this.panes;
    return { ...place, image: this.n, show: mode === "who" ? "" : mode };
  }

  // --- what other views open

  // Takes a pressed mark of a view, and says whether it was one whose pixels are here to see.
  press(event) {
    const mark = event.target.closest(MARKS);
    if (!mark) return false;
    const { class: k, slice, cell: of, bin: number, low, high } = mark.dataset;
    if (k) this.byClass(Number(k));
    if (slice) this.only(slice);
    if (of) this.part(cell(...of.split(",").map(Number), this.known.classes));
    if (number) this.part(bin(number, Number(low), high ? Number(high) : null));
    return true;
  }

  byClass(k) {
    this.begin({ order: "class", by: k }, [k]);
  }

  only(slice) {
    this.begin({ order: "difference", slice });
  }

  // A part of the images, those first that have most of it.
  async part(focus) {
    const { source } = this;
    let counts;
    try {
      counts = await source.counts(focus);
    } catch ({ message }) {
      if (source === this.source) this.note.textContent = message;
      return;
    }
    if (source !== this.source) return;
    this.begin({ order: "focus", focus: { ...focus, counts } }, focus.classes);
  }

  // A region of an image, in the middle of half of what is seen or less.
  near({ image, box: [x, y, width, height] }) {
    const [tall, wide] = this.known.images[image].size;
    Object.assign(this.panes, { mode: "who", lit: ALIKE });
    this.owner.looked({ show: "" });
    this.pick(image);
    const middle = [(x + width / 2) / wide, (y + height / 2) / tall];
    this.panes.near(Math.min(wide / width, tall / height) / 2, ...middle);
    this.panes.point(...middle);
  }

  // Opens the first image of an order, with all classes or some of them.
  begin(order, classes = null) {
    Object.assign(this, { by: null, slice: "", focus: null, ...order });
    Object.assign(this.panes, { lit: null, mode: "who" });
    const all = [...this.known.classes.keys()];
    this.panes.hidden = new Set(
      classes ? all.filter((k) => !classes.includes(k)) : [],
    );
    this.panes.offer(this.known.classes);
    this.n = this.chosen = this.places[0] ?? 0;
    this.epoch = null;
    this.owner.looked({ image: this.n, show: "" });
    this.offer();
    this.arrange();
  }

  // The images in their order.
  get places() {
    const { images, orders } = this.known,
      stored = images.map((_, n) => n);
    const most = {
      focus: (n) => this.focus.counts[n] ?? 0,
      class: (n) => Math.abs(images[n].classes[this.by] ?? 0),
    }[this.order];
    const order = most
      ? stored.sort((a, b) => most(b) - most(a))
      : orders[this.order];
    return order.filter((n) => !this.slice || images[n].slice === this.slice);
  }

  // The few images' label maps after every evaluation, which are asked for once.
  async remember() {
    const { known, source } = this;
    if (this.replays || this.asking === source || !known.samples.length) return;
    this.asking = source;
    try {
      const found = replayed(await source.replay(), known);
      if (source !== this.source) return; // of other sides
      this.replays = found;
      this.epochs = [...new Set(known.epochs.flat())].sort((a, b) => a - b);
      this.scrubber();
    } catch {
      this.replays = null;
    } finally {
      if (this.asking === source) this.asking = null;
    }
  }

  // --- what is pressed

  pick(n) {
    this.stop();
    this.n = this.chosen = n;
    this.epoch = null;
    this.owner.looked({ image: n });
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
    if (this.playing) {
      this.stop();
      return;
    }
    const at = Number(this.slider.value);
    let k = at >= this.epochs.length ? -1 : at;
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

  key(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("input, select")) return;
    if (this.panes.key(event)) {
      event.preventDefault();
      return;
    }
    const across = { ArrowLeft: -1, ArrowRight: 1 }[key],
      up = { ArrowUp: 1, ArrowDown: -1 }[key];
    if (across) this.step(across);
    else if (this.replay.hidden)
      return; // the page scrolls
    else if (up) {
      this.slider.value = Number(this.slider.value) + up;
      this.at(Number(this.slider.value));
    } else if (key === " " && !target.matches("button")) this.toggle();
    else return;
    event.preventDefault();
  }

  // --- what is taken away

  // What is seen as a picture, which carries how both sides were made.
  async picture() {
    let sides;
    try {
      sides = await this.source.recipes();
    } catch ({ message }) {
      this.note.textContent = message;
      return;
    }
    if (!this.panes.current) return;
    const { name } = this.known.images[this.n],
      lines = [
        name,
        this.panes.read.textContent,
        ...this.known.verdict.sentences,
      ],
      rows = [["photo", "truth", "a", "b"], ["view"]],
      canvas = sheet(this.panes, rows, lines, 1200),
      made = { link: this.owner.link(sides), sides };
    save(await png(canvas, made), `seglab-${name}.png`);
  }

  // The epochs, one after the other, of both sides and of who is right.
  async animation() {
    this.stop();
    this.film.disabled = true;
    try {
      await this.filmed();
    } finally {
      this.film.disabled = false;
    }
  }

  async filmed() {
    const { GIFEncoder, quantize, applyPalette } =
        await import("./vendor/gifenc/gifenc.esm.js"),
      gif = GIFEncoder(),
      { source, n, epochs } = this,
      before = Number(this.slider.value);
    for (let k = 0; k <= epochs.length; k++) {
      await new Promise((done) => setTimeout(done)); // the page goes on
      if (source !== this.source || n !== this.n) return;
      this.at(k);
      const epoch = `${t("Epoch")} ${this.told.textContent}`,
        canvas = sheet(this.panes, [["truth", "a", "b", "view"]], [epoch], 960),
        { width, height } = canvas,
        { data } = canvas.getContext("2d").getImageData(0, 0, width, height),
        palette = quantize(data, 256);
      gif.writeFrame(applyPalette(data, palette), width, height, {
        palette,
        delay: k < epochs.length ? PLAY : 4 * PLAY,
      });
    }
    gif.finish();
    this.slider.value = before;
    this.at(before);
    const { name } = this.known.images[n];
    save(new Blob([gif.bytes()], { type: "image/gif" }), `seglab-${name}.gif`);
  }

  // --- what is seen

  arrange() {
    const places = this.places;
    if (!places.includes(this.n) && places.length) {
      this.n = places[0];
      if (this.chosen !== undefined) this.owner.looked({ image: this.n });
    }
    this.seen.disconnect();
    const focused = this.list.contains(document.activeElement)
      ? document.activeElement.dataset.n
      : null;
    this.list.replaceChildren(...places.map((n) => this.button(n)));
    for (const button of this.list.children) this.seen.observe(button);
    if (focused)
      this.list
        .querySelector(`[data-n="${focused}"]`)
        ?.focus({ preventScroll: true });
    const suspicious = this.order === "suspicious";
    this.suspects.show(suspicious, this.known, this.source, this.slice);
    if (this.owner.watching) this.look();
  }

  // An image, small, with a bar of how much only one side has right.
  button(n) {
    const { name, counts } = this.known.images[n],
      total = counts.reduce((a, b) => a + b, 0) || 1;
    const [a, b] = [ONLY_A, ONLY_B].map((kind) => counts[kind] / total),
      bar = (side, share) =>
        el(`i.${side}`, { style: `width:${100 * share}%` });
    return el(
      "button",
      {
        type: "button",
        title: name,
        data: { n },
        attrs: {
          "aria-label": t("{name}: only A right {a}, only B right {b}", {
            name,
            a: percent(a),
            b: percent(b),
          }),
        },
        on: { click: () => this.pick(n) },
      },
      el("canvas"),
      el("span.bar", {}, bar("a", a), bar("b", b)),
    );
  }

  async look() {
    if (!this.known?.images.length) return;
    const { n, source } = this,
      image = this.known.images[n],
      places = this.places,
      gone = () => n !== this.n || source !== this.source || !this.known;
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
    const maps = await source.maps(n);
    if (gone() || !maps) return;
    const photo = await source.photo(n, maps.width, maps.height);
    if (gone()) return;
    this.current = { ...maps, photo };
    this.paint();
    if (this.known.samples.includes(n)) this.remember();
    const next = this.known.pages.length > 1 && places[places.indexOf(n) + 1];
    if (next) source.maps(next);
  }

  // The epochs can be gone through for the few images of which they were kept.
  scrubber() {
    const { samples, images } = this.known,
      kept = samples.includes(this.n),
      here = kept && this.replays && this.epochs.length;
    this.replay.hidden = !here;
    this.note.textContent =
      kept || !samples.length
        ? ""
        : t(
            "Of {count} images every epoch was kept: {names}. Of the others, the best epoch.",
            {
              count: samples.length,
              names: samples.map((n) => images[n].name).join(", "),
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
    const best = this.current[side];
    if (this.epoch === null || !this.replays) return best;
    const reached = this.replays[side === "a" ? 0 : 1]
      .filter(([epoch]) => epoch <= this.epoch)
      .at(-1);
    return reached?.[1].get(this.n) ?? best;
  }

  paint() {
    const image = this.known.images[this.n],
      [a, b] = [this.mapOf("a"), this.mapOf("b")];
    const note = (miou) =>
      this.epoch === null
        ? t("mIoU of this image {miou}", { miou: fixed(miou) })
        : t("after epoch {epoch}", { epoch: +this.epoch.toFixed(2) });
    const title = (side) => `${side.toUpperCase()}  ${this.owner.nameOf(side)}`;
    this.panes.take({
      ...this.current,
      a,
      b,
      name: image.name,
      titles: { a: title("a"), b: title("b") },
      notes: { a: note(image.a), b: note(image.b) },
      within:
        this.order === "focus"
          ? this.focus.within({ ...this.current, a, b })
          : null,
      totals: this.known.totals,
    });
  }

  // Who is right, small: only what one side has right and the other has not.
  async thumbnail(n, canvas) {
    const { source } = this,
      maps = source && (await source.maps(n));
    if (!maps) return;
    const photo = await source.photo(n, maps.width, maps.height);
    if (source !== this.source) return;
    const small = shrunk({ ...maps, photo }, THUMBNAIL),
      { truth, a, b, width } = small;
    const color = (i) => {
      const kind = truth[i] === VOID ? null : kindOf(truth[i], a[i], b[i]);
      return [ONLY_A, ONLY_B].includes(kind) ? colorOf(kind, i, width) : null;
    };
    fill(canvas, small, color, true, 0.85);
  }
}
