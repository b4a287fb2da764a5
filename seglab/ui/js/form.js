// The form: one state, which is read from its fields, filled into them, and written as an address.
import { address, isSetting } from "./address.js";
import { close, held } from "./fields.js";
import { kept, keptHere } from "./kept.js";
import { adopt, appears } from "./slots.js";
import { store } from "./store.js";
import { duration, el, lang, t } from "./text.js";
import { LONGEST, Maker } from "./worksheet.js";

const WAIT = 500; // milliseconds after the last change, before the runs are foreseen
const SIDES = { inside: "surveyed", preview: "previewed" }; // where what is looked at stands, where that has another name
const KEPT = "seglab-form";

export function form(element, trigger) {
  const made = new Form(element, trigger);
  window.seglab.state = () => made.state();
  return (answer) => made.hear(answer);
}

class Form {
  constructor(element, trigger) {
    this.element = element;
    this.send = (kind, data = {}) =>
      trigger(kind, { ...data, ...this.state() });
    this.number = 0; // of what is foreseen, and of each look: answers to earlier ones are not shown
    this.looks = {};
    this.load();
  }

  async load() {
    const answer = await fetch(`seglab/form?lang=${lang}`);
    const holder = el("div");
    holder.innerHTML = await answer.text(); // the server's own
    this.root = holder.firstElementChild;
    this.element.append(this.root);
    this.find = (query) => this.root.querySelector(query);
    this.all = (query) => [...this.root.querySelectorAll(query)];
    adopt("#zip", this.find(".upload-slot"));
    this.listen();
    this.find(".launch").before(new Maker(this).root);
    address.addEventListener("read", () => this.follow());
    address.addEventListener("tab", () => this.changed());
    store.addEventListener("me", () => this.allowed());
    this.allowed();
    this.follow();
  }

  // What this server allows one run, and why none can be trained, where that is so.
  allowed() {
    const { shared, limits, problem } = store.me;
    const place = this.find(".allowed");
    place.hidden = !problem && !(shared && limits.minutes);
    place.classList.toggle("wrong", Boolean(problem));
    place.textContent =
      problem ||
      t(
        "On this server: at most {minutes} minutes a run, images of {size} pixels, and {waiting} waiting runs a person.",
        {
          minutes: limits.minutes ?? "∞",
          size: limits.image_size ?? "∞",
          waiting: limits.waiting ?? "∞",
        },
      );
  }

  // Takes over what the address says, or else what stood here before the page was loaded anew.
  follow() {
    const given = { ...address.own },
      settings = Object.keys(given).filter(isSetting);
    const unknown = this.fill(settings.length ? given : keptHere.get(KEPT, {}));
    this.tell([...(settings.length ? unknown : []), ...this.worksheet(given)]);
    this.changed();
  }

  tell(unknown) {
    const notice = this.find(".notice");
    notice.hidden = !unknown.length;
    notice.textContent = unknown.length
      ? t(
          "The link has parts that are not known here and were left out: {parts}",
          { parts: unknown.join(", ") },
        )
      : "";
  }

  // `only` and `hide` leave a part of the form; `title` and `task` say what it is for. Gives what they name that is not
  // in the form.
  worksheet({ only, hide, title, task }) {
    const wanted = only?.split(","),
      unwanted = hide?.split(",") ?? [];
    const parts = this.parts(),
      unknown = (key, names = []) =>
        names
          .filter((name) => name && !(name in parts))
          .map((name) => `${key}=${name}`);
    for (const [name, elements] of Object.entries(parts)) {
      const away = wanted ? !wanted.includes(name) : unwanted.includes(name);
      for (const each of elements) each.classList.toggle("left-out", away);
    }
    for (const each of this.all("details.more")) {
      const inner = [
        ...each.querySelectorAll(".field, fieldset.picker"),
      ].filter((part) => !part.closest(".entries"));
      each.classList.toggle(
        "left-out",
        inner.length > 0 &&
          inner.every((part) => part.classList.contains("left-out")),
      );
    }
    const sheet = this.find(".worksheet");
    sheet.hidden = !(title || task);
    sheet.replaceChildren(
      ...(title ? [el("h2", {}, title.slice(0, LONGEST))] : []),
      ...(task ? [el("p", {}, task.slice(0, LONGEST))] : []),
    );
    return [...unknown("only", wanted), ...unknown("hide", unwanted)];
  }

