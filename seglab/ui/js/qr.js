// An address as a QR code.
import { el } from "./text.js";

const MOST = 1500, // characters in a code that a phone reads from a wall
  MARGIN = 4; // modules around it, as the standard has it

// A canvas with the code; nothing where the text is too long for one.
export async function coded(text) {
  if (text.length > MOST) return null;
  const { qrcode } = await import("./vendor/qrcode-generator/qrcode.mjs"),
    code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const count = code.getModuleCount(),
    size = count + 2 * MARGIN,
    canvas = el("canvas", { width: size, height: size }),
    context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  context.fillStyle = "#000";
  for (let row = 0; row < count; row++)
    for (let column = 0; column < count; column++)
      if (code.isDark(row, column))
        context.fillRect(column + MARGIN, row + MARGIN, 1, 1);
  return canvas;
}
