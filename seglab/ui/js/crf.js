// The laboratory of the CRF: one validation image before and after it with any setting, step by step, and both kernels at
// the cross-hair. One answer has all steps, so that going through them asks nothing.
import { firsts, held, put } from "./fields.js";
import { kernels, paint } from "./kernels.js";
import { counted, ONLY_A, ONLY_B } from "./kinds.js";
import { Panes } from "./panes.js";
import { labels, pixels, scaled } from "./pixels.js";
import { descent } from "./spread.js";
import { store } from "./store.js";
import { choice, el, fixed, lang, progress, steps, t } from "./text.js";

const ORDERS = () => ({
  harm: t("Most harmed"),
  mended: t("Most mended"),
  stored: t("As stored"),
});
const ROWS = 6; // of the settings that were tried, before all are asked for

let forms = 0,
  sent = 0; // by all of them together, so that each knows its own answers

export class Crf {
  // `lab` knows both sides (`known`), says whether this view is seen (`refines`), sends what is asked (`trigger`), and is
  // told what is looked at: of another image (`looked`), or besides (`noted`). Where it can, it has a side computed
  // (`compute`) and chooses both.
  constructor(lab) {
    this.lab = lab;
    Object.assign(this, { of: "a", n: null, order: "harm", setting: "" });
    Object.assign(this, { number: 0, step: null, found: null, about: null });
    this.build();
  }

  build() {
    this.panes = new Panes({
      names: { a: t("before"), b: t("after") },
      modes: {
        who: t("Mended and harmed"),
        slider: t("Before | after"),
        a: t("Errors before"),
        b: t("Errors after"),
      },
      kinds: [
        t("right before and after"),
        t("harmed by the CRF"),
        t("mended by the CRF"),
        t("wrong, left as it was"),
        t("wrong, changed to another"),
      ],
      changed: (mode) => this.lab.noted({ show: mode === "who" ? "" : mode }),
      swiped: (by) => this.go(by),
      moved: () => this.kernel(),
    });
    this.ofBox = choice(t("Run"), (of) => {
      this.of = of;
      this.lab.noted({ of: of === "a" ? "" : of });
      this.look();
    });
    this.orderBox = choice(t("Order"), (order) => {
      this.order = order;
      this.offer();
    });
    this.imageBox = choice(t("Image"), (n) => this.pick(Number(n)));
    this.bar = el(
      "div.chart-bar",
      {},
      this.ofBox,
      this.orderBox,
      steps((by) => this.go(by), this.imageBox),
    );
    this.slider = el("input", {
      type: "range",
      min: 0,
      step: 1,
      attrs: { "aria-label": t("Mean-field step") },
      on: { input: () => this.at(Number(this.slider.value)) },
    });
    this.told = el("output");
    this.line = el("span.descent-of");
    this.steps = el(
      "div.epochs.mean-field",
      {},
      el("span", {}, t("Mean-field step")),
      this.slider,
      this.told,
      this.line,
    );
    this.error = el("div");
    this.numbers = el("p.crf-numbers", { attrs: { role: "status" } });
    this.reach = el("p.hint.crf-reach");
    this.controls = el("div");
    this.apply = el("div.crf-apply");
    this.search = el("section.crf-search");
    this.stage = el(
      "div",
      {},
      this.bar,
      this.error,
      this.steps,
      this.numbers,
      this.panes.root,
      this.reach,
      this.panes.legend,
    );
    this.root = el(
      "div.crf-view",
      { on: { keydown: (event) => this.key(event) } },
      el("div.crf-side", {}, this.controls, this.apply, this.search),
      this.stage,
    );
  }

  async load() {
    if (this.loading) return;
    this.loading = true;
    const holder = el("div");
    try {
      const answer = await fetch(`seglab/lab/crf?lang=${lang}`);
      if (!answer.ok) return; // the next look asks again
      holder.innerHTML = await answer.text(); // the server's own
    } catch {
      return;
    } finally {
      this.loading = false;
    }
    this.form = holder.firstElementChild;
    this.controls.append(this.form);
    const nth = ++forms; // on one page with others, each field's own label has to find it
    for (const label of this.form.querySelectorAll("label[for]")) {
      const field = this.form.querySelector(`[id="${label.htmlFor}"]`);
      label.htmlFor = field.id = `${field.id}-${nth}`;
    }
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("click", (event) => {
      const preset = event.target.closest("[data-values]");
      if (preset) this.use(JSON.parse(preset.dataset.values));
    });
    this.form.addEventListener("input", () => this.kernel());
    this.form.addEventListener("change", () => this.use(this.values));
    this.look();
  }

