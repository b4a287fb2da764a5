// A report of two sides, which has in itself all that is looked at in it.
import { pixels, scaled } from "./pixels.js";
import { cut } from "./sides.js";
import { spread } from "./spread.js";
import { el, t } from "./text.js";
import { Where } from "./where.js";

const known = JSON.parse(document.getElementById("report").textContent);

async function inflated(base64) {
  const packed = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0)),
    stream = new Blob([packed])
      .stream()
      .pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// What `Served` is for the page.
class Packed {
  async maps(n) {
    this.found ??= [];
    this.found[n] ??= cut(await inflated(known.maps[n]), [known.images[n]])[0];
    return this.found[n];
  }

  async photo(n, width, height) {
    if (!known.photos.length) return null;
    this.seen ??= [];
    this.seen[n] ??= pixels(`data:image/webp;base64,${known.photos[n]}`);
    return scaled(await this.seen[n], width, height);
  }

  counts(focus) {
    const counted = async (_, n) => focus.count(await this.maps(n));
    return Promise.all(known.images.map(counted));
  }

  async regions() {
    return known.regions;
  }

  async recipes() {
    return known.recipes;
  }

  replay() {
    return inflated(known.replay);
  }
}

const where = new Where({
  watching: true,
  looked() {},
  nameOf: (side) => known.names[side],
  // the numbers are those of all images
  link() {
    const { image, ...place } = where.spot,
      query = new URLSearchParams({ ...place, image: known.numbers[image] });
    return `${known.link}&${query}`;
  },
});
const place = document.getElementById("where");
if (known.images.length < known.all)
  place.append(
    el(
      "p.hint",
      {},
      t(
        "In this file are the {count} images of {all} in which they differ most.",
        { count: known.images.length, all: known.all },
      ),
    ),
  );
place.append(where.root);
where.take(known, new Packed());
document.addEventListener("click", (event) => {
  if (where.press(event))
    where.root.scrollIntoView({ block: "start", behavior: "smooth" });
});
const { verdict } = known;
if (verdict.low !== null)
  document
    .querySelector(".verdict")
    .append(
      spread(
        verdict,
        t(
          "What the difference in mIoU could be; the line is the interval, the dot what was measured",
        ),
      ),
    );
document.getElementById("theme").append(
  el(
    "button.act",
    {
      type: "button",
      on: { click: () => document.documentElement.classList.toggle("dark") },
    },
    t("Light or dark"),
  ),
);
