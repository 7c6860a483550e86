// Pictures on a canvas: maps, curves, and maps of what became of points.

import { CYCLE, colour, table } from "./palettes.js";
import { Axis, logTicks, said, scaleFor, ticks, within } from "./scales.js";

export const PENDING = 0, FAILED = 2, WARNED = 3, INTERPOLATED = 4;
const UNREAD = 128;
const FONT = 12;
const FAMILY = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/** Text with raised and lowered parts; returns its width. */
function write(context, pieces, x, y, align = "left") {
  const width = pieces.reduce((sum, piece) => sum + widthOf(context, piece), 0);
  let at = align === "center" ? x - width / 2 : align === "right" ? x - width : x;
  context.textAlign = "left";
  for (const piece of pieces) {
    fontOf(context, piece[1]);
    context.fillText(piece[0], at, y - piece[1] * 4);
    at += context.measureText(piece[0]).width;
  }
  fontOf(context, 0);
  return width;
}

function fontOf(context, level) {
  context.font = `${level ? FONT - 3 : FONT}px ${FAMILY}`;
}

function widthOf(context, piece) {
  fontOf(context, piece[1]);
  return context.measureText(piece[0]).width;
}

/** A label with its unit. */
export function labelled(thing) {
  return thing.unit && thing.unit !== "1" ? [...thing.label, [` [${thing.unit}]`, 0]] : thing.label;
}

/** The colours of the page now, light or dark. */
export function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    ink: of("--ink"), soft: of("--soft"), line: of("--line"), paper: of("--card"), dark: of("--scheme") === "dark",
    status: [of("--pending"), of("--done"), of("--failed"), of("--warned"), of("--interpolated")],
    hatch: of("--hatch"), empty: of("--empty"),
  };
}

/** A canvas made ready for drawing at the screen's own resolution. */
function begin(canvas, height) {
  const width = canvas.parentElement.clientWidth;
  const ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  fontOf(context, 0);
  return { context, width, height, ratio };
}

/** Room around the plot for ticks and labels, and the plot itself. */
function frame(context, width, height, yTicks, right, hasY) {
  const ticksWidth = Math.max(0, ...yTicks.map((t) => widthOf(context, [t.text, 0])));
  const left = Math.ceil(ticksWidth + (hasY ? 32 : 12));
  return { left, top: 8, width: Math.max(40, width - left - right), height: Math.max(10, height - 8 - 44) };
}

