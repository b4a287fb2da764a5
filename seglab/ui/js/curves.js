// The curves of runs, drawn from points: one cross-hair over all charts, the values under it in the legend.
import { address } from "./address.js";
import { columns, EVALS, smoothed, STEPS, valueAt } from "./points.js";
import { follow } from "./slots.js";
import { store, stroke, swatch } from "./store.js";
import { el, t } from "./text.js";

const METRICS = ["val_miou", "train_miou", "val_loss", "train_loss", "lr"];
const UNFAIR = 1.1; // times as many images, from which on it is told
const HEIGHT = 210;

const titles = () => ({
  val_miou: t("Validation mIoU"),
  train_miou: t("Training mIoU"),
  val_loss: t("Validation loss"),
  train_loss: t("Training loss"),
  lr: t("Learning rate"),
});
const axes = () => ({
  epoch: t("epoch"),
  step: t("step"),
  seconds: t("seconds"),
});

const MOST_DOTS = 60; // of a line; more would hide it
const sparse = (plot, n) =>
  plot.data[n].filter((value) => value != null).length <= MOST_DOTS;

// Those of the runs that are shown on the page.
export function curves(element) {
  const shown = {
    get rows() {
      return store.rowsShown;
    },
    points: (run) => store.points.get(run),
    parts: true,
  };
  const made = new Curves(shown);
  element.append(made.root);
  for (const event of ["rows", "points", "shown"])
    store.addEventListener(event, () => made.soon());
  follow("curves", ["train", "compare"], made.root, () => made.soon());
  made.soon();
}

let count = 0;

export class Curves {
  // `of` has the `rows` whose curves are drawn, each a run with its name and stroke, and the `points` of each; where it
  // has those of several seeds, a band is as wide as they are. `parts`: whether there are a run's single steps, files to
  // take away, and masks of the epochs that are pressed.
  constructor(of, { metrics = METRICS, axis = "epoch" } = {}) {
    Object.assign(this, { of, metrics, axis, key: `seglab-${++count}` });
    this.hidden = new Set();
    this.charts = new Map();
    this.lossesToo = false;
    this.build();
    this.themed = new MutationObserver(() => {
      this.forget();
      this.soon();
    });
    this.themed.observe(document.body, { attributeFilter: ["class"] });
  }

  // Lets go of everything, since it is not seen again.
  close() {
    this.forget();
    this.themed.disconnect();
    this.sizes.disconnect();
  }

  build() {
    const { parts } = this.of;
    this.notes = el("div");
    this.hint = el(
      "p.hint",
      {},
      t("The curves appear with the first training steps."),
    );
    this.grid = el("div.charts");
    this.axisButtons = el(
      "span.switch",
      { attrs: { role: "group", "aria-label": t("Horizontal axis") } },
      Object.entries(axes()).map(([name, text]) =>
        el(
          "button",
          {
            type: "button",
            data: { axis: name },
            attrs: { "aria-pressed": String(name === this.axis) },
            on: {
              click: () => {
                this.axis = name;
                this.forget();
                this.soon();
              },
            },
          },
          text,
        ),
      ),
    );
    this.smooth = el("input", {
      type: "range",
      min: 0,
      max: 0.95,
      step: 0.05,
      value: 0,
      on: { input: () => this.soon() },
    });
    this.log = el("input", {
      type: "checkbox",
      on: {
        change: () => {
          this.forget();
          this.soon();
        },
      },
    });
    this.csv = el("a.act", { attrs: { download: "" } }, "CSV");
    this.png = el("a.act", { attrs: { download: "" } }, "PNG");
    const copy = el(
      "button.act",
      { type: "button", on: { click: (event) => address.copy(event.target) } },
      t("Copy link"),
    );
    this.bar = el(
      "div.chart-bar",
      {},
      this.axisButtons,
      parts &&
        el(
          "label",
          {
            title: t(
              "Of the loss of single steps: an exponential mean over the steps before",
            ),
          },
          t("Smoothing"),
          this.smooth,
        ),
      el("label", {}, this.log, t("Logarithmic loss and rate")),
      parts && el("span.end", {}, this.csv, this.png, copy),
    );
    this.legend = el("table.values");
    this.root = el(
      "section.curves",
      { hidden: true, attrs: { "aria-label": t("Curves") } },
      parts && el("h2", {}, t("Curves")),
      this.notes,
      this.hint,
      this.bar,
      el(
        "div.scroll",
        {
          attrs: {
            tabindex: 0,
            role: "group",
            "aria-label": t("Values of the curves"),
          },
        },
        this.legend,
      ),
      this.grid,
    );
    this.sizes = new ResizeObserver((entries) => {
      for (const entry of entries) {
        const chart = [...this.charts.values()].find(
          (each) => each.figure === entry.target,
        );
        const width = Math.floor(entry.contentRect.width);
        if (chart?.plot && width && chart.plot.width !== width)
          chart.plot.setSize({ width, height: HEIGHT });
        if (!chart) this.soon(); // it is seen for the first time, or again
      }
    });
    this.sizes.observe(this.root);
  }

