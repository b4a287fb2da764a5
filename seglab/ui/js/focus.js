// Parts of images that other views open: the pixels of a cell of the confusion matrix, and those at a distance from a
// border. Each has a `text`, says which pixels are `within` it, counts what orders the images by, and has an address
// below the server's, which counts the same.
import { VOID } from "./pixels.js";
import { t } from "./text.js";

// The pixels of a true class that one side or both took for another one; only what one of them did counts.
export function cell(truth, label, classes) {
  const given = label < classes.length ? label : VOID; // what a side takes for none of the classes
  const within = (maps) => (i) =>
    maps.truth[i] === truth && (maps.a[i] === given || maps.b[i] === given);
  const names = {
    truth: classes[truth][1],
    label: classes[label]?.[1] ?? t("no class"),
  };
  return {
    path: `cell/${truth}/${label}`,
    text: t("{truth} labeled {label}", names),
    classes: [truth, given],
    within,
    count: (maps) => sum(maps, within(maps), (i) => maps.a[i] !== maps.b[i]),
  };
}

// The pixels at a distance from `low` to below `high` of a border; without `high`, at any from there on. It counts by
// how many more one side has wrong.
export function bin(number, low, high) {
  const within = (maps) => {
    const near = nearness(maps, high ?? low);
    return (i) => near[i] >= low * low && (!high || near[i] < high * high);
  };
  const wrong = (maps, side) => (i) =>
    maps.truth[i] !== VOID && maps[side][i] !== maps.truth[i];
  const many = high ? (high - low > 1 ? `${low}–${high}` : low) : `${low}+`;
  return {
    path: `bin/${number}`,
    text: t("Distance to a border: {count}", { count: many }),
    classes: null,
    within,
    count: (maps) => {
      const here = within(maps);
      return Math.abs(
        sum(maps, here, wrong(maps, "b")) - sum(maps, here, wrong(maps, "a")),
      );
    },
  };
}

function sum({ truth }, ...conditions) {
  let count = 0;
  for (let i = 0; i < truth.length; i++)
    if (conditions.every((each) => each(i))) count++;
  return count;
}

const known = new WeakMap(); // by truth, of which there are few at a time

// For each pixel the square of the Euclidean distance, `reach` at most, to the nearest pixel that has a neighbor (left,
// right, above or below) of another class, as the server has it; void makes no border.
export function nearness({ truth, width, height }, reach) {
  const made = known.get(truth);
  if (made?.reach === reach) return made.squares;
  const along = new Uint8Array(truth.length).fill(reach),
    squares = new Uint16Array(truth.length).fill(reach * reach);
  const mark = (i, j) => {
    if (truth[i] !== truth[j] && truth[i] !== VOID && truth[j] !== VOID)
      along[i] = along[j] = 0;
  };
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (x + 1 < width) mark(i, i + 1);
      if (y + 1 < height) mark(i, i + width);
    }
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = 1; x < width; x++)
      along[row + x] = Math.min(along[row + x], along[row + x - 1] + 1);
    for (let x = width - 2; x >= 0; x--)
      along[row + x] = Math.min(along[row + x], along[row + x + 1] + 1);
  }
  for (let up = -reach; up <= reach; up++)
    for (let y = Math.max(0, -up); y < Math.min(height, height - up); y++) {
      const from = (y + up) * width,
        to = y * width;
      for (let x = 0; x < width; x++) {
        const square = along[from + x] * along[from + x] + up * up;
        if (square < squares[to + x]) squares[to + x] = square;
      }
    }
  known.set(truth, { reach, squares });
  return squares;
}
