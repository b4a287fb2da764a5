// The head of the page: what it is for, who looks at it, and whether it is dark.
import { address } from "./address.js";
import { kept } from "./kept.js";
import { store } from "./store.js";
import { el, lang, t } from "./text.js";

export function header(element) {
  const head =
    element.querySelector(".masthead") ?? document.querySelector(".masthead");
  head.querySelector(".tagline").textContent = t(
    "Train small segmentation models and see what each choice does",
  );
  for (const link of head.querySelectorAll("a[data-language]")) {
    if (link.dataset.language === lang)
      link.setAttribute("aria-current", "true");
  }
  address.write();
  theme(head.querySelector(".theme"));
  const who = head.querySelector(".who");
  const title = el("summary");
  who.replaceChildren(el("details.menu", {}, title, panel()));
  const draw = () => {
    const { me, visitor } = store;
    who.hidden = !me.shared;
    const name = visitor.nickname || t("No nickname");
    title.textContent = me.teacher ? t("{name} (teacher)", { name }) : name;
  };
  store.addEventListener("me", draw);
  draw();
}

function panel() {
  const field = (text, name, type, hint) =>
    el(
      "label",
      {},
      el("b", {}, text),
      el("small", {}, hint),
      el("input", {
        type,
        value: store.visitor[name] ?? "",
        maxLength: 40,
        autocomplete: "off",
        on: {
          change: (event) =>
            store.change({ [name]: event.target.value.trim() }),
        },
      }),
    );
  return el(
    "div.panel",
    {},
    field(
      t("Nickname"),
      "nickname",
      "text",
      t("Stands beside your runs, for everybody to see."),
    ),
    field(
      t("Teacher's key"),
      "key",
      "password",
      t("For whoever runs this server: stops and deletes all runs."),
    ),
    el(
      "p.hint",
      {},
      t(
        "Your runs are yours by a random number that this browser keeps. Nothing else about you is kept.",
      ),
    ),
  );
}

function theme(button) {
  let dark = window.seglab.dark();
  const draw = () => {
    document.body.classList.toggle("dark", dark);
    button.textContent = dark ? "☀" : "☾";
    button.setAttribute(
      "aria-label",
      dark ? t("Light colors") : t("Dark colors"),
    );
  };
  button.addEventListener("click", () => {
    dark = !dark;
    kept.set("seglab-dark", dark);
    draw();
  });
  draw();
}
