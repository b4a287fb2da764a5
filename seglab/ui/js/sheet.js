// What the panes show as a picture to take away, with what it was made of in it.
const GAP = 12,
  INK = "#1e293b",
  FONT = "system-ui, sans-serif",
  KEY = "seglab"; // of the text in a PNG

// Some of the panes in rows, each a list of names, on white, and below them lines of text. Beside a pane that is alone
// in its row stands what the colors mean.
export function sheet(panes, rows, lines, width) {
  const ratio = panes.current.height / panes.current.width,
    boxes = [];
  let y = GAP;
  for (const names of rows) {
    const each =
      (width - GAP * (names.length + 1)) / Math.max(names.length, 1.6);
    names.forEach((name, n) =>
      boxes.push({ name, x: GAP + n * (each + GAP), y, each }),
    );
    y += each * ratio + 26 + GAP;
  }
  const canvas = document.createElement("canvas"),
    context = canvas.getContext("2d");
  context.font = `14px ${FONT}`;
  const told = lines.flatMap((line) => wrapped(context, line, width - 2 * GAP));
  canvas.width = width;
  canvas.height = Math.ceil(y + 20 * told.length + GAP);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, canvas.height);
  for (const box of boxes) {
    draw(context, panes, box, ratio);
    if (box.each > width / 2) explain(context, panes.meaning, box);
  }
  context.font = `14px ${FONT}`;
  told.forEach((line, n) => context.fillText(line, GAP, y + 16 + 20 * n));
  return canvas;
}

function draw(context, panes, { name, x, y, each }, ratio) {
  const { canvas: from, title } = panes.panes[name],
    [left, top, wide, high] = panes.window;
  context.imageSmoothingEnabled = false;
  context.drawImage(
    from,
    left * from.width,
    top * from.height,
    wide * from.width,
    high * from.height,
    x,
    y,
    each,
    each * ratio,
  );
  const text = [...title.children].map((part) => part.textContent).join("  ");
  context.fillStyle = INK;
  context.font = `600 13px ${FONT}`;
  context.fillText(text, x, y + each * ratio + 18, each);
}

function explain(context, key, { x, y, each }) {
  context.font = `14px ${FONT}`;
  key.forEach((entry, n) => {
    if (!entry) return;
    const left = x + each + 2 * GAP,
      top = y + 22 * n;
    if (entry.color) {
      context.fillStyle = `rgb(${entry.color.join()})`;
      context.fillRect(left, top, 14, 14);
    }
    context.fillStyle = INK;
    context.fillText(entry.text, left + 22, top + 12);
  });
}

// A text in lines that are no wider than so many pixels.
function wrapped(context, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (lines.at(-1) && context.measureText(longer).width > width)
      lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// --- what a PNG carries: a chunk of text, before the one that ends it (PNG specification, sections 5 and 11.3.3)

// A canvas as PNG, with a value as JSON in it.
export async function png(canvas, value) {
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png")),
    bytes = new Uint8Array(await blob.arrayBuffer());
  // a text of such a chunk is Latin-1
  const json = JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const body = new TextEncoder().encode(`tEXt${KEY}\0${json}`),
    chunk = new Uint8Array(body.length + 8),
    view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, crc(body));
  const end = bytes.length - 12; // of the chunk IEND
  return new Blob([bytes.subarray(0, end), chunk, bytes.subarray(end)], {
    type: "image/png",
  });
}

// The value that a PNG carries, or null.
export function carried(buffer) {
  const bytes = new Uint8Array(buffer),
    view = new DataView(buffer),
    text = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (text(1, 4) !== "PNG") return null;
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const from = at + 8,
      to = from + view.getUint32(at);
    if (text(at + 4, from) !== "tEXt" || text(from, from + 7) !== `${KEY}\0`)
      continue;
    try {
      return JSON.parse(new TextDecoder().decode(bytes.subarray(from + 7, to)));
    } catch {
      return null;
    }
  }
  return null;
}

// CRC-32 of ISO 3309, as PNG has it.
function crc(bytes) {
  let rest = ~0;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++)
      rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}
