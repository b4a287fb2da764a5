// Sheets that were handed in, as lessons/sheet.py reads them: parsed with suspicion, and summed as a class. A sheet says
// nothing of what is right: that comes from the server's evidence.
import { t } from "./text.js";

const OPENED = '<script type="application/json" id="seglab-sheet">', // as handout.js writes them
  CLOSED = "</script>";
export const MOST_BYTES = 1_000_000,
  SURENESS = ["guess", "fairly", "sure"];

// --- what a sheet may hold

const text = (most) => (value) =>
    typeof value === "string" && [...value].length <= most,
  form = (pattern) => (value) =>
    typeof value === "string" && pattern.test(value),
  list = (each, most) => (value) =>
    Array.isArray(value) && value.length <= most && value.every(each),
  // an object whose values are all of one kind, under names that have a form
  named = (each, most) => (value) =>
    isObject(value) &&
    Object.keys(value).length <= most &&
    Object.entries(value).every(([key, one]) => KEY.test(key) && each(one)),
  // an object with no more than these fields
  fields = (known) => (value) =>
    isObject(value) &&
    Object.entries(value).every(
      ([key, one]) => Object.hasOwn(known, key) && known[key](one),
    ),
  or =
    (...kinds) =>
    (value) =>
      kinds.some((kind) => kind(value)),
  isObject = (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value),
  isNull = (value) => value === null,
  KEY = /^[a-z][a-z0-9_]{0,31}$/,
  CALLED = /^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?$/; // `a`, or `a.camvid`
const given = or(text(2000), Number.isFinite, list(text(40), 12), isNull);
const answer = fields({
  first: given,
  again: given,
  sure: or(isNull, (value) => SURENESS.includes(value)),
  note: text(2000),
});
const whole = fields({
  sheet: (value) => value === 1,
  lesson: form(CALLED),
  hash: form(/^[0-9a-f]{16}$/),
  number: form(/^[0-9a-f]{32}$/),
  evidence: named(form(/^[0-9a-f]{16}$/), 200),
  name: text(80),
  answers: named(answer, 12),
  keep: text(2000),
  times: list(
    or(
      isNull,
      (value) => Number.isInteger(value) && 0 <= value && value <= 1e9,
    ),
    40,
  ),
});
const NEEDED = ["sheet", "lesson", "hash", "number"];

// The sheet in what a file holds, or nothing.
export function parsed(content) {
  const from = content.indexOf(OPENED),
    start = from + OPENED.length,
    end = from < 0 ? -1 : content.indexOf(CLOSED, start);
  if (end < 0) return null;
  try {
    const found = JSON.parse(content.slice(start, end));
    if (!whole(found) || NEEDED.some((key) => !Object.hasOwn(found, key)))
      return null;
    return {
      evidence: {},
      name: "",
      answers: {},
      keep: "",
      times: [],
      ...found,
    };
  } catch {
    return null;
  }
}

// --- what is right

// What was given, if the question can be answered so; null for anything else, such as an option of another version.
function fitting(ask, value) {
  const known = ask.options.map(({ key }) => key);
  if (ask.answer === "several")
    return Array.isArray(value) && value.every((key) => known.includes(key))
      ? known.filter((key) => value.includes(key))
      : null;
  if (ask.answer === "number") return typeof value === "number" ? value : null;
  if (typeof value !== "string") return null;
  if (ask.answer === "text") return value.trim() || null;
  return known.includes(value) ? value : null;
}

// Whether an answer is what came out; null for none, and where nothing came out. `result`: what the server answers.
export function right(ask, value, result) {
  if (value === null || !result) return null;
  if (ask.answer === "number")
    return (
      result.number !== null &&
      Math.abs(value - result.number) <= (ask.tolerance ?? 0)
    );
  if (ask.answer === "several")
    return (
      Array.isArray(value) &&
      value.length === result.right.length &&
      value.every((key) => result.right.includes(key))
    );
  return result.right.includes(value);
}

// --- a class

// The sheets of one lesson, each with its file's name. `results`: what came of each question, by its id.
export function summed(lesson, results, evidence, sheets) {
  const asks = lesson.steps.filter(({ kind }) => kind === "ask"),
    seen = new Map(), // files by their sheets' numbers
    students = sheets.map(({ file, sheet }) => {
      const twin = seen.get(sheet.number) ?? null;
      if (twin === null) seen.set(sheet.number, file);
      return student(lesson, asks, evidence, file, sheet, twin);
    }),
    counted = students.filter(({ twin }) => twin === null),
    questions = asks.map((ask) => counting(ask, results[ask.id], counted)),
    keeps = counted.filter(({ sheet }) => sheet.keep.trim()),
    kept = keeps.map(({ name, sheet }) => [name, sheet.keep.trim()]);
  return { lesson, students, counted, questions, kept };
}