function drawAxes(context, box, xTicks, yTicks, xLabel, yLabel, colours) {
  context.strokeStyle = colours.soft;
  context.fillStyle = colours.ink;
  context.lineWidth = 1;
  context.strokeRect(box.left - 0.5, box.top - 0.5, box.width + 1, box.height + 1);
  let free = -Infinity;
  for (const { at, text } of xTicks) {
    const x = box.left + at * box.width;
    line(context, x, box.top + box.height, x, box.top + box.height + 4);
    const half = widthOf(context, [text, 0]) / 2;
    if (x - half < free) continue;
    free = x + half + 6;
    write(context, [[text, 0]], x, box.top + box.height + 13, "center");
  }
  for (const { at, text } of yTicks) {
    const y = box.top + (1 - at) * box.height;
    line(context, box.left - 4, y, box.left, y);
    write(context, [[text, 0]], box.left - 7, y, "right");
  }
  write(context, xLabel, box.left + box.width / 2, box.top + box.height + 33, "center");
  if (yLabel) {
    context.save();
    context.translate(11, box.top + box.height / 2);
    context.rotate(-Math.PI / 2);
    write(context, yLabel, 0, 0, "center");
    context.restore();
  }
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** Which cell each of so many pixels shows. */
function cellsOf(axis, pixels, upside) {
  const found = new Int32Array(pixels);
  for (let p = 0; p < pixels; p++) {
    const at = (p + 0.5) / pixels;
    found[p] = axis.cell(upside ? 1 - at : at);
  }
  return found;
}

/** Fill the plot: `paint(cell, hatched)` is the colour of a cell, and whether it is hatched with another. */
function fill(canvas, area, x, y, paint, ratio) {
  const [left, top] = [Math.round(area.left * ratio), Math.round(area.top * ratio)];
  const [width, height] = [Math.round(area.width * ratio), Math.round(area.height * ratio)];
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const rows = y ? y.count : 1;
  const colours = new Uint32Array(x.count * rows);
  const hatches = new Uint32Array(x.count * rows);
  for (let k = 0; k < colours.length; k++) [colours[k], hatches[k]] = paint(k);
  const across = cellsOf(x, width, false);
  const up = y ? cellsOf(y, height, true) : new Int32Array(height);
  const gap = Math.max(4, Math.round(7 * ratio));
  for (let row = 0, k = 0; row < height; row++) {
    for (let column = 0; column < width; column++, k++) {
      const cell = across[column] * rows + up[row];
      pixels[k] = hatches[cell] && (row + column) % gap < ratio ? hatches[cell] : colours[cell];
    }
  }
  context.putImageData(image, left, top);
}

/** Ticks of the values of a scale. */
function valueTicks(scale, most) {
  if (scale.constant !== undefined) return [{ at: within(scale, scale.constant), text: said(scale.constant) }];
  if (scale.palette === "phase") {
    return [[-Math.PI, "−π"], [0, "0"], [Math.PI, "π"]].map(([v, text]) => ({ at: within(scale, v), text }));
  }
  const made = scale.log ? logTicks(scale.low, scale.high, most) : ticks(scale.low, scale.high, most);
  return made.map(({ value, text }) => ({ at: within(scale, value), text }));
}

function bar(context, box, scale, at, colours) {
  const [x, wide] = [box.left + box.width + 12, 13];
  const palette = table(scale.palette);
  for (let p = 0; p < Math.ceil(box.height); p++) {
    const c = palette[Math.round(255 * (1 - (p + 0.5) / box.height))] ?? palette[0];
    context.fillStyle = `rgb(${c & 255}, ${(c >> 8) & 255}, ${(c >> 16) & 255})`;
    context.fillRect(x, box.top + p, wide, Math.min(1.5, box.height - p));
  }
  context.strokeStyle = colours.soft;
  context.strokeRect(x - 0.5, box.top - 0.5, wide + 1, box.height + 1);
  context.fillStyle = colours.ink;
  for (const { at: place, text } of at) {
    const y = box.top + (1 - place) * box.height;
    line(context, x + wide, y, x + wide + 4, y);
    write(context, [[text, 0]], x + wide + 7, y);
  }
}

/** What a picture's cells are: for the readout and for legends. */
export class Cells {
  constructor(told, output) {
    this.told = told;
    this.output = output;
    this.x = new Axis(told.x);
    this.y = told.y ? new Axis(told.y) : null;
    this.rows = this.y ? this.y.count : 1;
    this.values = new Float64Array(bytes(told.values).buffer);
    const sent = bytes(told.codes);
    const marks = bytes(told.marks);
    this.codes = sent.map((c) => c & ~UNREAD);
    this.unread = sent.map((c) => (c & UNREAD ? 1 : 0));
    this.status = this.codes.map((c, k) => marks[k] || c);
    this.usable = (k) => !this.unread[k] && this.codes[k] !== PENDING && this.codes[k] !== FAILED;
  }

  /** One cell in words. */
  text(cell, names) {
    const places = [`${this.told.x.text} = ${this.x.text(Math.floor(cell / this.rows))}`];
    if (this.y) places.push(`${this.told.y.text} = ${this.y.text(cell % this.rows)}`);
    const value = this.values[cell];
    const code = this.output && this.output.codes[value];
    let what = names[this.codes[cell]];
    if (this.unread[cell]) what += ", still being read";
    else if (this.output && this.usable(cell)) {
      what = `${code ?? (Number.isNaN(value) ? this.output.nan : withUnit(value, this.output))} (${what})`;
    }
    return `${places.join(", ")}: ${what}`;
  }
}

function withUnit(value, output) {
  return output.unit === "1" ? said(value) : `${said(value)} ${output.unit}`;
}

function bytes(text) {
  const letters = atob(text);
  const found = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) found[k] = letters.charCodeAt(k);
  return found;
}