  // What can be left out by name: a field of the form, the learning rate, an option of the run.
  parts() {
    const found = {
      preset: [this.find(".preset")],
      lr: [this.find("[data-rate] .field")],
    };
    for (const picker of this.all("fieldset.picker"))
      found[picker.dataset.field] = [picker];
    found.model.push(this.find("[data-what=cards]"));
    found.data.push(this.find(".own"));
    found.techniques.push(this.find(".preview-button"));
    for (const field of this.all("[data-field=run] .field"))
      found[field.dataset.option] = [field];
    return found;
  }

  // --- fields

  picker(field) {
    return this.find(`fieldset.picker[data-field="${field}"]`);
  }
  picked(field) {
    return [...this.picker(field).querySelectorAll(".choices input:checked")]
      .map((input) => input.value)
      .filter(Boolean);
  }
  mode(field) {
    return (
      this.picker(field).querySelector(".modes button[aria-pressed=true]")
        ?.dataset.mode ?? ""
    );
  }

  pick(field, names, mode = "") {
    const picker = this.picker(field),
      several = picker.dataset.several === "true" || mode === "vary";
    for (const button of picker.querySelectorAll(".modes button"))
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    const inputs = picker.querySelectorAll(".choices input");
    for (const input of inputs) {
      input.checked = false; // or else, becoming a radio, it would take the mark from the one that has it
      input.type = several && (field !== "loss" || mode) ? "checkbox" : "radio";
      if (field === "techniques") input.type = "checkbox";
    }
    for (const input of inputs) {
      input.checked =
        names.includes(input.value) ||
        (field === "plan" && !names.length && input.value === "");
    }
  }

  value(field) {
    const several = field.querySelector("input.several");
    return several && !several.hidden ? { vary: several.value } : held(field);
  }

  // An option's value as an address has it.
  text(field) {
    const value = this.value(field);
    if (value !== null && typeof value === "object")
      return value.vary
        .split(",")
        .map((each) => each.trim())
        .filter(Boolean)
        .join(",");
    return value === null ? "" : String(value);
  }

  first(field) {
    const value = JSON.parse(field.dataset.first);
    return value === null ? "" : String(value);
  }

  put(field, text) {
    const input = field.querySelector("[name]"),
      several = field.querySelector("input.several");
    const vary = several && String(text).includes(",");
    this.vary(field, vary);
    if (vary) {
      several.value = String(text).split(",").join(", ");
      return true;
    }
    if (input.type === "checkbox") {
      if (!["true", "false"].includes(text)) return false;
      input.checked = text === "true";
    } else if (input.tagName === "SELECT") {
      const option = [...input.options].find(
        (each) => String(JSON.parse(each.value)) === text,
      );
      if (!option) return false;
      input.value = option.value;
    } else if (input.type === "number") {
      if (text !== "" && !Number.isFinite(Number(text))) return false;
      for (const each of field.querySelectorAll(
        "input[type=number], input[type=range]",
      ))
        each.value = text;
    } else input.value = text;
    return true;
  }

  vary(field, on) {
    const several = field.querySelector("input.several"),
      button = field.querySelector("button.vary");
    if (!several) return;
    if (on && several.hidden)
      several.value = held(field) === null ? "" : `${held(field)}, `;
    several.hidden = !on;
    for (const input of field.querySelectorAll("[name], input[type=range]"))
      input.hidden = on;
    button.setAttribute("aria-pressed", String(on));
  }

  // The field of an option by its name in an address, such as epochs, lr or loss.focal.gamma.
  field(key) {
    if (key === "lr") return this.find("[data-rate] .field");
    const [field, entry, option] = key.split(".");
    if (!entry)
      return this.all("[data-field=run] .field").find(
        (each) => each.dataset.option === field,
      );
    const section = this.all("section.entry").find(
      (each) => each.dataset.field === field && each.dataset.entry === entry,
    );
    return (
      option &&
      [...(section?.querySelectorAll(".field") ?? [])].find(
        (each) => each.dataset.option === option,
      )
    );
  }

  key(field) {
    const section = field.closest("section.entry");
    if (section)
      return `${section.dataset.field}.${section.dataset.entry}.${field.dataset.option}`;
    return field.dataset.option;
  }

  // --- the state, as it is sent, as an address, and filled in

