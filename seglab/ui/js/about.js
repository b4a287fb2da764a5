// What stands above a lesson: where it is from, on which data it is, which of its runs are not here, and what can be
// taken of it: its address and its file. And how one from elsewhere comes in: as a file that is dropped.
import { copied } from "./address.js";
import { bring, carried } from "./brought.js";
import { keptHere } from "./kept.js";
import { known } from "./lesson.js";
import { store } from "./store.js";
import { choice, duration, el, t } from "./text.js";

const DROPPED = "seglab-dropped"; // the lesson that came from a file, until this browser's tab is closed
const LARGEST = 64 * 1024; // bytes of a file; the server allows no more

// What an address has of a lesson by its name, `a`, or `a.camvid` on other data.
export function place(name) {
  const own = carried(name);
  if (!own) return { lesson: name, own: "" };
  const [, data] = name.split(".");
  return { lesson: "", own: data ? `${own}.${data}` : own };
}

// The name of the lesson that an address has; one that it carries is sent first.
export async function named({ lesson, own }) {
  if (!own) return lesson;
  const [packed, data] = own.split("."),
    { name } = await bring(packed);
  return data ? `${name}.${data}` : name;
}

// The end of the address of a lesson, and of a class's.
export const link = (name, code = "") => {
  const { lesson, own } = place(name),
    given = { ...(own ? { own } : { lesson }), ...(code && { class: code }) };
  return `#learn?${new URLSearchParams(given)}`;
};

// What a visitor should know before they begin; nothing of a lesson of seglab's on its own data.
export function about(lesson) {
  const { origin, data } = lesson.known;
  if (origin === "seglab" && !data.other) return "";
  const root = el(
    "div.lesson-about",
    {},
    from(origin, lesson.name),
    data.other ? on(data.other) : null,
  );
  new Lacking(lesson, root);
  return root;
}

// A lesson that is not seglab's says so.
function from(origin, name) {
  if (origin === "seglab") return null;
  const dropped = keptHere.get(DROPPED) === name.split(".")[0];
  return el(
    "p.message.note",
    {},
    origin === "school"
      ? t("This lesson is this server's own; it is not seglab's.")
      : dropped
        ? t(
            "You opened this lesson from a file; it is not seglab's. The server keeps no copy: take its link to open it elsewhere.",
          )
        : t("This lesson came with the link; it is not seglab's."),
  );
}

const on = (data) =>
  el(
    "p.message.note",
    {},
    t(
      "The same questions on other data, {data}: every answer is computed from runs on it. What the texts tell of images and classes is of the lesson's own data.",
      { data },
    ),
  );

// What can be taken of a lesson, and made of it.
export function tools(lesson) {
  const { data } = lesson.known,
    whole = location.href.split("#")[0] + link(lesson.name);
  return el(
    "details.lesson-tools",
    {},
    el("summary", {}, t("Share and change this lesson")),
    el(
      "div.buttons",
      {},
      el(
        "button.act",
        {
          type: "button",
          on: { click: ({ target }) => copied(whole, target) },
        },
        t("Copy link"),
      ),
      el(
        "a.act",
        {
          href: `seglab/lesson/${encodeURIComponent(lesson.name)}/file`,
          download: "",
        },
        t("Download this lesson as a file"),
      ),
      data.offered.length > 1 ? onOther(lesson, data) : null,
    ),
  );
}

function onOther(lesson, { own, other, offered }) {
  const label = choice(t("On other data"), (value) => {
    const [name] = lesson.name.split(".");
    location.hash = link(value ? `${name}.${value}` : name);
  });
  label.lastElementChild.append(
    el("option", { value: "" }, t("{data} (the lesson's own)", { data: own })),
    ...offered
      .filter((name) => name !== own)
      .map((name) =>
        el("option", { value: name, selected: name === other }, name),
      ),
  );
  return label;
}

// The runs that a lesson needs and that are not here: how many, and how they are made.
class Lacking {
  constructor(lesson, root) {
    this.lesson = lesson;
    this.root = el("div.lesson-lacking");
    root.append(this.root);
    lesson.addEventListener("live", ({ detail }) => this.hear(detail));
    lesson.hear(store, "rows", () => this.look());
    this.look();
  }

