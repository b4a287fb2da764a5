// Fields of the forms, and what opens and closes around them.

// What a field holds, as it is sent.
export function held(field) {
  const input = field.querySelector("[name]");
  if (!input) return null;
  if (input.type === "checkbox") return input.checked;
  if (input.tagName === "SELECT") return JSON.parse(input.value);
  if (input.type !== "number") return input.value;
  return input.value === "" ? null : Number(input.value);
}

// The values that fields of a form have at first, by name.
export const firsts = (form) =>
  Object.fromEntries(
    [...form.querySelectorAll(".field")].map(({ dataset }) => [
      dataset.option,
      JSON.parse(dataset.first),
    ]),
  );

// Gives fields of a form these values, by name, also the sliders beside them.
export function put(form, values) {
  for (const [name, value] of Object.entries(values))
    for (const input of form.querySelectorAll(
      `[data-option="${name}"] :is(input, select, textarea)`,
    )) {
      if (input.type === "checkbox") input.checked = value;
      else input.value = value;
    }
}

// Folds a list, or a menu, and goes back to where it was opened.
export function close(details) {
  details.open = false;
  details.querySelector("summary").focus();
}

const OPEN = "details.choose[open], details.menu[open]";

document.addEventListener("click", (event) => {
  const own = event.target.closest(".modes")?.parentElement; // whose button has just opened its list
  for (const each of document.querySelectorAll(OPEN)) {
    if (!each.contains(event.target) && each.parentElement !== own)
      each.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && event.target.closest(OPEN);
  if (open) close(open);
});

// A slider and the number beside it are one option.
document.addEventListener(
  "input",
  (event) => {
    const inputs =
      event.target
        .closest(".field.slider")
        ?.querySelectorAll("input[type=range], input[type=number]") ?? [];
    for (const each of inputs)
      if (each !== event.target) each.value = event.target.value;
  },
  { capture: true },
);
