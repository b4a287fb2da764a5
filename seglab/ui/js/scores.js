// Tables of the shown runs, made on the server; sorted here.
import { address } from "./address.js";
import { store } from "./store.js";
import { el, lang, t } from "./text.js";

export function scores(element, trigger) {
  const body = el("div");
  element.append(body);
  let asked,
    was = "";

  async function read() {
    if (address.tab !== "compare") return;
    const names = store.rowsShown
      .filter((row) => row.state !== "damaged")
      .map((row) => row.run);
    const state = names
      .map((name) => JSON.stringify(store.rows.get(name)))
      .join();
    if (state === was) return;
    was = state;
    const mine = (asked = {});
    if (!names.length) {
      body.replaceChildren(
        el("p.hint", {}, t("Show two or more runs in the list above.")),
      );
      return;
    }
    const query = new URLSearchParams(names.map((name) => ["run", name]));
    query.append("lang", lang);
    try {
      const answer = await fetch(`seglab/scores?${query}`);
      const text = answer.ok ? await answer.text() : null;
      if (mine !== asked) return;
      if (text !== null)
        body.innerHTML = text; // the server's own, in which names are escaped
      else
        body.replaceChildren(
          el(
            "p.message.wrong",
            { attrs: { role: "alert" } },
            (await answer.json()).error,
          ),
        );
      for (const table of body.querySelectorAll("table.sortable"))
        sortable(table);
    } catch {
      was = "";
    }
  }
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button.act[data-run]");
    if (!button) return;
    for (const each of body.querySelectorAll("button.act"))
      each.disabled = true;
    trigger("click", { run: button.dataset.run });
  });
  for (const event of ["shown", "rows"]) store.addEventListener(event, read);
  address.addEventListener("tab", read);
  read();
  return () => {
    for (const each of body.querySelectorAll("button.act"))
      each.disabled = false;
  };
}

// A click on a column's title sorts by it, and once more the other way round.
function sortable(table) {
  for (const [n, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = el("button.sort", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const each of table.tHead.rows[0].cells)
        each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => {
        const text = row.cells[n].textContent.trim(),
          number = parseFloat(text.replaceAll(",", ""));
        return Number.isNaN(number) ? text : number;
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // what has no number comes last
        return (
          (x < y ? -1 : x > y ? 1 : 0) *
          (down ? -1 : 1) *
          (typeof x === "string" ? -1 : 1)
        );
      });
      table.tBodies[0].append(...rows);
    });
  }
}
