// One image as photograph, truth, A and B, and large as whatever is looked at: the same place in all of them under one
// cross-hair, with zoom, classes to choose, and the counts of its pixels by who is right. Whoever shows images in it
// says what they are; nothing here asks a server.
import { clamp, rgb, VOID } from "./pixels.js";
import { colorOf, counted, fill, kindOf, BOTH, percent } from "./kinds.js";
import { el, t } from "./text.js";

const KINDS = () => [
  t("both right"),
  t("only A right"),
  t("only B right"),
  t("both wrong alike"),
  t("both wrong differently"),
];
export const MODES = () => ({
  who: t("Who is right"),
  slider: t("A | B"),
  a: t("Errors of A"),
  b: t("Errors of B"),
});
const RED = [220, 38, 38],
  MOST_ZOOM = 8,
  HELD = 350, // milliseconds of a finger on a picture: the truth is shown
  SWIPED = 48; // pixels
const NAMES = ["photo", "truth", "a", "b"];
let made = 0;

export class Panes {
  // `modes`, `kinds` and the `names` of both sides in words, where they are others than two models'; `changed` is told of
  // another mode, `swiped` of a picture that was pushed to a side, `moved` of the cross-hair over what is painted.
  constructor({
    modes = MODES(),
    kinds = KINDS(),
    names = { a: "A", b: "B" },
    moved = () => {},
    changed = () => {},
    swiped = () => {},
  }) {
    Object.assign(this, { modes, kinds, names, changed, swiped, moved });
    this.id = `read-${++made}`;
    Object.assign(this, { mode: "who", lit: null, strength: 0.75 });
    Object.assign(this, { divide: 0.5, peek: false, current: null });
    this.hidden = new Set();
    this.zoom = { times: 1, x: 0.5, y: 0.5 };
    this.probe = [0.5, 0.5];
    this.build();
  }

  build() {
    const words = {
      photo: t("Image"),
      truth: t("Ground truth"),
      ...this.names,
      view: "",
    };
    this.panes = {};
    for (const [name, text] of Object.entries(words))
      this.panes[name] = this.pane(name, text);
    this.four = el(
      "div.four",
      {},
      NAMES.map((name) => this.panes[name].box),
    );
    this.buttons = el(
      "span.switch",
      { attrs: { role: "group", "aria-label": t("What is shown") } },
      Object.entries(this.modes).map(([mode, text]) =>
        el(
          "button",
          {
            type: "button",
            data: { mode },
            on: { click: () => this.show(mode) },
          },
          text,
        ),
      ),
    );
    this.divider = this.range(this.modes.slider, "divide");
    const strength = this.range(t("Strength"), "strength");
    this.nearer = this.range(t("Zoom"), "times", 1, MOST_ZOOM);
    this.bar = el(
      "div.chart-bar",
      {},
      this.buttons,
      this.divider,
      strength,
      this.nearer,
    );
    this.numbers = el("div.numbers");
    this.large = el("div.large", {}, this.panes.view.box, this.numbers);
    this.read = el("p.under", { id: this.id });
    this.legend = el("div.legend", {
      attrs: { role: "group", "aria-label": t("Classes that are shown") },
    });
    // on a narrow screen one pane is seen at a time
    this.picker = el(
      "div.switch.one-of",
      { attrs: { role: "group", "aria-label": t("Picture") } },
      Object.entries({ ...words, view: t("compared") }).map(([name, text]) =>
        el(
          "button",
          {
            type: "button",
            data: { one: name },
            on: { click: () => this.only(name) },
          },
          text,
        ),
      ),
    );
    this.root = el(
      "div.panes",
      {},
      this.picker,
      this.four,
      this.bar,
      this.large,
      this.read,
    );
    this.only("view");
  }

  range(text, name, least = 0, most = 1) {
    const value = name === "times" ? 1 : this[name];
    const change = (event) => {
      (name === "times" ? this.zoom : this)[name] = Number(event.target.value);
      this.paint();
    };
    return el(
      "label",
      {},
      text,
      el("input", {
        type: "range",
        min: least,
        max: most,
        step: 0.01,
        value,
        on: { input: change },
      }),
    );
  }

  only(name) {
    this.root.dataset.one = name;
    for (const button of this.picker.children)
      button.setAttribute("aria-pressed", String(button.dataset.one === name));
  }

