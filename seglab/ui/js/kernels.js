// The two kernels of the dense CRF, seen from one pixel: how much every other pixel has to say there.
import { rgb } from "./pixels.js";

const REACH = 4, // standard deviations, beyond which a kernel is as good as 0
  APPEARANCE = rgb("#f97316"),
  SMOOTHNESS = rgb("#22d3ee");

// Both at every pixel of an image {width, height, photo}, from the pixel at (x, y), as they are before they are
// normalized, and what each adds up to; without its photograph there is no appearance.
export function kernels({ width, height, photo }, [x, y], setting) {
  const { theta_alpha, theta_beta, theta_gamma } = setting,
    at = 4 * (y * width + x),
    reach = Math.ceil(REACH * Math.max(theta_gamma, photo ? theta_alpha : 0));
  const appearance = new Float32Array(width * height),
    smoothness = new Float32Array(width * height),
    sums = { appearance: 0, smoothness: 0 };
  for (
    let v = Math.max(0, y - reach);
    v <= Math.min(height - 1, y + reach);
    v++
  )
    for (
      let u = Math.max(0, x - reach);
      u <= Math.min(width - 1, x + reach);
      u++
    ) {
      const i = v * width + u,
        apart = (u - x) ** 2 + (v - y) ** 2;
      sums.smoothness += smoothness[i] = Math.exp(
        -apart / (2 * theta_gamma ** 2),
      );
      if (!photo) continue;
      let other = 0;
      for (let c = 0; c < 3; c++)
        other += (photo[4 * i + c] - photo[at + c]) ** 2;
      sums.appearance += appearance[i] = Math.exp(
        -apart / (2 * theta_alpha ** 2) - other / (2 * theta_beta ** 2),
      );
    }
  return { appearance, smoothness, sums };
}

// Paints them over the photograph in gray, the appearance kernel in orange, the smoothness kernel in cyan.
export function paint(
  canvas,
  { width, height, photo },
  { appearance, smoothness },
) {
  const out = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const p = 4 * i,
      gray = photo
        ? 30 +
          0.6 * (0.3 * photo[p] + 0.59 * photo[p + 1] + 0.11 * photo[p + 2])
        : 110;
    for (let c = 0; c < 3; c++) {
      const near = gray + 0.9 * appearance[i] * (APPEARANCE[c] - gray);
      out.data[p + c] = near + 0.7 * smoothness[i] * (SMOOTHNESS[c] - near);
    }
    out.data[p + 3] = 255;
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
}