function plotHeight(width, rows) {
  return rows === 1 ? 110 : Math.round(Math.min(460, Math.max(250, 0.72 * width)));
}

/** Remember where the plot is, so that a pointer finds its cell. */
function remember(canvas, cells, box, curves) {
  canvas.cellAt = (px, py) => {
    const [u, v] = [(px - box.left) / box.width, 1 - (py - box.top) / box.height];
    if (u < 0 || u > 1 || v < 0 || v > 1) return null;
    return cells.x.cell(u) * cells.rows + (cells.y && !curves ? cells.y.cell(v) : 0);
  };
}

/** A map of what became of points. */
export function drawStatus(canvas, cells) {
  const colours = theme();
  const paints = colours.status.map(colour);
  const { context, width, height, ratio } = begin(canvas, plotHeight(canvas.parentElement.clientWidth, cells.rows));
  const yTicks = cells.y ? cells.y.ticks(height / 55) : [];
  const box = frame(context, width, height, yTicks, 14, cells.y);
  fill(canvas, box, cells.x, cells.y, (k) => [paints[cells.status[k]], 0], ratio);
  const yLabel = cells.y && labelled(cells.told.y);
  drawAxes(context, box, cells.x.ticks(Math.max(3, box.width / 75)), yTicks, labelled(cells.told.x), yLabel, colours);
  remember(canvas, cells, box, false);
}

/** A map of an output; returns the entries of its legend. */
export function drawMap(canvas, cells, options) {
  const colours = theme();
  const output = cells.output;
  const coded = Object.keys(output.codes).length > 0;
  const scale = coded ? null : scaleFor(cells.values, cells.usable, options);
  const { context, width, height, ratio } = begin(canvas, plotHeight(canvas.parentElement.clientWidth, cells.rows));
  const yTicks = cells.y ? cells.y.ticks(height / 55) : [];
  const barTicks = scale ? valueTicks(scale, Math.max(2, height / 60)) : [];
  const barWidth = scale ? 34 + Math.max(0, ...barTicks.map((t) => widthOf(context, [t.text, 0]))) : 14;
  const box = frame(context, width, height, yTicks, barWidth, cells.y);
  const palette = scale && table(scale.palette);
  const pending = colour(colours.status[PENDING]);
  const failed = colour(colours.status[FAILED]);
  const [empty, hatch] = [colour(colours.empty), colour(colours.hatch)];
  const cycle = CYCLE[colours.dark ? "dark" : "light"];
  const values = Object.keys(output.codes).map(Number);
  const ofCode = new Map(values.map((v, k) => [v, colour(cycle[k % cycle.length])]));
  const paint = (k) => {
    if (cells.codes[k] === PENDING || cells.unread[k]) return [pending, 0];
    if (cells.codes[k] === FAILED) return [failed, 0];
    const v = cells.values[k];
    if (coded) return ofCode.has(v) ? [ofCode.get(v), 0] : [empty, hatch];
    return Number.isNaN(v) || !scale ? [empty, hatch] : [palette[Math.round(255 * within(scale, v))], 0];
  };
  fill(canvas, box, cells.x, cells.y, paint, ratio);
  const yLabel = cells.y && labelled(cells.told.y);
  drawAxes(context, box, cells.x.ticks(Math.max(3, box.width / 75)), yTicks, labelled(cells.told.x), yLabel, colours);
  if (scale) bar(context, box, scale, barTicks, colours);
  remember(canvas, cells, box, false);
  const legend = values.map((v, k) => ({ colour: cycle[k % cycle.length], text: output.codes[v] }));
  return [...legend, ...missing(cells, colours)];
}