  pane(name, text) {
    const canvas = el("canvas", {
      tabIndex: name === "view" ? 0 : -1,
      attrs: { role: "img", "aria-describedby": this.id },
    });
    const cross = el("i.cross"),
      line = el("i.line", { hidden: true }),
      stack = el("div.stack", {}, canvas, cross, line),
      frame = el("div.frame", {}, stack),
      title = el("figcaption", {}, el("b", {}, text), el("small"));
    this.listen(canvas, frame);
    const box = el("figure", { data: { pane: name } }, frame, title);
    return { box, canvas, cross, line, stack, frame, title };
  }

  // A pointer moves the cross-hair and, drawn, what is zoomed; a finger that stays shows the truth, one that pushes to
  // a side the next image.
  listen(canvas, frame) {
    let from = null;
    const at = (event) => {
      const rect = canvas.getBoundingClientRect();
      return [
        clamp((event.clientX - rect.left) / rect.width),
        clamp((event.clientY - rect.top) / rect.height),
      ];
    };
    const end = (event) => {
      if (!from) return;
      clearTimeout(from.hold);
      const across = event.clientX - from.left,
        along = event.clientY - from.top;
      const far = Math.abs(across) > Math.max(SWIPED, 2 * Math.abs(along));
      if (from.held) this.peeked(false);
      else if (far && from.touch && this.zoom.times === 1)
        this.swiped(across < 0 ? 1 : -1);
      from = null;
    };
    canvas.addEventListener("pointermove", (event) => {
      if (from && this.zoom.times > 1) {
        const rect = frame.getBoundingClientRect(),
          { times } = this.zoom;
        this.zoom.x = clamp(
          from.x - (event.clientX - from.left) / rect.width / times,
        );
        this.zoom.y = clamp(
          from.y - (event.clientY - from.top) / rect.height / times,
        );
      }
      if (
        from &&
        Math.hypot(event.clientX - from.left, event.clientY - from.top) > 8
      )
        clearTimeout(from.hold);
      this.point(...at(event));
    });
    canvas.addEventListener("pointerdown", (event) => {
      const touch = event.pointerType === "touch",
        begun = {
          left: event.clientX,
          top: event.clientY,
          touch,
          ...this.zoom,
        };
      if (touch)
        begun.hold = setTimeout(() => {
          begun.held = true;
          this.peeked(true);
        }, HELD);
      from = begun;
      this.point(...at(event));
    });
    for (const name of ["pointerup", "pointerleave", "pointercancel"])
      canvas.addEventListener(name, end);
    canvas.addEventListener("dblclick", (event) =>
      this.near(
        this.zoom.times >= MOST_ZOOM ? 1 : this.zoom.times * 2,
        ...at(event),
      ),
    );
    canvas.addEventListener("contextmenu", (event) => {
      if (from?.touch) event.preventDefault(); // a held finger's
    });
  }

  // The classes, each a [color, name], of the images to come.
  offer(classes) {
    this.classes = classes;
    this.colors = classes.map(([color]) => rgb(color));
    const all = el(
      "button.act",
      {
        type: "button",
        on: {
          click: () => {
            this.hidden.clear();
            this.offer(classes);
            this.paint();
          },
        },
      },
      t("all classes"),
    );
    this.legend.replaceChildren(
      all,
      ...classes.map(([color, name], k) =>
        el(
          "button.chip",
          {
            type: "button",
            attrs: { "aria-pressed": String(!this.hidden.has(k)) },
            on: { click: () => this.toggle(k) },
          },
          el("i", { style: `background:${color}` }),
          name,
        ),
      ),
    );
  }

  toggle(k) {
    if (!this.hidden.delete(k)) this.hidden.add(k);
    this.legend.children[k + 1].setAttribute(
      "aria-pressed",
      String(!this.hidden.has(k)),
    );
    this.paint();
  }

  show(mode) {
    if (mode !== this.mode) this.changed(mode);
    this.mode = mode;
    this.paint();
  }

  // Shows an image: {width, height, photo (RGBA or null), truth, a, b} as bytes, its `name`, `titles` and `notes` of
  // both sides; `within(i)`, where there is one, says which pixels count; `totals`, the counts of all images.
  take(current) {
    this.current = current;
    this.paint();
  }