  state() {
    const picked = {},
      options = { run: { run: {} } },
      vary = [];
    for (const picker of this.all("fieldset.picker")) {
      const field = picker.dataset.field;
      picked[field] = this.picked(field);
      if (this.mode(field) === "vary") vary.push(field);
    }
    for (const field of this.all(".field")) {
      const section = field.closest("section.entry");
      const [group, entry] = section
        ? [section.dataset.field, section.dataset.entry]
        : ["run", "run"];
      if (field.closest("[data-rate]")) continue;
      ((options[group] ??= {})[entry] ??= {})[field.dataset.option] =
        this.value(field);
    }
    const rate = this.value(this.find("[data-rate] .field"));
    for (const name of Object.keys(this.rates()))
      ((options.optimizer ??= {})[name] ??= {}).lr = this.rateOf(name, rate);
    if (this.upload) ((options.data ??= {}).folder ??= {}).upload = this.upload;
    return {
      picked,
      options,
      vary,
      sum: this.mode("loss") === "sum",
      plan: this.picked("plan")[0] ?? "",
      visitor: store.visitor,
    };
  }

  rates() {
    return JSON.parse(this.find("[data-rate]").dataset.rate);
  }
  // The rate that is typed is for all optimizers; an untouched one is each optimizer's own.
  rateOf(name, rate) {
    return this.ownRate ? rate : Number(this.rates()[name]);
  }

  settings() {
    const found = {};
    for (const picker of this.all("fieldset.picker")) {
      const field = picker.dataset.field,
        names = this.picked(field),
        mode = this.mode(field);
      const first = picker.dataset.first.split(",").filter(Boolean),
        usual = field === "loss" && first.length > 1 ? "sum" : "";
      if (names.join() === first.join() && mode === usual) continue;
      found[field] = names.join(
        mode === "sum" || (field === "techniques" && mode !== "vary")
          ? " "
          : ",",
      );
      if (mode === "vary" && names.length < 2) found[field] += ",";
    }
    for (const field of this.all(".field")) {
      const section = field.closest("section.entry");
      if (
        section &&
        !this.picked(section.dataset.field).includes(section.dataset.entry)
      )
        continue;
      if (field.closest("[data-rate]")) {
        if (this.ownRate || this.text(field).includes(","))
          found.lr = this.text(field);
        continue;
      }
      if (this.text(field) !== this.first(field))
        found[this.key(field)] = this.text(field);
    }
    return found;
  }

  // Sets everything as at first, then what is given; gives the keys that mean nothing here.
  fill(given, kept = () => false) {
    const unknown = [];
    for (const picker of this.all("fieldset.picker")) {
      const field = picker.dataset.field,
        first = picker.dataset.first.split(",").filter(Boolean);
      if (!kept(field))
        this.pick(
          field,
          first,
          field === "loss" && first.length > 1 ? "sum" : "",
        );
    }
    for (const field of this.all(".field"))
      if (!kept(this.key(field).split(".")[0]))
        this.put(field, this.first(field));
    this.ownRate = kept("lr") && this.ownRate;
    for (const [key, text] of Object.entries(given)) {
      if (!isSetting(key)) continue;
      const picker = this.all("fieldset.picker").find(
        (each) => each.dataset.field === key,
      );
      if (picker) {
        const sum = key === "loss" && text.includes(" "),
          vary = text.includes(",");
        const names = text.split(/[ ,]/).filter(Boolean);
        const known = [...picker.querySelectorAll(".choices input")].map(
          (input) => input.value,
        );
        unknown.push(
          ...names
            .filter((name) => !known.includes(name))
            .map((name) => `${key}=${name}`),
        );
        const found = names.filter((name) => known.includes(name));
        if (found.length || !names.length)
          this.pick(key, found, vary ? "vary" : sum ? "sum" : "");
        continue;
      }
      const own = key.match(/^optimizer\.\w+\.lr$/) ? "lr" : key,
        field = this.field(own);
      if (!field || !this.put(field, text)) unknown.push(`${key}=${text}`);
      else if (own === "lr") this.ownRate = true;
    }
    this.shown();
    return unknown;
  }

  // --- what is seen

