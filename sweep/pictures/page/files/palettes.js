// Palettes as evenly spaced colours: the ones that `spinsweep plot` uses.

export const PALETTES = {
  viridis:
    "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e 26828e 23898e " +
    "21918c 1f988b 1fa088 22a785 28ae80 32b67a 3fbc73 4ec36b 5ec962 70cf57 84d44b 98d83e addc30 c2df23 d8e219 ece51b " +
    "fde725",
  signed:
    "053061 0e4179 175290 1f63a8 2a71b2 3480b9 3f8ec0 529dc8 6bacd1 84bcd9 9bc9e0 aed3e6 c2ddec d4e6f1 e0ecf3 ecf2f5 " +
    "f7f6f6 f9eee7 fbe5d8 fddcc9 fbccb4 f8bb9e f5aa89 ee9677 e48066 db6b55 d05548 c53e3d ba2832 ab162a 930e26 7c0722 " +
    "67001f",
  phase:
    "e2d9e2 d7d7dd c4ced4 acc2cc 95b5c7 81a6c3 7297c1 6887be 6276ba 5f64b5 5e51ad 5d3da1 592a8f 511b77 45135c 381145 " +
    "2f1436 3a113a 4a1342 5f174a 741e4f 872750 983550 a64550 b25652 bb6958 c27c63 c89073 cca389 d1b6a3 d8c7be dfd4d6 " +
    "e2d9e2",
};

// Colours of curves, told apart by colour-blind eyes too, on light and on dark ground.
export const CYCLE = {
  light: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#B57900", "#000000", "#7A7A7A"],
  dark: ["#4FB0F0", "#FF8A3D", "#2CCB9C", "#E79CC8", "#9AD5FF", "#E6B03C", "#FFFFFF", "#A8A8A8"],
};

const tables = new Map();

/** 256 colours of a palette as numbers that an ImageData's 32-bit view takes. */
export function table(name) {
  if (!tables.has(name)) {
    const stops = PALETTES[name].split(" ").map((hex) => [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16)));
    const found = new Uint32Array(256);
    for (let k = 0; k < 256; k++) {
      const at = (k / 255) * (stops.length - 1);
      const low = Math.min(Math.floor(at), stops.length - 2);
      const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c])));
      found[k] = packed(r, g, b);
    }
    tables.set(name, found);
  }
  return tables.get(name);
}

function packed(r, g, b) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** A colour like #1a2b3c as such a number. */
export function colour(hex) {
  const [r, g, b] = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  return packed(r, g, b);
}
