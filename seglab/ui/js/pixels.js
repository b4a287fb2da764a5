// Pictures as numbers: pixels, label maps, colors.
export const VOID = 255; // the label of pixels that count for nothing

export const clamp = (value) => Math.min(1, Math.max(0, value));

// A color such as #87ceeb as its three parts.
export const rgb = (color) =>
  [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));

async function decoded(url) {
  const blob = await (await fetch(url)).blob();
  return createImageBitmap(blob, {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
}

// An image's pixels, four values each.
export async function pixels(url) {
  const bitmap = await decoded(url),
    canvas = new OffscreenCanvas(bitmap.width, bitmap.height),
    context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return {
    width: bitmap.width,
    height: bitmap.height,
    data: context.getImageData(0, 0, bitmap.width, bitmap.height).data,
  };
}

// The label map that a gray picture is: one value for each pixel.
export async function labels(url) {
  const { width, height, data } = await pixels(url),
    found = new Uint8Array(width * height);
  for (let i = 0; i < found.length; i++) found[i] = data[4 * i];
  return { width, height, data: found };
}

// At another size, each pixel from the nearest.
export function fitted(map, width, height) {
  if (map.width === width && map.height === height) return map.data;
  const found = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      found[y * width + x] =
        map.data[
          Math.floor((y * map.height) / height) * map.width +
            Math.floor((x * map.width) / width)
        ];
  return found;
}

const sizes = new WeakMap();
export function scaled(image, width, height) {
  if (image.width === width && image.height === height) return image.data;
  const known = sizes.get(image);
  if (known?.width === width && known.height === height) return known.data;
  const from = new OffscreenCanvas(image.width, image.height),
    to = new OffscreenCanvas(width, height);
  from
    .getContext("2d")
    .putImageData(new ImageData(image.data, image.width), 0, 0);
  const context = to.getContext("2d");
  context.drawImage(from, 0, 0, width, height);
  const data = context.getImageData(0, 0, width, height).data;
  sizes.set(image, { width, height, data });
  return data;
}