function student(lesson, asks, evidence, file, sheet, twin) {
  const answers = {};
  for (const ask of asks) {
    const given = sheet.answers[ask.id];
    if (!given) continue;
    const { first = null, again = null, sure = null, note = "" } = given;
    answers[ask.id] = {
      first: fitting(ask, first),
      again: fitting(ask, again),
      sure,
      note: note.trim(),
    };
  }
  const otherRuns = Object.entries(sheet.evidence)
    .filter(([key, value]) => (evidence[key] ?? value) !== value)
    .map(([key]) => key);
  const known = sheet.times.filter((each) => each !== null),
    seconds = known.length ? Math.max(...known) - Math.min(...known) : 0;
  return {
    file,
    sheet,
    answers,
    twin,
    otherRuns,
    name: sheet.name.trim() || file,
    otherVersion: sheet.hash !== lesson.hash,
    minutes: Math.floor((seconds + 30) / 60),
  };
}

// What a teacher should know of a sheet.
export function notes({ file, twin, otherVersion, otherRuns }) {
  return [
    twin !== null &&
      t("{file} is the same sheet as {other}: it counts once", {
        file,
        other: twin,
      }),
    otherVersion &&
      t("{file} was made with another version of this lesson", { file }),
    otherRuns.length &&
      t("{file} was made with other runs of {settings}", {
        file,
        settings: otherRuns.join(", "),
      }),
  ].filter(Boolean);
}

// How a class answered a question: votes by option, `first` and `again`; how sure the first ones were, by option; how many
// of them are right. Of a number there are the numbers themselves.
function counting(ask, result, students) {
  const found = { ask, result, numbers: [], texts: [] },
    counts = { answered: 0, votedAgain: 0, rightFirst: 0, rightAgain: 0 },
    votes = () => Object.fromEntries(ask.options.map(({ key }) => [key, 0])),
    sure = Object.fromEntries(SURENESS.map((level) => [level, votes()])),
    by = { first: votes(), again: votes() };
  for (const { name, answers } of students) {
    const given = answers[ask.id];
    if (!given) continue;
    const { first, again } = given;
    for (const said of [ask.answer === "text" ? first : null, given.note])
      if (said) found.texts.push([name, said]);
    counts.answered += first !== null;
    counts.votedAgain += again !== null;
    counts.rightFirst += right(ask, first, result) === true;
    counts.rightAgain += right(ask, again, result) === true;
    if (typeof first === "number") found.numbers.push(first);
    for (const key of options(ask, first)) {
      by.first[key]++;
      if (given.sure) sure[given.sure][key]++;
    }
    for (const key of options(ask, again)) by.again[key]++;
  }
  return { ...found, ...counts, ...by, sure };
}

const options = (ask, value) =>
  ["number", "text"].includes(ask.answer) || value === null
    ? []
    : [value].flat();

// --- as a table

// A class as CSV: a line for each sheet, with every answer and whether it is right (1 or 0).
export function csv({ lesson, students, questions }) {
  const keep = lesson.steps.some((step) => step.kind === "sheet" && step.keep),
    head = "file name minutes same_as other_version other_runs".split(" ");
  for (const { ask } of questions)
    head.push(
      ...["", "/right", "/sure", "/again", "/again_right", "/note"].map(
        (part) => ask.id + part,
      ),
    );
  const lines = students.map((each) => [
    each.file,
    each.sheet.name.trim(),
    each.minutes,
    each.twin,
    Number(each.otherVersion),
    each.otherRuns.join(" "),
    ...questions.flatMap(({ ask, result }) => {
      const given = each.answers[ask.id];
      if (!given) return ["", "", "", "", "", ""];
      const { first, again, sure, note } = given,
        mark = (value) => bit(right(ask, value, result));
      return [
        written(first),
        mark(first),
        sure,
        written(again),
        mark(again),
        note,
      ];
    }),
    ...(keep ? [each.sheet.keep.trim()] : []),
  ]);
  return [[...head, ...(keep ? ["keep"] : [])], ...lines]
    .map((line) => `${line.map(cell).join(",")}\n`)
    .join("");
}

const bit = (mark) => (mark === null ? null : Number(mark)),
  written = (value) => (Array.isArray(value) ? value.join(" ") : value);

// A value as it stands in a table: a text that would be taken for a formula gets an apostrophe before it.
function cell(value) {
  if (typeof value === "number") return `${value}`;
  const safe = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : (value ?? "");
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
