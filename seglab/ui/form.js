// The forms' fields: reads them, and shows those of the entries that are picked.
window.seglab = (() => {
  const held = field => {
    if (field.type === 'checkbox') return field.checked;
    if (field.tagName === 'SELECT') return JSON.parse(field.value);
    if (field.type !== 'number') return field.value;
    return field.value === '' ? null : Number(field.value);
  };
  return {
    // What every option on the page holds: {field: {entry: {option: value}}}.
    options() {
      const found = {};
      for (const entry of document.querySelectorAll('[data-entry]')) {
        const options = [...entry.querySelectorAll('[name]')].map(field => [field.name, held(field)]);
        const field = found[entry.dataset.field] ??= {};
        field[entry.dataset.entry] = {...field[entry.dataset.entry], ...Object.fromEntries(options)};
      }
      return found;
    },
    // Shows the options of the picked entries in their order, and no others.
    show(panel, picked) {
      const names = [picked].flat();
      for (const entry of document.querySelectorAll(`${panel} [data-entry]`)) {
        const place = names.indexOf(entry.dataset.entry);
        entry.hidden = place < 0;
        entry.style.order = place;
      }
    },
  };
})();
// A slider and the number beside it are one option.
document.addEventListener('input', event => {
  const fields = event.target.closest('.field.slider')?.querySelectorAll('input') ?? [];
  for (const field of fields) if (field !== event.target) field.value = event.target.value;
});