  // Takes over what the address says, also by leaving it out; the setting once the server has read it (`linked`).
  follow({ of, image, crf = "", show, ...place }) {
    this.panes.follow(place);
    this.panes.mode = show in this.panes.modes ? show : "who";
    this.of = of === "b" ? "b" : "a";
    this.n = /^\d+$/.test(image ?? "") ? Number(image) : null;
    Object.assign(this, { setting: crf, linked: true, state: "", ended: true });
    this.forget();
    if (this.lab.refines) this.look();
  }

  // Fills in a setting, the usual values where it has none.
  use(values) {
    put(this.form, { ...firsts(this.form), ...values });
    Object.assign(this, { refused: "", linked: false });
    this.ask();
  }

  get values() {
    return Object.fromEntries(
      [...this.form.querySelectorAll(".field")].map((field) => [
        field.dataset.option,
        held(field),
      ]),
    );
  }

  // The first run of a side.
  runOf(side) {
    const { known } = this.lab;
    return (known[side] ?? known.sides[0]?.run ?? "").split("|")[0];
  }

  // --- what is known of the run

  async look() {
    if (!this.form) {
      this.load();
      return;
    }
    const sides = ["a", "b"].map((side) => this.runOf(side));
    if (!sides[0]) return; // not known yet
    if (sides[0] === sides[1]) this.of = "a";
    this.ofBox.hidden = sides[0] === sides[1];
    this.ofBox.lastChild.replaceChildren(
      ...["a", "b"].map((value, k) =>
        el(
          "option",
          { value, selected: value === this.of },
          `${value.toUpperCase()}  ${store.rows.get(sides[k])?.name ?? sides[k]}`,
        ),
      ),
    );
    const run = this.runOf(this.of),
      state = JSON.stringify([run, store.rows.get(run)?.best]);
    if (state !== this.state) {
      this.state = state;
      await this.read();
    }
    if (state === this.state && this.about && !this.linked) this.ask();
  }

  async read() {
    const reading = (this.reading = {}),
      query = new URLSearchParams({ run: this.runOf(this.of), lang });
    query.set("crf", this.setting);
    let found;
    try {
      const answer = await fetch(`seglab/lab/crf/run?${query}`);
      found = await answer.json();
    } catch {
      if (reading === this.reading) this.state = "";
      return;
    }
    if (reading !== this.reading) return;
    this.refused = found.refused; // of what the address has
    this.complain(found.error);
    this.about = found.error ? null : found;
    this.stage.classList.toggle("empty", !this.about);
    if (!this.about) return;
    if (this.linked) {
      this.setting = found.text;
      put(this.form, { ...firsts(this.form), ...found.values });
      this.linked = false;
    }
    this.panes.offer(found.classes);
    this.offer(this.n === null);
    this.say();
  }

  complain(text) {
    this.error.replaceChildren(
      ...[this.refused, text]
        .filter(Boolean)
        .map((each) =>
          el("p.message.wrong", { attrs: { role: "alert" } }, each),
        ),
    );
  }

  // What is looked at, as an address has it.
  get spot() {
    const { mode, place } = this.panes,
      show = mode === "who" ? "" : mode;
    return { ...place, image: this.n, show };
  }

  // Lets go of everything, since it is not seen again.
  close() {
    Object.assign(this, { found: null, photo: null, about: null });
    this.panes.current = null;
    this.forget();
    this.root.remove();
  }

  // The images in their order.
  get places() {
    const { images, done } = this.about,
      stored = images.map((_, n) => n),
      kind = { harm: ONLY_A, mended: ONLY_B }[this.order];
    return done && kind
      ? stored.sort((a, b) => done.counts[b][kind] - done.counts[a][kind])
      : stored;
  }

  offer(first = false) {
    const { images, done } = this.about,
      places = this.places;
    this.orderBox.hidden = !done;
    this.orderBox.lastChild.replaceChildren(
      ...Object.entries(ORDERS()).map(([value, text]) =>
        el("option", { value, selected: value === this.order }, text),
      ),
    );
    if (first) this.n = places[0];
    this.n = Math.min(this.n, images.length - 1); // an address may have any
    this.imageBox.lastChild.replaceChildren(
      ...places.map((n) => {
        const values = { name: images[n] };
        if (done) {
          values.harmed = done.counts[n][ONLY_A];
          values.mended = done.counts[n][ONLY_B];
        }
        const text = done
          ? t("{name}: {harmed} harmed, {mended} mended", values)
          : images[n];
        return el("option", { value: n, selected: n === this.n }, text);
      }),
    );
  }

  pick(n) {
    this.n = n;
    this.lab.looked({ image: n });
    this.imageBox.lastChild.value = n;
    this.ask();
  }

  go(by) {
    if (!this.about) return;
    const places = this.places,
      at = places.indexOf(this.n);
    this.pick(places[(at + by + places.length) % places.length]);
  }

