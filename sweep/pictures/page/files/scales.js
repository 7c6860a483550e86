// From numbers to places and back to words: axes, their ticks, and colour scales.

const MINUS = "\u2212";
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** A number as a reader takes it in, to about four digits. */
export function said(value) {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return "no value";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) {
    const [digits, power] = value.toExponential(3).split("e");
    return `${String(Number(digits)).replace("-", MINUS)}·10${raised(Number(power))}`;
  }
  return String(Number(value.toPrecision(5))).replace("-", MINUS);
}

function raised(power) {
  const digits = [...String(Math.abs(power))].map((d) => RAISED[Number(d)]).join("");
  return (power < 0 ? "⁻" : "") + digits;
}

/** Seconds in words: 75 ms, 2.5 s, 20 min 34 s, 3 h 5 min, 14 d 6 h. */
export function duration(seconds) {
  if (seconds < 0.001) return seconds > 0 ? `${Math.max(1, Math.round(1e6 * seconds))} µs` : "0 s";
  if (seconds < 0.995) return `${Math.round(1000 * seconds)} ms`;
  if (seconds < 99.5) return seconds < 9.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  for (const [large, unit, small, part] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (whole >= 2 * large || large === 60) {
      return `${Math.floor(whole / large)} ${unit} ${Math.floor((whole % large) / small)} ${part}`;
    }
  }
  return "";
}

/** Whole numbers with thin spaces between thousands. */
export function count(value) {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** Round ticks from low to high: their values and texts. */
export function ticks(low, high, most) {
  if (!(high > low)) return [{ value: low, text: said(low) }];
  const raw = (high - low) / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-6); k * step <= high + 1e-6 * step; k++) found.push(k * step);
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const far = largest >= 1e5 || largest < 1e-3;
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const text = (v) => {
    if (Math.abs(v) < step * 1e-6) return "0";
    return far || decimals > 6 ? said(Number(v.toPrecision(6))) : v.toFixed(decimals).replace("-", MINUS);
  };
  return found.map((value) => ({ value, text: text(value) }));
}

/** Ticks of a logarithmic axis: powers of ten, with 2 and 5 between them where there are few. */
export function logTicks(low, high, most) {
  const [first, last] = [Math.log10(low), Math.log10(high)];
  if (last - first < 0.7) return ticks(low, high, most);
  const every = Math.max(1, Math.ceil((last - first) / Math.max(most, 1)));
  const inner = last - first < 2.2 && most > 3 ? [1, 2, 5] : [1];
  const found = [];
  for (let p = Math.floor(first); p <= Math.ceil(last); p++) {
    for (const m of inner) {
      const value = m * 10 ** p;
      if (value < low * 0.999 || value > high * 1.001 || p % every) continue;
      const near = p >= -2 && p <= 4;
      found.push({ value, text: near ? said(value) : `${m === 1 ? "" : `${m}·`}10${raised(p)}` });
    }
  }
  return found.length > 1 ? found : ticks(low, high, most);
}

/** An axis of cells: `edges` and `centres` from 0 to 1, ticks, and each cell's value in words. */
export class Axis {
  constructor(told) {
    this.told = told;
    const index = told.scale === "index";
    this.count = index ? told.texts.length : told.values.length;
    this.log = told.scale === "log";
    const map = this.log ? Math.log10 : (v) => v;
    const places = index ? Array.from({ length: this.count }, (_, k) => k) : told.values.map(map);
    const edges = [];
    const half = (a, b) => 0.5 * (a + b);
    if (this.count === 1) {
      const room = index ? 0.5 : 0.5 * (this.log ? 0.1 : Math.abs(places[0]) || 1);
      edges.push(places[0] - room, places[0] + room);
    } else {
      for (let k = 1; k < this.count; k++) edges.push(half(places[k - 1], places[k]));
      edges.unshift(2 * places[0] - edges[0]);
      edges.push(2 * places[this.count - 1] - edges[this.count - 1]);
    }
    this.low = Math.min(edges[0], edges[this.count]);
    this.high = Math.max(edges[0], edges[this.count]);
    const unit = (v) => (v - this.low) / (this.high - this.low);
    this.edges = edges.map(unit);
    this.centres = places.map(unit);
    this.unit = unit;
    this.map = map;
    this.index = index;
  }

  /** For drawing curves: from the first to the last value, without the halves of cells beyond them. */
  tight() {
    if (this.index || this.count < 2) return this;
    const [a, b] = [this.centres[0], this.centres[this.count - 1]];
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const span = this.high - this.low;
    [this.low, this.high] = [this.low + low * span, this.low + high * span];
    this.edges = this.edges.map((e) => Math.min(1, Math.max(0, (e - low) / (high - low))));
    this.centres = this.centres.map((c) => (c - low) / (high - low));
    return this;
  }

  text(cell) {
    return this.index ? this.told.texts[cell] : said(this.told.values[cell]);
  }

  /** Ticks as {at, text}; at is 0 to 1. */
  ticks(most) {
    if (this.index) {
      const step = Math.max(1, Math.ceil(this.count / Math.max(most, 1)));
      const found = [];
      for (let k = 0; k < this.count; k += step) found.push({ at: this.centres[k], text: this.told.texts[k] });
      return found;
    }
    if (this.count === 1) return [{ at: 0.5, text: this.text(0) }];
    const made = this.log ? logTicks(10 ** this.low, 10 ** this.high, most) : ticks(this.low, this.high, most);
    return made
      .map(({ value, text }) => ({ at: this.unit(this.map(value)), text }))
      .filter(({ at }) => at >= -1e-6 && at <= 1 + 1e-6);
  }

  /** The cell at a place from 0 to 1. */
  cell(at) {
    const up = this.edges[this.count] > this.edges[0];
    let [low, high] = [0, this.count - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (up ? this.edges[middle] <= at : this.edges[middle] >= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Colours of values: palette and range as `spinsweep plot` chooses them. */
export function scaleFor(values, usable, options) {
  let [low, high] = [Infinity, -Infinity];
  let least = Infinity;
  for (let k = 0; k < values.length; k++) {
    const v = values[k];
    if (!usable(k) || !Number.isFinite(v)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
    if (v > 0 && v < least) least = v;
  }
  if (low > high) return null;
  if (options.phase) return { palette: "phase", low: -Math.PI, high: Math.PI, log: false };
  if (options.log && high > 0) {
    least = Math.max(least, high * 1e-12);
    return { palette: "viridis", low: Math.min(least, high / 2), high, log: true };
  }
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= 1e-12 * size || high === low) {
    const room = 0.05 * size || 0.05;
    return { palette: "viridis", low: low - room, high: high + room, log: false, constant: 0.5 * (low + high) };
  }
  if (low < 0 && high > 0 && Math.min(-low, high) > 1e-3 * size) {
    return { palette: "signed", low: -size, high: size, log: false };
  }
  return { palette: "viridis", low, high, log: false };
}

/** Where in a scale a value is, 0 to 1. */
export function within(scale, value) {
  const at = scale.log
    ? (Math.log(Math.max(value, scale.low)) - Math.log(scale.low)) / (Math.log(scale.high) - Math.log(scale.low))
    : (value - scale.low) / (scale.high - scale.low);
  return Math.min(1, Math.max(0, at));
}