  // Asks again as runs end.
  look() {
    const rows = [...store.rows.values()],
      ended = rows.filter((row) => row.trained).length;
    if (ended !== this.ended) this.ask();
    this.ended = ended;
  }

  async ask() {
    try {
      this.draw(await known(`lesson/${this.lesson.name}/lacking`));
    } catch ({ message }) {
      this.root.replaceChildren(el("p.message.wrong", {}, message));
    }
  }

  draw({ runs, now, seconds, command }) {
    if (!runs) {
      if (this.before) this.again();
      return;
    }
    this.before = runs;
    const start = () => {
      this.button.disabled = true;
      this.lesson.send("submit", { sure: false });
    };
    this.button = el(
      "button.act",
      { type: "button", on: { click: start } },
      seconds === null
        ? t("Train {count} of them here", { count: now })
        : t("Train {count} of them here, about {time}", {
            count: now,
            time: duration(seconds),
          }),
    );
    this.said ??= el("div", { attrs: { role: "status" } });
    this.root.replaceChildren(
      el(
        "p.message.note",
        {},
        t(
          "{count} runs of this lesson are not here yet. A question about one of them has no answer until it is.",
          { count: runs },
        ),
      ),
      el("span.buttons", {}, now ? this.button : null),
      el(
        "details",
        {},
        el("summary", {}, t("All of them, by the command line")),
        el("pre", {}, command),
      ),
      this.said,
    );
  }

  // All are here now: what could not be answered before is asked once more.
  again() {
    this.root.replaceChildren(
      el(
        "p.message.right",
        {},
        t("All runs of this lesson are here now."),
        " ",
        el(
          "button.link",
          { type: "button", on: { click: () => location.reload() } },
          t("Load its answers"),
        ),
      ),
    );
  }

  hear({ kind, failed, ...answer }) {
    const mine = ["asked", "made"].includes(kind);
    if (!this.button || !(mine || failed)) return;
    this.button.disabled = false;
    if (failed) return; // which the page has told
    if (kind === "asked") {
      const { count, seconds } = answer;
      const sure = confirm(
        seconds === null
          ? t("{count} runs; how long they take is not known. Start them?", {
              count,
            })
          : t("{count} runs, about {time} together. Start them?", {
              count,
              time: duration(seconds),
            }),
      );
      if (sure) this.lesson.send("submit", { sure: true });
      return;
    }
    if (answer.runs.length) store.ask();
    this.said.replaceChildren(
      ...answer.messages.map(([kind, text]) =>
        el(`p.message.${kind}`, {}, text),
      ),
    );
    this.ask();
  }
}

// --- a lesson's file

// Where a file is picked or dropped, whose lesson is opened then.
export function opening() {
  const told = el("div", { attrs: { role: "status" } }),
    root = el("div.lesson-file");
  const take = async (file) => {
    if (!file) return;
    try {
      if (file.size > LARGEST)
        throw new Error(
          t("a lesson of {size} bytes is too large; allowed: {most}", {
            size: file.size,
            most: LARGEST,
          }),
        );
      const { name } = await bring(file, file.name);
      keptHere.set(DROPPED, name);
      told.replaceChildren();
      location.hash = link(name);
    } catch ({ message }) {
      told.replaceChildren(
        el("p.message.wrong", { attrs: { role: "alert" } }, message),
      );
    }
  };
  const input = el("input", {
    type: "file",
    accept: ".yaml,.yml,.json",
    on: {
      change: () => {
        take(input.files[0]);
        input.value = "";
      },
    },
  });
  const over = (on) => (event) => {
    event.preventDefault();
    root.classList.toggle("over", on);
    if (event.type === "drop") take(event.dataTransfer.files[0]);
  };
  for (const [type, on] of [
    ["dragover", true],
    ["dragleave", false],
    ["drop", false],
  ])
    root.addEventListener(type, over(on));
  root.append(
    el(
      "label",
      {},
      el("b", {}, t("A lesson of your own")),
      el(
        "span.hint",
        {},
        t(
          "Drop its file here, or pick it. The server checks it and keeps no copy.",
        ),
      ),
      input,
      el("span.act", { attrs: { "aria-hidden": "true" } }, t("Pick a file")),
    ),
    told,
  );
  return root;
}