  shown() {
    for (const picker of this.all("fieldset.picker")) {
      const field = picker.dataset.field,
        names = this.picked(field),
        mode = this.mode(field);
      for (const section of picker.querySelectorAll("section.entry")) {
        section.hidden = !names.includes(section.dataset.entry);
        const weight = section.querySelector(".field[data-option=weight]");
        if (weight) weight.hidden = mode !== "sum";
      }
      const chosen = picker.querySelector(".chosen");
      if (!chosen) continue;
      chosen.textContent = names.length
        ? names.join(mode === "sum" ? " + " : ", ")
        : t("none");
      if (mode === "vary" && field !== "techniques" && names.length > 1)
        chosen.textContent += ` (${t("{count} runs", { count: names.length })})`;
    }
    const rate = this.find("[data-rate] .field"),
      [optimizer] = this.picked("optimizer");
    if (
      !this.ownRate &&
      optimizer &&
      rate.querySelector("input.several")?.hidden !== false
    )
      this.put(rate, this.rates()[optimizer]);
  }

  listen() {
    this.root.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.root.checkValidity()) {
        this.root.reportValidity();
        return;
      }
      this.find(".start-button").disabled = true;
      this.send("submit");
    });
    this.root.addEventListener("input", (event) => {
      const field = event.target.closest(".field");
      if (field?.closest("[data-rate]")) this.ownRate = true;
      if (event.target.id === "form-preset") {
        this.preset(event.target.value);
        return;
      }
      this.find("#form-preset").value = "";
      this.find(".messages").replaceChildren();
      this.shown();
      this.changed();
    });
    this.root.addEventListener("change", (event) => {
      const choose =
        event.target.type === "radio" && event.target.closest("details.choose");
      if (choose && !this.byKeys) close(choose); // arrow keys go on to the next
    });
    this.root.addEventListener("pointerdown", () => {
      this.byKeys = false;
    });
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("button.vary");
      if (button) {
        const field = button.closest(".field"),
          on = button.getAttribute("aria-pressed") !== "true";
        if (field) {
          this.vary(field, on);
          if (on) field.querySelector(".several").focus();
          if (field.closest("[data-rate]")) this.ownRate = true;
        } else
          this.toggle(
            button.closest("fieldset").dataset.field,
            on ? button.dataset.mode : "",
          );
        this.shown();
        this.changed();
      }
      if (event.target.closest(".copy-link")) {
        address.set({ ...this.worksheetKeys(), ...this.settings() });
        address.copy(event.target);
      }
      if (event.target.closest(".copy-command"))
        navigator.clipboard?.writeText(this.find(".command pre").textContent);
      if (event.target.closest(".preview-button")) this.look("preview");
    });
    this.find("#more-schedule").addEventListener("toggle", (event) => {
      if (event.target.open) this.look("schedule");
    });
    for (const button of this.all("button.look"))
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-expanded") !== "true";
        button.setAttribute("aria-expanded", String(on));
        if (on) this.look(button.dataset.what);
        else {
          this.looks[button.dataset.what] = 0;
          this.busy(button.dataset.what, false);
          this.place(button.dataset.what).replaceChildren();
        }
      });
    this.root.addEventListener("keydown", (event) => {
      this.byKeys = true;
      if (event.key !== "Enter" || !event.target.matches(".choices input"))
        return;
      event.preventDefault(); // or it would press Start
      const open = event.target.closest("details.choose[open]");
      if (open) close(open);
    });
    appears(".side").then(({ parentElement: side }) =>
      side.addEventListener("click", (event) => {
        if (event.target.closest(".surveyed button.act")) {
          this.upload = null;
          kept.remove("seglab-upload");
          this.look("inside");
          this.changed();
          return;
        }
        if (!event.target.closest(".cards")) return;
        const measure = event.target.closest("button.measure");
        if (measure) {
          measure.disabled = true;
          this.timed = [...(this.timed ?? []), measure.dataset.model];
          this.look("cards");
          return;
        }
        if (document.fullscreenElement) document.exitFullscreen();
        else event.target.closest("figure")?.requestFullscreen();
      }),
    );
    document.addEventListener("seglab-clone", async (event) => {
      const answer = await fetch(
        `seglab/settings?run=${encodeURIComponent(event.detail)}`,
      );
      if (!answer.ok) return;
      this.tell(this.fill(await answer.json()).map((each) => each));
      this.changed();
      address.select("train");
      this.root.scrollIntoView({ block: "start", behavior: "smooth" });
    });
    this.upload = kept.get("seglab-upload");
  }

  worksheetKeys() {
    return Object.fromEntries(
      Object.entries(address.own).filter(([key]) => !isSetting(key)),
    );
  }

  toggle(field, mode) {
    const names = this.picked(field);
    this.pick(
      field,
      mode || field === "techniques" ? names : names.slice(0, 1),
      mode,
    );
    if (mode) this.picker(field).querySelector("details.choose").open = true;
  }

  async preset(name) {
    if (!name) return;
    const answer = await fetch(
      `seglab/settings?preset=${encodeURIComponent(name)}`,
    );
    if (!answer.ok) return;
    this.fill(await answer.json(), (key) =>
      ["data", "seed", "plan"].includes(key),
    );
    this.find("#form-preset").value = name;
    this.changed();
  }

  // Something is another than before: it is kept, and what follows from it is asked for.
  changed() {
    if (!this.root) return;
    const settings = this.settings();
    keptHere.set(KEPT, settings);
    if (address.tab !== "train") return;
    if (Object.keys(address.own).some(isSetting)) {
      address.own = { ...this.worksheetKeys(), ...settings };
      address.write();
    }
    clearTimeout(this.due);
    this.due = setTimeout(() => {
      this.number += 1;
      this.foreseeing = this.number;
      this.send("input", { number: this.number });
      for (const button of this.all("button.look[aria-expanded=true]"))
        this.look(button.dataset.what);
      if (this.find("#more-schedule").open) this.look("schedule");
    }, WAIT);
  }

  look(what) {
    if (what !== "schedule") this.busy(what, true);
    this.number += 1;
    this.looks[what] = this.number;
    this.send("select", { what, number: this.number, timed: this.timed ?? [] });
  }

  // Where what is looked at stands: the schedule in the form, all else beside it, where there is room.
  place(what) {
    return what === "schedule"
      ? this.find(".curve")
      : document.querySelector(`.side.${SIDES[what] ?? what}`);
  }

  busy(what, on) {
    this.place(what)?.classList.toggle("working", on);
  }

  // --- what the server says

  hear({ kind, ...answer }) {
    if (answer.failed) {
      this.find(".start-button").disabled = false;
      for (const what of ["cards", "inside", "schedule", "preview"])
        this.busy(what, false);
    }
    if (kind === "begun") {
      this.find(".start-button").disabled = false;
      this.find(".messages").replaceChildren(
        ...answer.messages.map(([kind, text]) =>
          el(
            `p.message.${kind}`,
            { attrs: { role: kind === "wrong" ? "alert" : "status" } },
            text,
          ),
        ),
      );
      if (answer.runs.length) {
        store.add(answer.runs);
        if (matchMedia("(max-width: 900px)").matches)
          document
            .querySelector(".runs-slot[data-tab=train]")
            ?.scrollIntoView({ behavior: "smooth" });
      }
    }
    if (kind === "foreseen" && answer.number === this.foreseeing)
      this.foresee(answer);
    if (kind === "html" && answer.number === this.looks[answer.what])
      this.fit(answer.what, answer.html);
    if (kind === "uploaded") {
      if (answer.reference) {
        this.upload = answer.reference;
        kept.set("seglab-upload", answer.reference);
        this.pick("data", ["folder"]);
        this.shown();
        this.changed();
        this.looks.inside = 0; // one that was asked before is of other data
      }
      this.find(".refused").innerHTML = answer.reference ? "" : answer.html;
      this.find("[data-what=inside]").setAttribute(
        "aria-expanded",
        String(Boolean(answer.reference)),
      );
      if (answer.reference) this.fit("inside", answer.html);
    }
  }

  fit(what, html) {
    const place = this.place(what),
      fresh = !place.childElementCount;
    place.innerHTML = html; // the server's own, in which names are escaped
    this.busy(what, false);
    const pressed = what === "preview"; // all else also follows the form, and must not jump then
    if ((fresh || pressed) && what !== "schedule")
      place.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  foresee({ count, seconds, command, error, timing }) {
    const place = this.find(".foreseen");
    place.classList.toggle("wrong", Boolean(error));
    this.find(".start-button").textContent =
      count > 1 ? t("Start {count} runs", { count }) : t("Start");
    this.find(".command pre").textContent = command ?? "";
    const runs = count === 1 ? t("1 run") : t("{count} runs", { count });
    place.textContent =
      error ??
      (seconds === null || seconds === undefined
        ? timing
          ? t("{runs}; measuring how long that takes …", { runs })
          : runs
        : t("{runs}, about {time}", { runs, time: duration(seconds) }));
    if (timing) {
      clearTimeout(this.measuring);
      this.measuring = setTimeout(
        () => this.send("edit", { number: this.foreseeing }),
        1500,
      );
    }
  }
}
