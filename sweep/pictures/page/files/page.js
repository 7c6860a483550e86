// The page: asks the server what is new, and shows it. All addresses are relative to the page's own.

import { asked, build, chosen } from "./controls.js";
import { Cells, drawCurves, drawMap, drawStatus, labelled, theme } from "./picture.js";
import { count, duration, said } from "./scales.js";

const RUNNING_MS = 2000, RESTING_MS = 10000, HURRY_MS = 30, TROUBLE_MS = 5000;
const CODES = ["pending", "done", "failed", "done_with_warning", "interpolated"];
const WORDS = ["pending", "done", "failed", "done with a warning", "interpolated"];
const by = (id) => document.getElementById(id);

const state = { runs: [], run: null, choice: null, picture: null, cells: null, failures: "", asking: 0, timer: 0 };

function words() {
  return new URLSearchParams(location.hash.slice(1));
}

function keep(name, value) {
  const now = words();
  if (name === "run") for (const key of [...now.keys()]) now.delete(key);
  now.set(name, value);
  history.replaceState(null, "", `#${now}`);
}

async function ask(question, given) {
  const answer = await fetch(`${question}.json${given ? `?${given}` : ""}`);
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error ?? `the server says ${answer.status}`);
  return found;
}

/** Ask for all that is new; returns after how long to ask again. */
async function look() {
  const turn = ++state.asking;
  const { runs } = await ask("runs");
  if (turn !== state.asking) return null;
  state.runs = runs;
  const wanted = runs.find((r) => r.id === words().get("run"))
    ?? runs.find((r) => r.state === "running") ?? runs.find((r) => r.state !== "unreadable") ?? runs[0];
  showRuns(wanted);
  if (!wanted || wanted.state === "unreadable") {
    by("run").hidden = true;
    const text = wanted ? `${wanted.folder} cannot be read: ${wanted.error}` : "No run has been announced to this page yet.";
    trouble(text);
    return TROUBLE_MS;
  }
  const run = await ask("run", new URLSearchParams({ run: wanted.id }));
  if (turn !== state.asking) return null;
  const other = state.run?.id !== run.id;
  state.run = run;
  if (other) Object.assign(state, { picture: null, cells: null, failures: "" });
  showRun(run);
  choose(other);
  if (!state.picture || !state.picture.complete || state.picture.version !== run.version) {
    await fetchPicture(turn);
    if (turn !== state.asking) return null;
  }
  const bad = `${run.counts.failed} ${run.counts.done_with_warning} ${run.version}`;
  if ((run.counts.failed || run.counts.done_with_warning) && bad !== state.failures) {
    showFailures(await ask("failures", new URLSearchParams({ run: run.id })));
    state.failures = bad;
  }
  by("failures").hidden = !(run.counts.failed || run.counts.done_with_warning);
  trouble("");
  pulse(run);
  document.body.dataset.ready = state.picture?.complete ? "complete" : "filling";
  if (run.read < 1 || !state.picture?.complete) return HURRY_MS;
  return run.state === "running" ? RUNNING_MS : RESTING_MS;
}

async function fetchPicture(turn) {
  const { run, choice } = state;
  const width = by("picture").parentElement.clientWidth;
  const cells = Math.min(300, Math.max(80, Math.round(width / 2)));
  const columns = choice.y ? cells : Math.min(1500, 2 * width);
  const found = await ask("slice", asked(run, choice, columns, choice.y ? cells : 1));
  if (turn !== state.asking) return;
  state.picture = found;
  state.cells = new Cells(found, choice.output);
  draw();
}

/** Ask again at once. */
function hurry() {
  clearTimeout(state.timer);
  state.timer = setTimeout(turn, 0);
}

async function turn() {
  clearTimeout(state.timer);
  if (document.hidden) return;
  let next = TROUBLE_MS;
  try {
    next = await look();
  } catch (error) {
    const gone = error instanceof TypeError;
    const view = state.run?.hints?.view ?? "spinsweep view RUN";
    trouble(gone ? `The server does not answer: with the end of a run its cluster goes. Look at the run with: ${view}` : error.message);
    by("pulse").textContent = "not connected";
  }
  if (next !== null) state.timer = setTimeout(turn, next);
}

function trouble(text) {
  by("trouble").textContent = text;
  by("trouble").hidden = !text;
}