  peeked(on) {
    this.peek = on;
    this.paint();
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

  // Takes a key, and says whether it was one of its own.
  key(event) {
    const arrow = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    }[event.key];
    if (arrow && event.shiftKey) {
      const [x, y] = this.probe;
      this.point(clamp(x + 0.02 * arrow[0]), clamp(y + 0.02 * arrow[1]), true);
      return true;
    }
    const nth = Number(event.key);
    if (nth >= 1 && nth <= (this.classes?.length ?? 0)) this.toggle(nth - 1);
    else if (event.key === "d" || event.key === "D") this.show("who");
    else if (event.key === "t" || event.key === "T") this.peeked(!this.peek);
    else if (event.key === "+" || event.key === "=")
      this.near(this.zoom.times * 2);
    else if (event.key === "-") this.near(this.zoom.times / 2);
    else if (event.key === "0") this.near(1);
    else return false;
    return true;
  }

  // --- what is seen

  paint() {
    for (const button of this.buttons.children)
      button.setAttribute(
        "aria-pressed",
        String(button.dataset.mode === this.mode),
      );
    this.divider.hidden = this.mode !== "slider";
    if (!this.current) return;
    const { width, truth, a, b } = this.current;
    const label = (map) => (i) => {
      const k = this.peek ? truth[i] : map[i];
      return k === VOID || this.hidden.has(k) ? null : this.colors[k];
    };
    this.draw("photo", () => null);
    this.draw("truth", label(truth));
    this.draw("a", label(a));
    this.draw("b", label(b));
    const edge = Math.round(this.divide * width),
      first = label(a),
      second = label(b);
    if (this.peek) this.draw("view", label(truth));
    else if (this.mode === "slider")
      this.draw("view", (i) => (i % width < edge ? first(i) : second(i)));
    else this.draw("view", this.errors(), true, Math.max(this.strength, 0.35));
    const { line } = this.panes.view;
    line.hidden = this.mode !== "slider";
    line.style.left = `${(100 * edge) / width}%`;
    this.count(counted(truth, a, b));
    this.caption();
    this.arrow();
    this.say();
  }

  draw(name, color, gray = false, strength = this.strength) {
    const { canvas, frame } = this.panes[name],
      { width, height } = this.current;
    fill(canvas, this.current, color, gray, strength);
    frame.style.aspectRatio = `${width} / ${height}`;
  }

  // The colors of what is wrong: of both sides by kind, or of one of them in red.
  errors() {
    const { width, truth, a, b, within } = this.current,
      counts = (i) => truth[i] !== VOID && (!within || within(i));
    if (this.mode === "who")
      return (i) =>
        counts(i)
          ? colorOf(kindOf(truth[i], a[i], b[i]), i, width, this.lit)
          : null;
    const map = this.current[this.mode];
    return (i) => (counts(i) && map[i] !== truth[i] ? RED : null);
  }

