// What is drawn: the choices that a run's outputs allow, kept in the page's address so that a view can be sent to somebody.

/** A choice of a run's outputs, axes and places; `words` are those of the address. */
export function chosen(run, words) {
  const output = run.outputs.find((o) => o.name === words.get("output")) ?? run.outputs.find((o) => o.name === run.main) ?? run.outputs[0];
  const sizes = Object.fromEntries(output.dims.map((d, k) => [d, output.shape[k]]));
  const long = output.dims.filter((d) => sizes[d] > 1);
  const numbers = long.filter((d) => run.dimensions[d].number);
  const first = [...numbers, ...long.filter((d) => !numbers.includes(d)), ...output.dims];
  let x = first[0];
  let y = first[1] && sizes[first[1]] > 1 ? first[1] : "";
  if (y && sizes[x] <= run.few && sizes[y] > run.few && run.dimensions[y].number) [x, y] = [y, x];
  if (output.dims.includes(words.get("x"))) x = words.get("x");
  if (words.has("y") && (words.get("y") === "" || output.dims.includes(words.get("y")))) y = words.get("y");
  if (y === x) y = first.find((d) => d !== x && sizes[d] > 1) ?? "";
  const at = {};
  for (const d of output.dims) {
    if (d === x || d === y) continue;
    const place = Number(words.get(`at.${d}`) ?? (run.dimensions[d].number ? Math.floor((sizes[d] - 1) / 2) : 0));
    at[d] = Number.isInteger(place) ? Math.min(Math.max(place, 0), sizes[d] - 1) : 0;
  }
  const few = !y || (sizes[y] <= run.few && run.dimensions[x].number);
  const kind = ["map", "curves"].includes(words.get("kind")) ? words.get("kind") : few ? "curves" : "map";
  const part = ["abs", "real", "imag", "phase"].includes(words.get("part")) ? words.get("part") : "abs";
  const coded = Object.keys(output.codes).length > 0;
  return { output, sizes, x, y, at, part, coded, log: words.get("log") === "1", kind: coded && y ? "map" : kind };
}

/** The words that ask the server for a choice. */
export function asked(run, choice, columns, rows) {
  const words = new URLSearchParams({ run: run.id, output: choice.output.name, x: choice.x, y: choice.y, part: choice.part });
  for (const [name, place] of Object.entries(choice.at)) words.set(`at.${name}`, place);
  words.set("columns", columns);
  words.set("rows", rows);
  return words;
}

/** Build the controls for a choice; `change(name, value)` is called with what somebody has changed. */
export function build(place, run, choice, change) {
  const made = [];
  const names = run.outputs.map((o) => [o.name, o.name]);
  made.push(select("Output", "output", names, choice.output.name, change));
  const dims = choice.output.dims.filter((d) => choice.sizes[d] > 1);
  const texts = (d) => [d, run.dimensions[d].text === d ? d : `${run.dimensions[d].text} (${d})`];
  if (dims.length > 1) {
    made.push(select("Horizontal", "x", dims.map(texts), choice.x, change));
    const others = dims.filter((d) => d !== choice.x).map(texts);
    made.push(select("Vertical", "y", [...others, ["", "none"]], choice.y, change));
  }
  if (choice.y && !choice.coded) {
    made.push(select("Drawn as", "kind", [["map", "map"], ["curves", "curves"]], choice.kind, change));
  }
  if (choice.output.complex) {
    const parts = [["abs", "absolute value"], ["real", "real part"], ["imag", "imaginary part"], ["phase", "phase"]];
    made.push(select("Part", "part", parts, choice.part, change));
  }
  if (!choice.coded) made.push(check("logarithmic", "log", choice.log, change));
  for (const [name, at] of Object.entries(choice.at)) {
    if (choice.sizes[name] > 1) made.push(slider(run.dimensions[name], name, at, choice.sizes[name], change));
  }
  place.replaceChildren(...made);
}

function labelFor(text, ...inside) {
  const label = document.createElement("label");
  label.append(text, ...inside);
  return label;
}

function select(text, name, options, value, change) {
  const made = document.createElement("select");
  made.id = `control-${name}`;
  for (const [option, words] of options) {
    const entry = document.createElement("option");
    entry.value = option;
    entry.textContent = words;
    entry.selected = option === value;
    made.append(entry);
  }
  made.addEventListener("change", () => change(name, made.value));
  return labelFor(text, made);
}

function check(text, name, value, change) {
  const made = document.createElement("input");
  made.type = "checkbox";
  made.id = `control-${name}`;
  made.checked = value;
  made.addEventListener("change", () => change(name, made.checked ? "1" : ""));
  const label = document.createElement("label");
  label.className = "check";
  label.append(made, text);
  return label;
}

function slider(dimension, name, value, size, change) {
  const text = dimension.unit === "1" ? dimension.text : `${dimension.text} [${dimension.unit}]`;
  const made = document.createElement("input");
  Object.assign(made, { type: "range", min: 0, max: size - 1, step: 1, value, id: `control-at.${name}` });
  const shown = document.createElement("output");
  shown.id = `at-${name}`;
  const head = document.createElement("span");
  head.append(`${text}: `, shown);
  made.addEventListener("input", () => change(`at.${name}`, made.value));
  const label = labelFor("", head, made);
  label.className = "slider";
  return label;
}
