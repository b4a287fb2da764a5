// The page's address: the tab, the runs that are shown, and whatever a tab adds, after the #. Whoever opens the address
// sees the same.
import { store } from "./store.js";
import { t } from "./text.js";

const TABS = ["start", "learn", "train", "predict", "compare"];
// What an address may have beside runs and the settings of the form, by whose it is.
const PARTS = {
  worksheet: ["only", "hide", "title", "task"],
  learn: ["lesson", "own", "step", "present", "teach", "class", "sheets"],
  predict: ["picture", "layer"],
  compare: ["a", "b", "view", "image", "show", "at", "zoom", "without"],
  crf: ["of", "crf"],
  grid: ["rows", "columns", "cost", "masks"],
};
const NAMED = ["runs", ...Object.values(PARTS).flat()];
export const isSetting = (key) => !NAMED.includes(key);

// Copies an address, and says so on the button.
export async function copied(link, button) {
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    prompt(t("Copy this address"), link);
    return;
  }
  const before = button.textContent;
  button.textContent = t("Copied");
  setTimeout(() => {
    button.textContent = before;
  }, 1500);
}

class Address extends EventTarget {
  tab = "start";
  own = {}; // what tabs add, by name
  unknown = [];
  runs = [];

  begin() {
    this.read();
    window.addEventListener("hashchange", () => {
      if (location.hash !== this.written) this.read();
    });
    store.addEventListener("shown", () => this.write());
    store.addEventListener("loaded", () => this.check());
    document.addEventListener("click", (event) => {
      if (!event.target.closest("#tabs [role=tab]") || this.ownPress) return;
      clearTimeout(this.pressing);
      setTimeout(() => this.follow(), 0);
    });
  }

  // Takes over what the address says.
  read() {
    this.written = location.hash;
    const [, tab, query = ""] = location.hash.match(/^#?([^?]*)\??(.*)$/s);
    const given = new URLSearchParams(query);
    this.unknown = [];
    if (TABS.includes(tab)) this.tab = tab;
    else if (tab) this.unknown.push(tab);
    this.runs = (given.get("runs") ?? "").split(",").filter(Boolean);
    if (this.runs.length) store.show(this.runs);
    if (store.loaded) this.check();
    given.delete("runs");
    this.own = Object.fromEntries(given);
    this.select(this.tab);
    this.dispatchEvent(new Event("read"));
  }

  // Leaves out the runs that are not here.
  check() {
    const gone = this.runs.filter((name) => !store.rows.has(name));
    if (!gone.length) return;
    store.show(store.shown.filter((name) => !gone.includes(name)));
    this.gone = gone.map((name) => `runs=${name}`).join(", ");
    this.dispatchEvent(new Event("gone"));
  }

  // Opens a tab. While Gradio is still making the page it may take that back: it is looked after for a while.
  select(tab) {
    this.tab = tab;
    document.body.dataset.tab = tab;
    clearTimeout(this.pressing);
    const press = (tries, sure) => {
      const button = document.querySelectorAll("#tabs button[role=tab]")[
        TABS.indexOf(tab)
      ];
      if (button && button.getAttribute("aria-selected") !== "true") {
        this.ownPress = true;
        button.click();
        this.ownPress = false;
        sure = 0;
      }
      if (button && sure === 0) this.arrived(tab);
      if (tries && sure < 15)
        this.pressing = setTimeout(
          () => press(tries - 1, button ? sure + 1 : 0),
          100,
        );
    };
    press(200, 0);
  }

  // The visitor has pressed a tab.
  follow() {
    const buttons = [
      ...document.querySelectorAll("#tabs button[role=tab]"),
    ].slice(0, TABS.length);
    const place = buttons.findIndex(
      (button) => button.getAttribute("aria-selected") === "true",
    );
    if (place >= 0 && TABS[place] !== this.tab) this.arrived(TABS[place]);
  }

  arrived(tab) {
    this.tab = tab;
    document.body.dataset.tab = tab;
    this.write();
    this.dispatchEvent(new Event("tab"));
  }

  // Adds to the address; nothing is taken away by an empty value.
  set(own) {
    Object.assign(this.own, own);
    for (const [name, value] of Object.entries(this.own))
      if (value === "" || value === null || value === undefined)
        delete this.own[name];
    this.write();
  }

  write() {
    if (location.hash !== this.written) return; // a link was followed that is not read yet
    history.replaceState(
      history.state,
      "",
      `${location.pathname}${location.search}#${this.query()}`,
    );
    this.written = location.hash;
    for (const link of document.querySelectorAll("a[data-language]")) {
      const query = new URLSearchParams(location.search);
      query.set("lang", link.dataset.language);
      link.href = `?${query}${this.written}`;
    }
  }

  query() {
    const query = new URLSearchParams(this.own);
    const runs = store.picked ? store.shown.join(",") : "";
    if (runs) query.set("runs", runs);
    const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    return this.tab + (text ? `?${text}` : "");
  }

  // Copies the page's whole address, and says so on the button.
  copy(button) {
    this.write();
    return copied(location.href, button);
  }
}

export const address = new Address();