  count(counts) {
    const sum = (numbers) => numbers.reduce((x, y) => x + y, 0) || 1,
      { totals } = this.current;
    const focused = this.numbers.contains(document.activeElement)
      ? document.activeElement.dataset.kind
      : null;
    const head = (text) => el("th.n", {}, text);
    const line = (text, kind) =>
      el(
        "tr",
        {},
        el("th", { attrs: { scope: "row" } }, this.named(text, kind)),
        el("td.n", {}, percent(counts[kind] / sum(counts))),
        totals && el("td.n", {}, percent(totals[kind] / sum(totals))),
      );
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
            head(t("this image")),
            totals && head(t("all images")),
          ),
        ),
        el("tbody", {}, this.kinds.map(line)),
      ),
      el("p.hint", {}, t("Press a kind to see it alone.")),
    );
    if (focused)
      this.numbers
        .querySelector(`[data-kind="${focused}"]`)
        .focus({ preventScroll: true });
  }

  named(text, kind) {
    if (kind === BOTH) return text;
    return el(
      "button.chip",
      {
        type: "button",
        data: { kind },
        attrs: { "aria-pressed": String(this.lit === kind) },
        on: { click: () => this.light(kind) },
      },
      el(`i.kind-${kind}`),
      text,
    );
  }

  light(kind) {
    this.lit = this.lit === kind ? null : kind;
    this.show("who");
  }

  caption() {
    const { name, titles, notes } = this.current;
    for (const side of ["a", "b"]) {
      const { title } = this.panes[side];
      title.firstChild.textContent = titles[side];
      title.lastChild.textContent = notes[side];
    }
    for (const each of NAMES)
      this.panes[each].canvas.setAttribute(
        "aria-label",
        this.panes[each].title.textContent,
      );
    const { title, canvas } = this.panes.view,
      text = this.modes[this.mode];
    title.firstChild.textContent = this.peek ? t("Ground truth") : text;
    canvas.setAttribute(
      "aria-label",
      `${text}, ${name}. ${this.numbers.textContent}`,
    );
  }

  // What the colors mean, with how many of this image's pixels are of each kind.
  get meaning() {
    const { width, truth, a, b } = this.current,
      counts = counted(truth, a, b),
      sum = counts.reduce((x, y) => x + y, 0) || 1;
    const kinds = this.kinds.map((text, kind) => ({
      color: colorOf(kind, 2, width, kind),
      text: `${text}  ${percent(counts[kind] / sum)}`,
    }));
    const classes = this.classes.map(([, text], k) => ({
      color: this.hidden.has(k) ? null : this.colors[k],
      text,
    }));
    return [...kinds, null, ...classes.filter(({ color }) => color)];
  }

  // The place that is looked at, as an address has it: the cross-hair, the zoom and the classes that are left out.
  get place() {
    const some = (numbers) => numbers.map((each) => +each.toFixed(4)).join(),
      { times, x, y } = this.zoom,
      { width, height } = this.current ?? {};
    const middle = ([x, y]) => [(x + 0.5) / width, (y + 0.5) / height];
    return {
      at: width ? some(middle(this.pixel)) : "",
      zoom: times === 1 ? "" : some([times, x, y]),
      without: [...this.hidden].join(),
    };
  }

  // Takes over a place; what it leaves out is as at first.
  follow({ at, zoom, without }) {
    const numbers = (text, least, most) => {
      const found = (text ?? "").split(",").map(Number);
      return found.every((each) => each >= least && each <= most) ? found : [];
    };
    const [x, y] = numbers(at, 0, 1),
      [times, ...middle] = numbers(zoom, 0, MOST_ZOOM);
    this.probe = y === undefined ? [0.5, 0.5] : [x, y];
    this.near(...(middle.length === 2 ? [times, ...middle] : [1]));
    this.hidden = new Set(without ? numbers(without, 0, VOID) : []);
    Object.assign(this, { mode: "who", lit: null, peek: false });
  }

  // What is seen of each pane: left, top, width and height as shares of it.
  get window() {
    const { times, x, y } = this.zoom,
      start = (centre) =>
        Math.max(0, Math.min(1 - 1 / times, centre - 0.5 / times));
    return [start(x), start(y), 1 / times, 1 / times];
  }

  arrow() {
    const { times } = this.zoom,
      [left, top] = this.window.map((share) => -100 * times * share);
    for (const { stack, cross } of Object.values(this.panes)) {
      stack.style.transform =
        times === 1 ? "" : `translate(${left}%, ${top}%) scale(${times})`;
      cross.style.left = `${100 * this.probe[0]}%`;
      cross.style.top = `${100 * this.probe[1]}%`;
      cross.style.transform = `scale(${1 / times})`;
    }
  }

  // The pixel at the cross-hair, of those of the image.
  get pixel() {
    const { width, height } = this.current;
    return [
      Math.min(width - 1, Math.floor(this.probe[0] * width)),
      Math.min(height - 1, Math.floor(this.probe[1] * height)),
    ];
  }

  // Says what is at the cross-hair.
  say() {
    if (!this.current) return;
    const { width, truth, a, b } = this.current,
      [x, y] = this.pixel,
      i = y * width + x;
    const name = (k, nothing = t("no class")) =>
      k === VOID ? nothing : (this.classes[k]?.[1] ?? "?");
    this.read.textContent = t(
      "Pixel ({x}, {y}): truth {truth} · {first} {a} · {second} {b}",
      {
        x,
        y,
        truth: name(truth[i], t("not labeled")),
        first: this.names.a,
        second: this.names.b,
        a: name(a[i]),
        b: name(b[i]),
      },
    );
    this.moved();
  }
}