  // --- an image and a setting

  // Asks for the image's steps, unless they are there.
  ask() {
    if (!this.about || !this.form.reportValidity()) return;
    const wanted = {
      run: this.about.run,
      image: this.n,
      options: { predictors: { crf: this.values } },
    };
    const asked = JSON.stringify([wanted, this.state]);
    if (asked === this.asked) return;
    this.asked = asked;
    this.number = ++sent;
    this.stage.classList.add("working");
    this.say();
    this.lab.trigger("change", { number: this.number, ...wanted });
  }

  // What was asked last is waited for no more, and may be asked again.
  forget() {
    this.asked = "";
    this.number = ++sent;
    this.stage.classList.remove("working");
  }

  async hear(answer) {
    if (answer.kind === "refined") await this.take(answer);
    else if (answer.kind === "searching") {
      this.searching = answer.share;
      this.say();
    } else if (answer.kind === "searched" && this.searching !== undefined) {
      this.searching = undefined; // the end is told twice
      await this.read();
      if (answer.error) this.complain(answer.error);
    } else if (answer.failed) this.forget();
  }

  async take(answer) {
    if (answer.number !== this.number) return; // something else was asked since
    this.complain(answer.error);
    if (answer.error) {
      this.forget();
      return;
    }
    const [height, width] = answer.size;
    const [{ data }, photo] = await Promise.all([
      labels(answer.maps),
      this.photoOf(answer.image),
    ]);
    if (answer.number !== this.number) return;
    const part = (k) =>
      data.subarray(k * width * height, (k + 1) * width * height);
    const last = answer.miou.length - 1;
    this.found = {
      ...answer,
      width,
      height,
      photo: photo && scaled(photo, width, height),
      truth: part(0),
      maps: answer.miou.map((_, k) => part(k + 1)),
    };
    this.setting = answer.text;
    this.lab.noted({ crf: answer.text });
    this.slider.max = last;
    if (this.step === null || this.step > last || this.ended) this.step = last;
    this.at(this.step);
    this.stage.classList.remove("working");
    this.say();
  }

  // An image's photograph, kept until another one is asked for; nothing where it is not here.
  async photoOf(n) {
    const { photos, version } = this.about,
      url = `${photos}${n}.webp?v=${version}`;
    if (this.photo?.url !== url)
      this.photo = { url, pixels: pixels(url).catch(() => null) };
    return this.photo.pixels;
  }

  // Shows a step; the last one stays chosen when there are more or fewer of them.
  at(k) {
    const { found } = this,
      last = found.maps.length - 1;
    this.step = k;
    this.ended = k === last;
    this.slider.value = k;
    this.told.textContent = t("{step} of {count}, divergence {value}", {
      step: k,
      count: last,
      value: fixed(found.divergence[k]),
    });
    this.line.replaceChildren(
      descent(
        found.divergence,
        k,
        t("KL divergence by step, in nats per pixel, but for a constant"),
      ),
    );
    const note = (miou) =>
      t("mIoU of this image {miou}", { miou: fixed(miou) });
    const { done, images } = this.about,
      of = done?.name === found.name && this.ended ? done.counts : null;
    this.panes.take({
      ...found,
      a: found.maps[0],
      b: found.maps[k],
      name: images[found.image],
      titles: {
        a: t("Before the CRF"),
        b: this.ended
          ? t("After the CRF")
          : t("After step {step}", { step: k }),
      },
      notes: { a: note(found.miou[0]), b: note(found.miou[k]) },
      totals: of?.reduce((sums, each) => sums.map((sum, i) => sum + each[i])),
    });
    const counts = counted(found.truth, found.maps[0], found.maps[k]);
    this.numbers.textContent = t(
      "mIoU of this image {before} → {after} · {mended} pixels mended, {harmed} harmed",
      {
        before: fixed(found.miou[0]),
        after: fixed(found.miou[k]),
        mended: counts[ONLY_B],
        harmed: counts[ONLY_A],
      },
    );
  }

