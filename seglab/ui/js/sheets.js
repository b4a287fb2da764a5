// A teacher's reader: the sheets of a class, dropped or picked, read in this browser and counted by question. Nothing of
// them leaves it; what is right comes from the server's evidence.
import {
  csv,
  MOST_BYTES,
  notes,
  parsed,
  right,
  summed,
  SURENESS,
} from "./handed.js";
import { known, SURE } from "./lesson.js";
import { save } from "./sheet.js";
import { el, inline, t } from "./text.js";

export class Sheets {
  constructor() {
    this.handedIn = new Map(); // {file, sheet} lists by lesson
    this.lessons = new Map(); // what the server knows of each, as promises
    this.problems = [];
    this.build();
  }

  build() {
    this.input = el("input.unseen", {
      type: "file",
      multiple: true,
      accept: ".html,.htm,text/html",
      on: {
        change: async ({ target }) => {
          const files = [...target.files];
          target.value = ""; // the same ones can be picked again
          await this.read(files);
        },
      },
    });
    const drop = el(
      "label.drop",
      {
        on: {
          dragover: (event) => this.over(event, drop, true),
          dragleave: (event) => this.over(event, drop, false),
          drop: (event) => {
            this.over(event, drop, false);
            this.read([...event.dataTransfer.files]);
          },
        },
      },
      el("b", {}, t("Drop the sheets of your class here")),
      el("span.act", {}, t("Pick files")),
      this.input,
    );
    this.told = el("div", { attrs: { role: "status" } });
    this.classes = el("div.classes");
    this.root = el(
      "section.sheets",
      {},
      el("a", { href: "#learn" }, t("All lessons")),
      el("h2", {}, t("Read sheets")),
      el(
        "p.hint",
        {},
        t(
          "Your browser alone reads them: nothing is uploaded. What is right is not taken from the sheets but from the runs that are here.",
        ),
      ),
      drop,
      this.told,
      this.classes,
    );
  }

  over(event, drop, on) {
    event.preventDefault();
    drop.dataset.over = on;
  }

  async read(files) {
    const problem = (file, text) => this.problems.push(`${file}: ${text}`);
    for (const file of files) {
      const { name } = file;
      if (file.size > MOST_BYTES) {
        problem(name, t("too large for a sheet"));
        continue;
      }
      const sheet = parsed(await file.text());
      if (!sheet) {
        problem(name, t("holds no sheet of a lesson"));
        continue;
      }
      try {
        await this.lesson(sheet.lesson);
      } catch ({ message }) {
        problem(name, message);
        continue;
      }
      const there = this.handedIn.get(sheet.lesson) ?? [];
      if (there.some((each) => each.file === name && same(each.sheet, sheet)))
        continue; // given a second time
      this.handedIn.set(sheet.lesson, [...there, { file: name, sheet }]);
    }
    await this.draw();
  }

  // A lesson's steps and evidence, and what came of each question; of one whose runs are missing, why.
  lesson(name) {
    if (!this.lessons.has(name)) {
      const asking = asked(name);
      this.lessons.set(name, asking);
      asking.catch(() => this.lessons.delete(name)); // to be asked again
    }
    return this.lessons.get(name);
  }

  async draw() {
    const drawn = [];
    for (const [name, sheets] of this.handedIn) {
      const { lesson, results, missing, evidence } = await this.lesson(name);
      drawn.push(shown(summed(lesson, results, evidence, sheets), missing));
    }
    this.told.replaceChildren(
      ...this.problems.map((text) => el("p.message.wrong", {}, text)),
    );
    const clear = () => {
      this.handedIn.clear();
      this.problems = [];
      this.draw();
      this.input.focus();
    };
    this.classes.replaceChildren(
      ...drawn,
      drawn.length || this.problems.length
        ? el(
            "button.act",
            { type: "button", on: { click: clear } },
            t("Put the sheets away"),
          )
        : "",
    );
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

async function asked(name) {
  const [lesson, { evidence }] = await Promise.all([
    known(`lesson/${name}`),
    known(`lesson/${name}/sheet`),
  ]);
  const results = {},
    missing = {};
  await Promise.all(
    lesson.steps
      .filter(({ measured }) => measured)
      .map(async ({ id }) => {
        try {
          results[id] = await known(`lesson/${name}/answer/${id}`);
        } catch ({ message }) {
          missing[id] = message;
        }
      }),
  );
  return { lesson, results, missing, evidence };
}

// --- a class

function shown(summary, missing) {
  const { lesson, students, counted, questions, kept } = summary,
    step = lesson.steps.find((each) => each.kind === "sheet");
  const table = () =>
    save(
      new Blob(["\ufeff", csv(summary)], { type: "text/csv" }),
      `sheets-${lesson.name}.csv`,
    );
  return el(
    "section.class",
    {},
    el(
      "div.class-head",
      {},
      el("h3", {}, lesson.title),
      el("span", {}, t("sheets: {count}", { count: counted.length })),
      el(
        "button.act",
        { type: "button", on: { click: table } },
        t("Download as CSV"),
      ),
    ),
    students.flatMap(notes).map((text) => el("p.message.note", {}, text)),
    el(
      "p.hint.levels",
      {},
      el("span", {}, t("How sure at first:")),
      SURENESS.map((level) =>
        el("span.chip", {}, el(`i.level.${level}`), SURE()[level]),
      ),
      el("span.chip", {}, el("i.level.unsaid"), t("not said")),
      el("span.chip", {}, el("i.level.second"), t("after talking")),
    ),
    el(
      "div.class-body",
      {},
      marks(students, questions),
      el(
        "div.charts",
        {},
        questions.map((each, n) =>
          chart(each, n, counted.length, missing[each.ask.id]),
        ),
        step?.keep && kept.length
          ? el("figure", {}, el("figcaption", {}, step.keep), texts(kept))
          : null,
      ),
    ),
  );
}

const title = ({ title: own, id }, n) => `${n + 1}. ${own ?? id}`;

// Students by question: whether each first vote is right, and each second.
function marks(students, questions) {
  const head = (text, attrs = {}) =>
    el("th", { attrs: { scope: "col", ...attrs } }, text);
  return el(
    "div.scroll",
    { tabIndex: 0, attrs: { role: "region", "aria-label": t("Students") } },
    el(
      "table.scores.marks",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          head(t("Name")),
          questions.map(({ ask }, n) =>
            head(`${n + 1}`, { title: title(ask, n) }),
          ),
          head(t("Minutes"), { class: "n" }),
        ),
      ),
      el(
        "tbody",
        {},
        students.map((student) =>
          el(
            "tr",
            { data: { twin: student.twin !== null } },
            el("th", { attrs: { scope: "row" } }, student.name),
            questions.map((question) => mark(question, student)),
            el("td.n", {}, `${student.minutes}`),
          ),
        ),
      ),
    ),
  );
}