/** Legend entries for cells without a value. */
function missing(cells, colours) {
  let [pending, failed, empty] = [0, 0, 0];
  for (let k = 0; k < cells.codes.length; k++) {
    if (cells.codes[k] === PENDING || cells.unread[k]) pending++;
    else if (cells.codes[k] === FAILED) failed++;
    else if (Number.isNaN(cells.values[k])) empty++;
  }
  const found = [];
  if (pending) found.push({ colour: colours.status[PENDING], text: "pending" });
  if (failed) found.push({ colour: colours.status[FAILED], text: "failed" });
  if (empty) found.push({ colour: colours.empty, hatch: true, text: cells.output.nan });
  return found;
}

/** Curves of an output along x, one for each place along y; returns the entries of their legend. */
export function drawCurves(canvas, cells, options) {
  const colours = theme();
  const cycle = CYCLE[colours.dark ? "dark" : "light"];
  const x = new Axis(cells.told.x).tight();
  const scale = scaleFor(cells.values, cells.usable, { log: options.log });
  const { context, width, height } = begin(canvas, Math.max(250, plotHeight(canvas.parentElement.clientWidth, 2)));
  if (scale && !scale.log && scale.constant === undefined) {
    const signed = scale.palette === "signed";
    let [low, high] = [scale.low, scale.high];
    if (signed) [low, high] = extremes(cells);
    const room = 0.04 * (high - low);
    [scale.low, scale.high] = [low - room, high + room];
  }
  const yTicks = scale ? valueTicks({ ...scale, palette: "" }, height / 55) : [];
  const box = frame(context, width, height, yTicks, 14, true);
  const heading = labelled(cells.output);
  drawAxes(context, box, x.ticks(Math.max(3, box.width / 75)), yTicks, labelled(cells.told.x), heading, colours);
  context.save();
  context.beginPath();
  context.rect(box.left - 3, box.top - 3, box.width + 6, box.height + 6);
  context.clip();
  for (let row = 0; scale && row < cells.rows; row++) {
    curve(context, box, x, cells, row, scale, cycle[row % cycle.length], row);
  }
  context.restore();
  const shown = { ...cells, x, rows: cells.rows, y: cells.y };
  remember(canvas, shown, box, true);
  const names = cells.y ? cells.told.y : null;
  const legend = names
    ? Array.from({ length: cells.rows }, (_, k) => ({ colour: cycle[k % cycle.length], text: `${names.text} = ${cells.y.text(k)}` }))
    : [];
  return legend;
}

function extremes(cells) {
  let [low, high] = [Infinity, -Infinity];
  cells.values.forEach((v, k) => {
    if (!cells.usable(k) || !Number.isFinite(v)) return;
    low = Math.min(low, v);
    high = Math.max(high, v);
  });
  return [low, high];
}

function curve(context, box, x, cells, row, scale, stroke, number) {
  context.strokeStyle = stroke;
  context.fillStyle = stroke;
  context.lineWidth = 1.8;
  context.setLineDash(number % 4 === 0 ? [] : [[7, 3], [7, 3, 2, 3], [2, 3]][(number % 4) - 1]);
  context.beginPath();
  const points = [];
  let joined = false;
  for (let k = 0; k < x.count; k++) {
    const cell = k * cells.rows + row;
    const v = cells.values[cell];
    if (!cells.usable(cell) || !Number.isFinite(v)) {
      joined = false;
      continue;
    }
    const at = [box.left + x.centres[k] * box.width, box.top + (1 - within(scale, v)) * box.height];
    if (joined) context.lineTo(...at);
    else context.moveTo(...at);
    joined = true;
    points.push(at);
  }
  context.stroke();
  context.setLineDash([]);
  if (points.length <= 60) {
    for (const [px, py] of points) {
      context.beginPath();
      context.arc(px, py, 2.4, 0, 2 * Math.PI);
      context.fill();
    }
  }
}
