// Where the page begins: parts of it are filled as Gradio makes their elements.
import { el, ready, t } from "./text.js";
import { store } from "./store.js";
import { address } from "./address.js";
import { curves } from "./curves.js";
import { form } from "./form.js";
import { header } from "./header.js";
import { lab } from "./lab.js";
import { learn } from "./learn.js";
import { masks } from "./masks.js";
import { runs } from "./runs.js";
import { scores } from "./scores.js";
import { start } from "./start.js";
import { viewer } from "./viewer.js";

const PARTS = {
  header,
  start,
  learn,
  form,
  runs,
  curves,
  masks,
  scores,
  viewer,
  lab,
};
const ears = {
  begun({ runs: names = [] }) {
    if (names.length) store.add(names);
    else store.ask();
  },
  greeting(me) {
    if (me.failed) return;
    store.me = me;
    store.say("me");
    store.say("rows");
  },
};
const last = {}; // of each part, by kind of event: what it sent last
const early = window.seglab.early;

// What the visitor is to know wherever they are on the page: what went `wrong` where nobody expected it, or a `note`.
function tell(kind, text) {
  const box = el(
    `p.message.${kind}.told`,
    { attrs: { role: kind === "wrong" ? "alert" : "status" } },
    text,
    " ",
    el(
      "button.link",
      { type: "button", on: { click: () => box.remove() } },
      t("Close"),
    ),
  );
  document.body.append(box);
}

address.addEventListener("read", () => {
  const parts = address.unknown.join(", ");
  if (parts)
    tell(
      "note",
      t(
        "The link has parts that are not known here and were left out: {parts}",
        { parts },
      ),
    );
});
const begun = ready.then(() => {
  address.begin();
  store.begin();
});

Object.assign(window.seglab, {
  store,
  t,
  // Fills a part's element; `trigger` sends what is done there.
  mount(part, element, trigger) {
    begun.then(() => {
      const heard = PARTS[part](element, (kind, data) => {
        (last[part] ??= {})[kind] = data;
        trigger(kind, data);
      });
      if (heard) ears[part] = heard;
    });
  },
  // What a part sent last by an event of this kind, as JSON.
  latest: (part, kind) => JSON.stringify(last[part]?.[kind] ?? {}),
  // An answer to what a part sent, as JSON.
  heard(part, answer) {
    if (!answer) return;
    const found = JSON.parse(answer);
    if (found.failed) tell("wrong", found.failed);
    ears[part]?.(found);
  },
});
for (const each of early) window.seglab.mount(...each);