function mark({ ask, result }, { answers }) {
  const { first = null, again = null } = answers[ask.id] ?? {},
    given = [first, again].filter((each) => each !== null);
  if (!given.length) return el("td", {}, "–");
  const said = given.map((value) => right(ask, value, result)),
    last = said.at(-1),
    words = given.map((value) => inWords(ask, value)).join(" → ");
  return el(
    "td",
    { title: words, data: { right: last } },
    el(
      "span",
      { attrs: { "aria-hidden": "true" } },
      said.map((each) => (each === null ? "·" : each ? "✓" : "✗")).join(" → "),
    ),
    el(
      "span.unseen",
      {},
      last === null ? words : last ? t("as measured") : t("not as measured"),
    ),
  );
}

const inWords = (ask, value) =>
  [value]
    .flat()
    .map(
      (key) => ask.options.find((each) => each.key === key)?.text ?? `${key}`,
    )
    .join(", ");

// --- a question

function chart(question, n, count, missing) {
  const { ask, result, answered, votedAgain, rightFirst, rightAgain } =
    question;
  const sums = [
    result &&
      answered &&
      t("right at first: {right} of {all}", {
        right: rightFirst,
        all: answered,
      }),
    result &&
      votedAgain &&
      t("right after talking: {right} of {all}", {
        right: rightAgain,
        all: votedAgain,
      }),
  ].filter(Boolean);
  return el(
    "figure",
    { data: { question: ask.id } },
    el(
      "figcaption",
      {},
      el("b", {}, title(ask, n)),
      el("p", {}, inline(ask.text)),
    ),
    missing && el("p.message.note", {}, missing),
    ask.answer === "number" ? numbers(question, count) : bars(question, count),
    sums.length ? el("p.hint", {}, sums.join(" · ")) : null,
    question.texts.length ? texts(question.texts) : null,
  );
}

// One bar of first votes, in parts by how sure they were, and one of second votes.
function bars({ ask, result, first, again, sure, votedAgain }, count) {
  return el(
    "ul.bars",
    {},
    ask.options.map(({ key, text }) => {
      const levels = SURENESS.map((level) => [level, sure[level][key]]),
        told = levels.reduce((sum, [, votes]) => sum + votes, 0);
      return row(inline(text), result?.right.includes(key), [
        bar(first[key], count, [...levels, ["unsaid", first[key] - told]]),
        votedAgain ? bar(again[key], count, [["second", again[key]]]) : null,
      ]);
    }),
  );
}

// Numbers that were guessed: too low, near enough, too high, and all of them.
function numbers({ ask, result, numbers: all }, count) {
  const sorted = [...all].sort((one, other) => one - other),
    least = (result?.number ?? NaN) - ask.tolerance,
    most = (result?.number ?? NaN) + ask.tolerance;
  const groups = [
    [t("too low"), sorted.filter((each) => each < least)],
    [t("near enough"), sorted.filter((each) => right(ask, each, result))],
    [t("too high"), sorted.filter((each) => each > most)],
  ];
  return [
    el(
      "ul.bars",
      {},
      result
        ? groups.map(([text, votes], k) =>
            row([text], k === 1, [
              bar(votes.length, count, [["unsaid", votes.length]]),
            ]),
          )
        : [],
    ),
    el("p.hint", {}, sorted.join(", ")),
  ];
}

const row = (text, here, rows) =>
  el(
    "li",
    { data: { here: Boolean(here) } },
    el(
      "span",
      {},
      text,
      here ? " ✓" : "",
      here && el("span.unseen", {}, t("came out here")),
    ),
    el("div", {}, rows),
  );

const bar = (votes, count, parts) =>
  el(
    "div.bar",
    {},
    el(
      "span.track",
      { attrs: { "aria-hidden": "true" } },
      parts.map(([kind, part]) =>
        el(`i.level.${kind}`, {
          attrs: { style: `width:${(100 * part) / Math.max(1, count)}%` },
        }),
      ),
    ),
    el("span.n", {}, `${votes}`),
  );

const texts = (all) =>
  el(
    "ul.texts",
    {},
    all.map(([who, text]) => el("li", {}, el("b", {}, who), " ", text)),
  );
