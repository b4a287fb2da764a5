// The Start tab: which street, and what is shown of it.
import { address } from "./address.js";
import { kept, keptHere } from "./kept.js";
import { el, lang, t } from "./text.js";
import { LONGEST } from "./worksheet.js";

const SHEET = "seglab-worksheet";

const early = document.getElementById("first-screen");
if (early?.firstElementChild) begin(early.firstElementChild); // pressed before Gradio has made the page

export function start(element) {
  const fill = (root) => {
    element.replaceChildren(root);
    sheet(root);
  };
  if (early?.firstElementChild) fill(early.firstElementChild);
  else
    fetch(`seglab/start?lang=${lang}`)
      .then((answer) => answer.text())
      .then((text) => {
        const holder = el("div");
        holder.innerHTML = text; // the server's own
        if (!holder.firstElementChild) return;
        begin(holder.firstElementChild);
        fill(holder.firstElementChild);
      });
  early?.remove();
}

function begin(root) {
  const street = root.querySelector(".street"),
    images = [...street.querySelectorAll("img")];
  const press = (group, button) => {
    for (const each of root.querySelectorAll(`${group} button`))
      each.setAttribute("aria-pressed", String(each === button));
  };
  const index = () => Number(street.dataset.index);
  const draw = () => {
    for (const image of images)
      image.src = image.dataset.pictures.split(" ")[index()];
    for (const canvas of street.querySelectorAll("canvas")) canvas.remove();
    if (street.dataset.layer === "errors")
      for (const figure of street.querySelectorAll(".guess"))
        errors(figure, images[1]);
    const photo = new URL(
      images[0].dataset.pictures.split(" ")[index()],
      document.baseURI,
    );
    street.style.setProperty("--photo", `url("${photo}")`);
  };
  root.addEventListener("click", (event) => {
    const page = event.target.closest(".pages button"),
      layer = event.target.closest(".layers button");
    if (page) {
      street.dataset.index = page.dataset.index;
      press(".pages", page);
      draw();
    }
    if (layer) {
      street.dataset.layer = layer.dataset.layer;
      press(".layers", layer);
      draw();
    }
  });
}

// Paints where a mask is another than the truth: red, everything else gray.
async function errors(figure, truth) {
  const guess = figure.querySelector("img");
  await Promise.all(
    [guess.decode(), truth.decode()].map((each) => each.catch(() => {})),
  );
  const [width, height] = [guess.naturalWidth, guess.naturalHeight];
  if (!width || figure.closest(".street").dataset.layer !== "errors") return;
  const pixels = (image) => {
    const canvas = Object.assign(document.createElement("canvas"), {
      width,
      height,
    });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0, width, height);
    return { canvas, context, data: context.getImageData(0, 0, width, height) };
  };
  const { canvas, context, data } = pixels(guess),
    known = pixels(truth).data.data;
  const colors = new Uint32Array(data.data.buffer),
    other = new Uint32Array(known.buffer);
  const [, wrong, right, unknown] = [0, 0xff2626dc, 0xffd8d8d8, 0xff000000];
  for (let n = 0; n < colors.length; n++)
    colors[n] =
      other[n] === unknown
        ? 0xffffffff
        : colors[n] === other[n]
          ? right
          : wrong;
  context.putImageData(data, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", t("Where it is wrong, in red"));
  figure.querySelector("canvas")?.remove();
  figure.prepend(canvas);
}

// What a teacher's link brought: its title and task, and the way to the form, which it has filled. The form writes what
// is changed into the address; while the tab is open, the link stays as it came.
function sheet(root) {
  const [title, task] = [address.own.title, address.own.task].map((text) =>
      text?.slice(0, LONGEST),
    ),
    key = JSON.stringify([title, task]);
  if ((title || task) && keptHere.get(SHEET) !== key) {
    kept.set(SHEET, {
      title,
      task,
      query: new URLSearchParams(address.own).toString(),
    });
    keptHere.set(SHEET, key);
  }
  const sheet = kept.get(SHEET);
  if (!sheet) return;
  const card = el(
    "div.sheet",
    {},
    el("small", {}, t("From your teacher")),
    el("h3", {}, sheet.title ?? ""),
    sheet.task ? el("p", {}, sheet.task) : null,
    el(
      "span.buttons",
      {},
      el("a.act", { href: `#train?${sheet.query}` }, t("Open")),
      el(
        "button.act",
        {
          type: "button",
          on: {
            click: () => {
              kept.remove(SHEET);
              card.remove();
            },
          },
        },
        t("Remove"),
      ),
    ),
  );
  root.querySelector(".ways").before(card);
}