function pulse(run) {
  const at = new Date().toLocaleTimeString();
  by("pulse").textContent = run.state === "running" ? `live, ${at}` : `${run.state}, looked at ${at}`;
}

function choose(force) {
  const before = state.choice && JSON.stringify({ ...state.choice, output: state.choice.output.name });
  state.choice = chosen(state.run, words());
  const now = JSON.stringify({ ...state.choice, output: state.choice.output.name });
  if (force || before !== now) build(by("controls"), state.run, state.choice, changed);
}

function changed(name, value) {
  keep(name, value);
  state.choice = chosen(state.run, words());
  if (!name.startsWith("at.")) build(by("controls"), state.run, state.choice, changed);
  by(`control-${name}`)?.focus();
  if (name === "log" || name === "kind") {
    draw();
    return;
  }
  state.picture = null;
  hurry();
}

// What is shown

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function segments(counts, points) {
  return [1, 4, 3, 2].map((code) => {
    const part = element("i", undefined, `is-${CODES[code]}`);
    const share = (100 * (counts[CODES[code]] ?? 0)) / points;
    part.style.width = share > 0 ? `max(${share}%, 2px)` : "0";
    return part;
  });
}

function percent(run) {
  const share = (100 * run.done) / run.points;
  return run.done < run.points && share > 99.9 ? "99.9\u00a0%" : `${share.toFixed(share < 10 ? 1 : 0)}\u00a0%`;
}

function showRuns(current) {
  by("runs").hidden = state.runs.length < 2;
  by("runs").replaceChildren(
    ...state.runs.map((run) => {
      const button = element("button");
      button.type = "button";
      button.setAttribute("aria-current", run === current);
      button.append(element("strong", run.name));
      const text = run.state === "unreadable" ? "cannot be read" : `${run.state}, ${percent(run)} of ${count(run.points)}`;
      button.append(element("span", text));
      const bar = element("div", undefined, "bar");
      if (run.counts) bar.append(...segments(run.counts, run.points));
      button.append(bar);
      button.addEventListener("click", () => {
        keep("run", run.id);
        hurry();
      });
      return button;
    }),
  );
}

function showRun(run) {
  by("run").hidden = false;
  document.title = `${percent(run)} ${run.name}`;
  by("name").textContent = run.name;
  by("about").textContent = `${run.model}, ${run.methods.join(", ")}; ${run.folder}`;
  by("bar").replaceChildren(...segments(run.counts, run.points));
  by("bar").setAttribute("aria-label", `${percent(run)} done`);
  by("counts").replaceChildren(
    ...CODES.map((code, k) => [code, k]).filter(([code]) => run.counts[code] || code === "done")
      .map(([code, k]) => legendEntry({ colour: null, className: `is-${code}`, text: `${WORDS[k]} ${count(run.counts[code])}` })),
  );
  const facts = [
    ["Points", `${count(run.done)} of ${count(run.points)} (${percent(run)})`],
    ["State", run.state === "reading" ? `reading the journal, ${Math.round(100 * run.read)} %` : run.state],
  ];
  if (run.state === "running") {
    facts.push(["Rate", run.rate > 0 ? `${run.rate >= 10 ? count(run.rate) : said(Number(run.rate.toPrecision(2)))} points/s` : "not known yet"]);
    facts.push(["Time left", run.left > 0 ? `about ${duration(run.left)}` : "not known yet"]);
  }
  facts.push(["Tiles", `${count(run.tiles_done)} of ${count(run.tiles)}`], ["Computing time", duration(run.core_seconds)]);
  if (run.driver) facts.push(["Driver", run.driver]);
  by("facts").replaceChildren(
    ...facts.map(([name, text]) => {
      const pair = element("div");
      pair.append(element("dt", name), element("dd", text));
      return pair;
    }),
  );
  by("hint").hidden = !run.hints.resume;
  by("hint").textContent = run.hints.resume ?? "";
  showSlowest(run);
}

function showSlowest(run) {
  by("slow").hidden = run.slowest.length === 0;
  by("slowest").replaceChildren(
    ...run.slowest.map((tile) => {
      const row = element("tr");
      for (const text of [duration(tile.seconds), count(tile.points), tile.where, tile.host]) row.append(element("td", text));
      return row;
    }),
  );
}