  key(event) {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("input, select, textarea") || !this.found) return;
    if (!this.stage.contains(target)) return;
    const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!this.panes.key(event)) {
      if (!across) return;
      this.go(across);
    }
    event.preventDefault();
  }

  // Draws both kernels at the cross-hair, of the setting as it stands in the fields.
  kernel() {
    if (!this.found || !this.form) return;
    const { values, found, panes } = this,
      { pixel } = panes;
    const seen = kernels(found, pixel, values);
    paint(panes.panes.photo.canvas, found, seen);
    this.reach.replaceChildren(
      el("i.kernel.appearance"),
      t("Appearance kernel: as much as {count} pixels.", {
        count: seen.sums.appearance.toFixed(1),
      }),
      " ",
      el("i.kernel.smoothness"),
      t("Smoothness kernel: as much as {count}.", {
        count: seen.sums.smoothness.toFixed(1),
      }),
      " ",
      t("Seen from pixel ({x}, {y}); the cross-hair moves it.", {
        x: pixel[0],
        y: pixel[1],
      }),
    );
  }

  // --- all images, and the search for a setting

  // What is seen, where it is of the run that is chosen.
  get here() {
    return this.found?.run === this.about?.run ? this.found : null;
  }

  // Says what can be done with the setting.
  say() {
    if (!this.form) return;
    const values = JSON.stringify(this.values);
    for (const each of this.form.querySelectorAll("[data-values]")) {
      const preset = {
          ...firsts(this.form),
          ...JSON.parse(each.dataset.values),
        },
        numbers = Object.entries(preset).map(([name, x]) => [name, Number(x)]),
        on = values === JSON.stringify(Object.fromEntries(numbers));
      each.setAttribute("aria-pressed", String(on));
      const source = this.form.querySelector(
        `[data-of="${each.dataset.source}"]`,
      );
      if (source) source.hidden = !on;
    }
    if (!this.about || !this.lab.compute) return;
    this.offerAll();
    this.offerSearch();
  }

  offerAll() {
    const { done, images } = this.about,
      there = done && done.name === this.here?.name,
      { computing } = this.lab;
    const hint = !done
      ? t(
          "Once this is done, images can be ordered by how much the CRF harms them.",
        )
      : t("The images are in the order of what {setting} does to them.", {
          setting: done.name,
        });
    this.apply.replaceChildren(
      computing && computing === this.here?.side
        ? progress(
            "computing",
            t("Labeling all validation images"),
            this.lab.reached,
          )
        : el(
            "button.act.primary",
            {
              type: "button",
              disabled: !this.here || Boolean(computing),
              on: { click: () => this.applied() },
            },
            there
              ? t("Compare before and after on all {count} images", {
                  count: images.length,
                })
              : t("Apply to all {count} images", {
                  count: images.length,
                }),
          ),
      el("p.hint", {}, hint),
    );
  }

  // Labels all images; then, if that is still what is looked at, the run before the CRF is A, and after it B.
  applied() {
    const { run, side } = this.here;
    this.lab.compute(side, async () => {
      await this.read();
      if (this.here) this.at(this.step);
      if (this.lab.refines && this.here?.side === side)
        this.lab.choose({ a: run, b: side });
      else this.lab.read();
    });
  }

  offerSearch() {
    const { tries, tried, best } = this.about;
    const parts = [el("h3", {}, t("Search for a setting"))];
    if (this.searching !== undefined)
      parts.push(
        progress("searching", t("Search for a setting"), this.searching),
      );
    else if (!tried.length)
      parts.push(
        el(
          "button.act",
          { type: "button", on: { click: () => this.seek() } },
          tries.begun
            ? t("Go on trying {count} settings", { count: tries.settings })
            : t("Try {count} settings", { count: tries.settings }),
        ),
      );
    else
      parts.push(
        el(
          "button.act",
          { type: "button", on: { click: () => this.use(best.values) } },
          t("Use the best of {count} on search", { count: tries.settings }),
        ),
        this.table(tried),
      );
    parts.push(
      el(
        "p.hint",
        {},
        t(
          "The {count} search images choose; the validation images, which report, are not looked at. Once for everybody.",
          { count: tries.images },
        ),
      ),
    );
    this.search.replaceChildren(...parts);
  }

  seek() {
    this.searching = null; // it waits for others
    this.say();
    this.lab.trigger("submit", { run: this.about.run });
  }

  table(tried) {
    const row = ({ short, values, usual, search, val }, k) =>
      el(
        "tr",
        { hidden: k >= ROWS && !usual && values && !this.every },
        el(
          "th",
          { attrs: { scope: "row" } },
          values
            ? el(
                "button.link",
                { type: "button", on: { click: () => this.use(values) } },
                usual ? t("as usual") : short,
              )
            : t("without the CRF"),
        ),
        el("td.n", {}, fixed(search)),
        el("td.n", {}, fixed(val)),
      );
    const all = el(
      "button.link",
      {
        type: "button",
        on: {
          click: () => {
            this.every = !this.every;
            this.say();
          },
        },
      },
      this.every ? t("fewer") : t("all {count}", { count: tried.length }),
    );
    return el(
      "div",
      {},
      el(
        "table.values",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", {}, t("Setting, and its mIoU")),
            el("th.n", {}, t("search")),
            el("th.n", {}, t("validation set")),
          ),
        ),
        el("tbody", {}, tried.map(row)),
      ),
      all,
    );
  }
}
