// What is known of two sides' pixels: each image's label maps and photograph, and the few images' epochs. `Served` asks
// the server for what is looked at; a report has all of it in itself (report.js).
import { asked } from "./brought.js";
import { pixels, scaled } from "./pixels.js";

const MOST_PHOTOS = 60,
  MOST_PAGES = 6; // that are kept; of larger sets those that were looked at last

export class Served {
  constructor(known) {
    this.known = known;
    this.loaded = new Map(); // pages, those asked for last at the end
    this.photos = new Map();
  }

  pageOf(n) {
    return this.known.pages.findLastIndex((first) => first <= n);
  }

  // {width, height, truth, a, b} of an image, or nothing where it cannot be had; those of its page come together.
  async maps(n) {
    const page = this.pageOf(n);
    try {
      return (await kept(this.loaded, page, MOST_PAGES, () => this.load(page)))[
        n - this.known.pages[page]
      ];
    } catch {
      this.loaded.delete(page);
      return null;
    }
  }

  async load(page) {
    const { pages, images, query } = this.known,
      answer = await asked(`seglab/lab/maps/${page}?${query}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return cut(bytes, images.slice(pages[page], pages[page + 1]));
  }

  // RGBA at the size of an image's label maps, or nothing where its data is not here.
  async photo(n, width, height) {
    const { photos, version } = this.known;
    if (!photos) return null;
    const address = `${photos}${n}.webp?v=${version}`;
    const found = await kept(this.photos, n, MOST_PHOTOS, () =>
      pixels(address).catch(() => null),
    );
    return found && scaled(found, width, height);
  }

  // For each image, how many pixels a focus counts.
  counts({ path }) {
    return this.json(path);
  }

  regions() {
    return this.json("regions");
  }

  // How both sides were made.
  recipes() {
    return this.json("recipes");
  }

  async json(path) {
    const answer = await asked(`seglab/lab/${path}?${this.known.query}`),
      found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  }

  // The few images' label maps after every evaluation, one side's after the other's, as bytes.
  async replay() {
    const [a, b] = this.known.epochs.map((epochs) => epochs.length),
      query = `${this.known.query}&epochs_a=${a}&epochs_b=${b}`,
      answer = await asked(`seglab/lab/replay?${query}`);
    if (!answer.ok) throw new Error(answer.statusText);
    return new Uint8Array(await answer.arrayBuffer());
  }
}

// The value of a key, made where it is not there; of more than so many, the one that was asked for longest ago goes.
function kept(values, key, most, make) {
  const value = values.get(key) ?? make();
  values.delete(key);
  values.set(key, value);
  if (values.size > most) values.delete(values.keys().next().value);
  return value;
}

// Bytes as the label maps of images: truth, A and B of each.
export function cut(bytes, images) {
  let start = 0;
  return images.map(({ size: [height, width] }) => {
    const part = () => bytes.subarray(start, (start += height * width));
    return { width, height, truth: part(), a: part(), b: part() };
  });
}

// Bytes of a replay by side and epoch: pairs of an epoch and the label maps of the few images, by their number.
export function replayed(bytes, { epochs, samples, images }) {
  let start = 0;
  return epochs.map((all) =>
    all.map((epoch) => [
      epoch,
      new Map(
        samples.map((n) => {
          const [height, width] = images[n].size;
          return [n, bytes.subarray(start, (start += height * width))];
        }),
      ),
    ]),
  );
}