  soon() {
    if (this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = null;
      this.draw();
    });
  }

  forget() {
    for (const chart of this.charts.values()) chart.plot?.destroy();
    this.charts.clear();
    this.grid.replaceChildren();
  }

  async draw() {
    const rows = this.of.rows.filter((row) => !row.origin); // others have no curves
    this.root.hidden = !rows.length;
    if (!rows.length || !this.root.offsetParent) return;
    const some = rows.some(
      (row) =>
        this.of.points(row.run)?.steps.length ||
        this.of.points(row.run)?.evals.length,
    );
    this.hint.hidden = some;
    this.bar.hidden = this.legend.hidden = this.grid.hidden = !some;
    this.tell(rows);
    if (!some) return;
    if (!this.uPlot) {
      if (this.loading) return;
      this.loading = true;
      const sheet = el("link", {
        rel: "stylesheet",
        href: new URL("vendor/uplot/uPlot.min.css", import.meta.url).href,
      });
      document.head.append(sheet);
      this.uPlot = (await import("./vendor/uplot/uPlot.esm.js")).default;
      this.soon();
      return;
    }
    const query = new URLSearchParams(rows.map((row) => ["run", row.run]));
    this.csv.href = `seglab/curves.csv?${query}`;
    this.png.href = `seglab/curves.png?${query}`;
    for (const button of this.axisButtons.children)
      button.setAttribute(
        "aria-pressed",
        String(button.dataset.axis === this.axis),
      );
    this.rows = rows;
    for (const metric of this.metrics) this.chart(metric, rows);
    this.values();
  }

  // What a reader has to know before comparing these curves.
  tell(rows) {
    const notes = [];
    const begun = rows.filter((row) => row.images);
    this.differ = new Set(rows.map((row) => row.loss)).size > 1;
    if (new Set(rows.map((row) => row.set)).size > 1)
      notes.push(
        t(
          "These runs were trained on different data: their curves cannot be compared.",
        ),
      );
    if (begun.length > 1) {
      const most = begun.reduce((a, b) => (a.images >= b.images ? a : b)),
        least = begun.reduce((a, b) => (a.images <= b.images ? a : b));
      if (
        most.images > UNFAIR * least.images &&
        ((most.over && least.over) || most.budget || least.budget)
      ) {
        notes.push(
          t(
            "Not the same amount of training: {most} has seen {times} times as many images as {least} ({a} and {b}).",
            {
              most: most.name,
              least: least.name,
              times: (most.images / least.images).toFixed(1),
              a: most.images.toLocaleString("en"),
              b: least.images.toLocaleString("en"),
            },
          ),
        );
      }
    }
    const lines = notes.map((text) => el("p.message.note", {}, text));
    if (this.differ) {
      lines.push(
        el(
          "p.message.note",
          {},
          t(
            "These runs minimize different losses, whose values cannot be compared; mIoU can.",
          ),
          " ",
          el(
            "button.link",
            {
              type: "button",
              on: {
                click: () => {
                  this.lossesToo = !this.lossesToo;
                  this.soon();
                },
              },
            },
            this.lossesToo
              ? t("Hide the loss charts")
              : t("Show the loss charts all the same"),
          ),
        ),
      );
    }
    const said = lines.map((line) => line.textContent).join("\n");
    if (said !== this.said) {
      this.said = said;
      this.notes.replaceChildren(...lines);
    }
  }

  chart(metric, rows) {
    const left = metric.endsWith("loss") && this.differ && !this.lossesToo;
    let chart = this.charts.get(metric);
    const layout = JSON.stringify([
      rows.map((row) => [row.run, row.stroke]),
      this.axis,
      this.log.checked,
    ]);
    if (chart && (left || chart.layout !== layout)) {
      chart.plot.destroy();
      chart.figure.remove();
      this.sizes.unobserve(chart.figure);
      this.charts.delete(metric);
      chart = null;
    }
    if (left) return;
    const tables = this.tables(metric, rows);
    const data = this.uPlot.join(tables.map((each) => each.table));
    if (chart) {
      chart.plot.setData(data, !chart.zoomed);
      this.shade(chart);
      return;
    }
    const figure = el("div.plot");
    const box = el(
      "figure",
      { attrs: { "aria-label": titles()[metric] } },
      el("figcaption", {}, titles()[metric]),
      figure,
    );
    const next = this.metrics
      .slice(this.metrics.indexOf(metric) + 1)
      .map((each) => this.charts.get(each)?.box)
      .find(Boolean);
    this.grid.insertBefore(box, next ?? null);
    chart = {
      metric,
      layout,
      figure: box,
      box,
      zoomed: false,
      owners: tables.map((each) => each.run),
    };
    const style = getComputedStyle(document.body);
    const ink = style.getPropertyValue("--ink-soft").trim(),
      rule = style.getPropertyValue("--rule").trim();
    const font = `11px ${style.fontFamily}`;
    const axis = {
      stroke: ink,
      font,
      ticks: { stroke: rule, size: 4 },
      grid: { stroke: rule, width: 1 },
    };
    const logarithmic =
      this.log.checked && (metric.endsWith("loss") || metric === "lr");
    const whole = this.axis !== "seconds";
    chart.plot = new this.uPlot(
      {
        width: Math.max(200, Math.floor(box.clientWidth - 16)),
        height: HEIGHT,
        legend: { show: false },
        cursor: {
          sync: { key: this.key, setSeries: false },
          drag: { x: true, y: false },
          points: { size: 6 },
          focus: { prox: 24 },
        },
        focus: { alpha: 0.25 },
        scales: {
          x: {
            time: false,
            range: (plot, low, high) =>
              chart?.zoomed
                ? [low, high]
                : [0, Math.max(high ?? 1, whole ? 1e-9 : 1)],
          },
          y: logarithmic
            ? { distr: 3 }
            : { range: (plot, low, high) => extent(metric, low, high) },
        },
        axes: [
          { ...axis, size: 28 },
          {
            ...axis,
            size: 52,
            values: (plot, ticks) =>
              ticks.map((tick) =>
                tick === null ? "" : +tick.toPrecision(4) + "",
              ),
          },
        ],
        series: [{}, ...tables.map((each) => this.series(each))],
        bands: tables.flatMap(({ edge, row }, n) =>
          edge && tables[n + 1].edge
            ? [{ series: [n + 1, n + 2], fill: `${stroke(row).color}2b` }]
            : [],
        ),
        hooks: {
          setCursor: [
            (plot) => {
              if (
                !plot.cursor.event &&
                plot.cursor.left < 0 &&
                this.at === null
              )
                return;
              this.at =
                plot.cursor.left >= 0
                  ? plot.posToVal(plot.cursor.left, "x")
                  : null;
              this.values();
            },
          ],
          setSelect: [
            () => {
              chart.zoomed = true;
            },
          ],
          ready: [
            (plot) => {
              plot.over.addEventListener("dblclick", () => {
                for (const each of this.charts.values()) each.zoomed = false;
                this.soon();
              });
              this.pressed(plot);
            },
          ],
        },
      },
      data,
      figure,
    );
    this.charts.set(metric, chart);
    this.sizes.observe(box);
    this.shade(chart);
  }

  // Where a chart of epochs is pressed, masks are shown as they were then.
  pressed(plot) {
    if (this.axis !== "epoch" || !this.of.parts) return;
    let from = 0;
    plot.over.title = t("Press to see the masks of that epoch");
    plot.over.addEventListener("pointerdown", ({ clientX }) => {
      from = clientX;
    });
    plot.over.addEventListener("click", ({ clientX }) => {
      if (Math.abs(clientX - from) > 3) return; // drawn, to zoom
      const epoch = plot.posToVal(plot.cursor.left, "x");
      document.dispatchEvent(
        new CustomEvent("seglab-epoch", { detail: epoch }),
      );
    });
  }

  // For each run its evaluations; behind the training loss its single steps.
  tables(metric, rows) {
    const found = [];
    for (const row of rows) {
      const {
          steps = [],
          evals = [],
          low,
          high,
        } = this.of.points(row.run) ?? {},
        x = EVALS[this.axis];
      if (metric === "train_loss" && steps.length)
        found.push({
          run: row.run,
          row,
          thin: true,
          table: columns(
            smoothed(steps, Number(this.smooth.value)),
            x,
            STEPS.loss,
          ),
        });
      if (metric === "lr")
        found.push({
          run: row.run,
          row,
          stepped: true,
          table: columns(steps, x, STEPS.lr),
        });
      else {
        for (const edge of low ? [high, low] : [])
          found.push({
            run: row.run,
            row,
            edge: true,
            table: columns(edge, x, EVALS[metric]),
          });
        found.push({
          run: row.run,
          row,
          table: columns(evals, x, EVALS[metric]),
        });
      }
    }
    return found;
  }

  series({ row, thin, stepped, edge }) {
    const { color, dash } = stroke(row);
    if (edge)
      return { label: row.name, stroke: "#0000", points: { show: false } };
    return {
      label: row.name,
      stroke: thin ? color + "66" : color,
      width: thin ? 1 : 2,
      dash: thin ? [] : dash,
      points: {
        show: !thin && !stepped && sparse,
        size: 5,
        fill: color,
        stroke: color,
      },
      paths: stepped ? this.uPlot.paths.stepped({ align: -1 }) : undefined,
    };
  }

  // Shows and hides the lines of runs as the legend says.
  shade(chart) {
    for (const [n, run] of chart.owners.entries()) {
      const show = !this.hidden.has(run);
      if (chart.plot.series[n + 1].show !== show)
        chart.plot.setSeries(n + 1, { show });
    }
    const last = this.rows.map(
      (row) =>
        `${row.name}: ${number(valueAt(this.of.points(row.run), chart.metric, this.axis, null), chart.metric)}`,
    );
    chart.figure.setAttribute(
      "aria-label",
      `${titles()[chart.metric]}. ${last.join(", ")}`,
    );
  }

  focus(run) {
    for (const chart of this.charts.values()) {
      const place = run === null ? null : chart.owners.lastIndexOf(run) + 1;
      chart.plot.setSeries(place, { focus: run !== null });
    }
  }

  // The legend: what each curve has under the cross-hair, or at its end.
  values() {
    const at = this.at ?? null;
    const names = titles(),
      metrics = this.metrics.filter((metric) => this.charts.has(metric));
    const key = JSON.stringify([
      this.rows.map((row) => [row.run, row.name, row.stroke]),
      metrics,
    ]);
    if (this.legend.dataset.key !== key) {
      this.legend.dataset.key = key;
      this.caption = el("caption");
      const head = el(
        "tr",
        {},
        el(
          "th",
          { attrs: { scope: "col" } },
          this.of.parts ? t("Run") : t("Setting"),
        ),
        metrics.map((metric) =>
          el("th.n", { attrs: { scope: "col" } }, names[metric]),
        ),
      );
      this.cells = this.rows.map(() => metrics.map(() => el("td.n")));
      const lines = this.rows.map((row, n) => {
        const button = el(
          "button.chip",
          {
            type: "button",
            title: t("Hide or show this line"),
            on: {
              click: () => {
                this.hidden.has(row.run)
                  ? this.hidden.delete(row.run)
                  : this.hidden.add(row.run);
                button.setAttribute(
                  "aria-pressed",
                  String(!this.hidden.has(row.run)),
                );
                for (const chart of this.charts.values()) this.shade(chart);
              },
              mouseenter: () => this.focus(row.run),
              mouseleave: () => this.focus(null),
            },
            attrs: { "aria-pressed": String(!this.hidden.has(row.run)) },
          },
          el("i", { style: `background:${swatch(row)}` }),
          row.name,
        );
        return el(
          "tr",
          {},
          el("th", { attrs: { scope: "row" } }, button),
          this.cells[n],
        );
      });
      this.legend.replaceChildren(
        this.caption,
        el("thead", {}, head),
        el("tbody", {}, lines),
      );
    }
    this.caption.textContent =
      at === null
        ? t("Last values")
        : `${axes()[this.axis]} ${+at.toPrecision(3)}`;
    for (const [n, row] of this.rows.entries()) {
      for (const [m, metric] of metrics.entries()) {
        this.cells[n][m].textContent = number(
          valueAt(this.of.points(row.run), metric, this.axis, at),
          metric,
        );
      }
    }
  }
}

const number = (value, metric) =>
  value === null || value === undefined
    ? "–"
    : metric.endsWith("miou")
      ? value.toFixed(3)
      : String(+value.toPrecision(3));

// From zero, so that heights can be compared; a little room above.
function extent(metric, low, high) {
  if (low === null || high === null) return [0, 1];
  return [Math.min(0, low), high > 0 ? high * 1.05 : 1];
}