function showFailures(found) {
  by("causes").replaceChildren(
    ...found.groups.map((group) => {
      const entry = element("li");
      entry.append(element("span", group.failed ? `${count(group.count)} failed` : "warning", group.failed ? "chip" : "chip warned"));
      entry.append(`${group.type}: ${group.message}`);
      const command = element("div", undefined, "command");
      const code = element("code", group.command);
      const copy = element("button", "Copy");
      copy.type = "button";
      copy.addEventListener("click", () => copied(copy, code));
      command.append(code, copy);
      entry.append(command);
      return entry;
    }),
  );
  by("more").textContent = found.more;
}

/** Put a command into the clipboard, or where a browser does not allow that, select it. */
async function copied(button, code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  } catch {
    getSelection().selectAllChildren(code);
  }
}

function legendEntry({ colour, hatch, className, text }) {
  const entry = element("li");
  const patch = element("i", undefined, hatch ? "hatched" : className);
  if (colour && !hatch) patch.style.background = colour;
  entry.append(patch, text);
  return entry;
}

/** A label in HTML: what is raised or lowered in its elements. */
function inHtml(pieces) {
  return pieces.map(([text, level]) => (level ? element(level > 0 ? "sup" : "sub", text) : document.createTextNode(text)));
}

function draw() {
  const { choice, cells, picture } = state;
  if (!cells || !choice || picture?.output !== choice.output.name) return;
  const part = choice.output.complex ? { abs: "|·| of ", real: "real part of ", imag: "imaginary part of ", phase: "phase of " }[choice.part] : "";
  const output = choice.output.complex && choice.part === "phase" ? { ...choice.output, unit: "rad" } : choice.output;
  cells.output = output;
  by("caption").replaceChildren(part, ...inHtml(labelled(output)));
  by("caption").title = choice.output.comment;
  const options = { log: choice.log, phase: choice.output.complex && choice.part === "phase" };
  const curves = choice.kind === "curves";
  const legend = (curves ? drawCurves : drawMap)(by("picture"), cells, options);
  by("legend").replaceChildren(...legend.map(legendEntry));
  drawStatus(by("status"), cells);
  const colours = theme().status;
  const seen = new Set(cells.status);
  by("statusLegend").replaceChildren(
    ...CODES.map((_, k) => k).filter((k) => seen.has(k)).map((k) => legendEntry({ colour: colours[k], text: WORDS[k] })),
  );
  for (const cut of picture.cut) {
    const place = by(`at-${cut.name}`);
    if (place) place.textContent = cut.scale === "index" ? cut.texts[0] : said(cut.values[0]);
  }
  describe();
}

function describe() {
  const { picture, cells, choice } = state;
  const over = picture.y ? `${picture.x.text} and ${picture.y.text}` : picture.x.text;
  const drawn = cells.codes.filter((c, k) => c > 0 && !cells.unread[k]).length;
  by("picture").setAttribute("aria-label", `${choice.output.name} over ${over}: ${drawn} of ${cells.codes.length} cells`);
  by("status").setAttribute("aria-label", `status over ${over}`);
  Object.assign(by("picture").dataset, { drawn, cells: cells.codes.length });
  const thinned = [picture.x, picture.y].filter((a) => a && a.size > (a.values.length || a.texts.length));
  const parts = [];
  if (thinned.length) {
    parts.push(`Of ${thinned.map((a) => `${count(a.size)} values of ${a.text}`).join(" and ")} evenly spaced ones are drawn; failures and warnings between them are marked in the status.`);
  }
  if (picture.unreadable) parts.push(`${count(picture.unreadable)} tiles could not be read.`);
  by("reduced").textContent = parts.join(" ");
  by("reduced").hidden = !parts.length;
}

function point(canvas, readout) {
  const show = (event) => {
    const box = canvas.getBoundingClientRect();
    const cell = state.cells && canvas.cellAt?.(event.clientX - box.left, event.clientY - box.top);
    readout.textContent = cell === null || cell === undefined || cell === false ? "" : state.cells.text(cell, WORDS);
  };
  canvas.addEventListener("pointermove", show);
  canvas.addEventListener("pointerdown", show);
  canvas.addEventListener("pointerleave", () => (readout.textContent = ""));
}

point(by("picture"), by("readout"));
point(by("status"), by("statusReadout"));
document.addEventListener("visibilitychange", hurry);
window.addEventListener("hashchange", hurry);
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
turn();
