// The five kinds of pixels by their truth and two labels, as the server counts them, and how they are painted.
import { rgb, VOID } from "./pixels.js";

export const BOTH = 0,
  ONLY_A = 1,
  ONLY_B = 2,
  ALIKE = 3,
  DIFFERENTLY = 4;
const COLORS = {
  [ONLY_A]: rgb("#0072b2"),
  [ONLY_B]: rgb("#e69f00"),
  [ALIKE]: rgb("#4b5563"),
  [DIFFERENTLY]: rgb("#cc79a7"),
};

// What a pixel is.
export const kindOf = (truth, a, b) =>
  a === truth
    ? b === truth
      ? BOTH
      : ONLY_A
    : b === truth
      ? ONLY_B
      : a === b && a !== VOID
        ? ALIKE
        : DIFFERENTLY;

// How many pixels there are of each kind; void counts for nothing.
export function counted(truth, a, b) {
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++)
    if (truth[i] !== VOID) counts[kindOf(truth[i], a[i], b[i])]++;
  return counts;
}

// The color of pixel i of an image so wide; where one kind is lit, the others are not shown, and where none is, what
// both sides have wrong alike is hatched.
export function colorOf(kind, i, width, lit = null) {
  if (kind === BOTH || (lit !== null && lit !== kind)) return null;
  const stripe = ((i % width) + Math.floor(i / width)) % 4 < 2;
  return kind === ALIKE && lit === null && stripe ? null : COLORS[kind];
}

// Paints colors over a photograph, which is grayed where errors are shown; where it is not here, over gray.
export function fill(canvas, { width, height, photo }, color, gray, strength) {
  const out = new ImageData(width, height),
    data = out.data;
  for (let i = 0; i < width * height; i++) {
    const p = 4 * i,
      over = color(i),
      light =
        gray && photo
          ? 110 +
            0.5 * (0.3 * photo[p] + 0.59 * photo[p + 1] + 0.11 * photo[p + 2])
          : 0;
    for (let c = 0; c < 3; c++) {
      const base = photo ? (gray ? light : photo[p + c]) : 200;
      data[p + c] = over ? base * (1 - strength) + over[c] * strength : base;
    }
    data[p + 3] = 255;
  }
  if (canvas.width !== width || canvas.height !== height)
    [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(out, 0, 0);
}

// An image of so many pixels' width at most, each from the nearest: for a thumbnail.
export function shrunk({ width, height, photo, ...maps }, most) {
  const step = Math.ceil(width / most);
  if (step === 1) return { width, height, photo, ...maps };
  const small = [Math.floor(width / step), Math.floor(height / step)],
    from = [];
  for (let y = 0; y < small[1]; y++)
    for (let x = 0; x < small[0]; x++) from.push(y * step * width + x * step);
  const found = { width: small[0], height: small[1], photo: null };
  for (const [name, map] of Object.entries(maps))
    found[name] = Uint8Array.from(from, (i) => map[i]);
  if (photo) {
    found.photo = new Uint8ClampedArray(4 * from.length);
    from.forEach((i, k) =>
      found.photo.set(photo.subarray(4 * i, 4 * i + 4), 4 * k),
    );
  }
  return found;
}

// Where label maps of one image differ, without truth: for each pixel whether they do, the share of pixels in which they
// agree, and the sets of labels that stand against each other with their shares, most pixels first.
export function apart(maps) {
  const differ = new Uint8Array(maps[0].length),
    sets = new Map();
  let same = 0;
  for (let i = 0; i < differ.length; i++) {
    if (maps.every((map) => map[i] === maps[0][i])) {
      same++;
      continue;
    }
    differ[i] = 1;
    const key = [...new Set(maps.map((map) => map[i]))]
      .sort((a, b) => a - b)
      .join();
    sets.set(key, (sets.get(key) ?? 0) + 1);
  }
  const found = [...sets].sort((a, b) => b[1] - a[1]);
  return {
    differ,
    same: same / differ.length,
    sets: found.map(([key, count]) => [
      key.split(",").map(Number),
      count / differ.length,
    ]),
  };
}

export const percent = (share) => `${(100 * share).toFixed(1)} %`;
