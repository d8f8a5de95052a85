// Two views, one temperature: a cell's two distributions, what each hidden unit adds to their divergences, and a collapse.
import { button, chart, el, frame, glide, panel, scale, set, slider, svg } from "./common.js";
import { ask } from "./guess.js";
import { alignment, divergenceParts, logSoftmax, meanCosine, unitRow } from "./numbers.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [400, 210, 44, 30];
const VIEWS = ["view 1", "view 2"];
const MOMENTS = 20; // between the start and the collapse
const TEMPERATURES = [0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3];

/** Mount into an element; returns a function that ends it. */
export function mount(element, data, { progress }) {
  const units = data.e1[0].length;
  const point = unitRow(Array(units).fill(1));
  const state = { views: [data.e1, data.e2].map((e) => e.map(unitRow)), cell: 0, temperature: data.temperature, collapse: 0, open: false };
  let [path, endMotion] = [null, () => {}];

  const view = frame(element, "Two views, one temperature", "Drag the encodings of a cell or the temperature; then collapse all cells.");
  view.root.classList.add("sx-temperature");
  view.root.append(hatch());
  const name = (i) => data.types[data.type_of[i]].name;
  const cell = slider(view.controls, { label: "Cell", min: 0, max: data.e1.length - 1, value: 0, write: (i) => `${i}, ${name(i)}` }, (i) => change({ cell: i }));
  cell.input.closest(".sx-control").classList.add("sx-long");
  const warmth = slider(view.controls, { label: "Temperature", min: 0, max: TEMPERATURES.length - 1, value: TEMPERATURES.indexOf(data.temperature), write: (i) => `${TEMPERATURES[i]}` }, (i) => { path = null; change({ temperature: TEMPERATURES[i] }); });
  const collapse = slider(view.controls, { label: "Collapse of all cells", min: 0, max: MOMENTS, value: 0, write: (s) => `${(100 * s) / MOMENTS}%` }, (s) => { endMotion(); change({ collapse: s }); });
  button(view.controls, "Collapse all cells", () => to(MOMENTS));
  button(view.controls, "Begin again", () => {
    endMotion();
    path = null;
    warmth.set(TEMPERATURES.indexOf(data.temperature));
    change({ views: [data.e1, data.e2].map((e) => e.map(unitRow)), temperature: data.temperature, collapse: 0 });
  });

  const encodings = plot("Encodings of the cell, rows of length 1: drag a bar", 0, 1, 2);
  const distributions = plot("As distributions, after the softmax", 0, 1, 2);
  const parts = plot("What each hidden unit adds to the divergences: areas up minus areas down", -0.5, 1, 3);
  const sums = el("ul", { class: "sx-legend" });
  parts.figure.append(sums);
  const losses = panel(view.stage, "The loss of all cells while they collapse");
  const lines = chart(losses, { x: [...Array(MOMENTS + 1).keys()].map((s) => Math.round((100 * s) / MOMENTS)), low: 0, high: 1, xlabel: "collapse in percent", ticks: [0, 5, 10, 15, 20] });
  const said = el("p", {});
  losses.append(said);
  const handles = VIEWS.map((_, v) => Array.from({ length: units }, (_, k) => handle(v, k)));
  const guess = ask(view.root, data.question, progress, () => { state.open = true; to(MOMENTS); });
  view.stage.append(guess.box);
  state.open = !guess.open;

  function plot(caption, low, high, bars) {
    const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group" });
    const figure = panel(view.stage, caption, drawing);
    const ground = svg("g", { "aria-hidden": "true" });
    const rects = Array.from({ length: bars }, (_, b) => Array.from({ length: units }, () => svg("rect", { class: `sx-bar-${b + 1}` })));
    drawing.append(ground, ...rects.flat());
    const wide = (WIDTH - LEFT - 8) / units;
    const draw = (series, [bottom, top] = [low, high]) => {
      const up = scale(bottom, top, HEIGHT - BOTTOM, 10);
      const zero = up(0);
      series.forEach((values, b) => values.forEach((value, k) => set(rects[b][k], {
        x: LEFT + wide * (k + 0.08 + (0.84 * b) / bars), width: (0.8 * wide) / bars, y: Math.min(up(value), zero), height: Math.abs(up(value) - zero) })));
      const tick = (value) => svg("text", { x: LEFT - 5, y: up(value) + 4, "text-anchor": "end", class: "sx-small" }, `${+value.toPrecision(2)}`);
      ground.replaceChildren(svg("path", { d: `M${LEFT} 10V${HEIGHT - BOTTOM}M${LEFT} ${zero}H${WIDTH - 8}`, class: "sx-axis" }), tick(bottom), tick(top), ...(bottom < 0 ? [tick(0)] : []),
        ...Array.from({ length: units }, (_, k) => svg("text", { x: LEFT + wide * (k + 0.5), y: HEIGHT - 12, "text-anchor": "middle", class: "sx-small" }, `unit ${k}`.slice(units > 6 && k ? 5 : 0))));
    };
    return { drawing, figure, wide, draw };
  }

  function hatch() { // what tells view 2 from view 1 without color; of no size itself
    return svg("svg", { width: 0, height: 0, "aria-hidden": "true", style: "position: absolute" }, svg("pattern", { id: "sx-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 6, height: 6, class: "sx-fill-2" }), svg("rect", { width: 2, height: 6, class: "sx-hatching" })));
  }

  function handle(v, k) {
    const { drawing, wide } = encodings;
    const node = svg("rect", { x: LEFT + wide * (k + 0.08 + 0.42 * v), y: 4, width: 0.4 * wide, height: HEIGHT - BOTTOM - 4, class: "sx-handle", role: "slider", tabindex: k ? -1 : 0,
      "aria-label": `Encoding, ${VIEWS[v]}, unit ${k}; up and down change it, left and right choose the unit`, "aria-valuemin": 0, "aria-valuemax": 1 });
    const by = { ArrowUp: 0.05, ArrowDown: -0.05, PageUp: 0.2, PageDown: -0.2 };
    node.addEventListener("keydown", (event) => {
      const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (aside) handles[v][(k + aside + units) % units].focus();
      else if (by[event.key]) bend(v, k, row(v)[k] + by[event.key]);
      else return;
      event.preventDefault();
    });
    node.addEventListener("focus", () => handles[v].forEach((other, i) => other.setAttribute("tabindex", i === k ? 0 : -1)));
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      const before = row(v);
      const follow = (e) => {
        const { y } = new DOMPoint(e.clientX, e.clientY).matrixTransform(drawing.getScreenCTM().inverse());
        bend(v, k, scale(HEIGHT - BOTTOM, 10, 0, 1)(y), before);
      };
      follow(event);
      node.addEventListener("pointermove", follow);
      const drop = () => node.removeEventListener("pointermove", follow);
      node.addEventListener("pointerup", drop, { once: true });
      node.addEventListener("pointercancel", drop, { once: true });
    });
    drawing.append(node);
    return node;
  }

  /** Give one unit of the cell a value, then scale the row to length 1 again; a collapse is undone first. */
  function bend(v, k, value, before = row(v)) {
    const changed = unitRow(before.map((old, i) => (i === k ? Math.min(1, Math.max(0.001, value)) : old)));
    const views = state.views.map((e, w) => (w === v ? e.map((old, i) => (i === state.cell ? changed : old)) : e));
    endMotion();
    path = null;
    change({ views, collapse: 0 });
  }

  function to(end) {
    const begin = state.collapse;
    endMotion();
    endMotion = glide(1500, (share) => change({ collapse: begin + share * (end - begin) }));
  }

  const moved = (e, share) => e.map((values) => unitRow(values.map((value, k) => (1 - share) * value + share * point[k])));
  const row = (v) => moved([state.views[v][state.cell]], state.collapse / MOMENTS)[0];

  function along(temperature) {
    const moments = Array.from({ length: MOMENTS + 1 }, (_, s) => state.views.map((e) => moved(e, s / MOMENTS)));
    const found = moments.map(([e1, e2]) => alignment(e1, e2, temperature));
    return { overAll: found.map((one) => one.overAll), within: found.map((one) => one.within), cosine: moments.map(([e1]) => meanCosine(e1)) };
  }

  function change(next) {
    Object.assign(state, next);
    render();
  }

  function render() {
    const { temperature } = state;
    const rows = VIEWS.map((_, v) => row(v));
    const logs = rows.map((values) => logSoftmax(values, temperature));
    const halves = [divergenceParts(logs[0], logs[1]), divergenceParts(logs[1], logs[0])];
    const both = halves[0].map((part, k) => part + halves[1][k]);
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const reach = Math.max(0.01, ...halves.flat().map(Math.abs), ...both) * 1.05;
    encodings.draw(rows);
    distributions.draw(logs.map((values) => values.map(Math.exp)));
    parts.draw([...halves, both], [Math.min(0, ...halves.flat()) * 1.05, reach]);
    handles.forEach((list, v) => list.forEach((node, k) => set(node, { "aria-valuenow": rows[v][k].toFixed(2), "aria-valuetext": rows[v][k].toFixed(2) })));
    const keys = [["KL(q1 ‖ q2)", sum(halves[0])], ["KL(q2 ‖ q1)", sum(halves[1])], ["both added", sum(both)]];
    sums.replaceChildren(...keys.map(([key, value], b) => el("li", {}, svg("svg", { viewBox: "0 0 14 12", width: 14, height: 12, "aria-hidden": "true" }, svg("rect", { width: 14, height: 12, class: `sx-bar-${b + 1}` })), `${key} = ${value.toFixed(3)}`)));
    path ??= along(temperature);
    const s = Math.round(state.collapse);
    const [start, now] = [0, s].map((i) => path.overAll[i] + path.within[i]);
    lines.update([
      { name: "loss, as a share of its start", values: path.overAll.map((value, i) => (value + path.within[i]) / (start || 1)), covered: !state.open },
      { name: "mean cosine of different cells", values: path.cosine },
    ], s, `Loss and mean cosine along the collapse, now at ${(100 * s) / MOMENTS} percent.`);
    const total = `Loss of all ${data.e1.length} cells: ${now.toFixed(3)} = ${path.overAll[s].toFixed(3)} over all entries + ${path.within[s].toFixed(3)} within cells.`;
    said.textContent = state.open || s === 0 ? total : "The loss is covered until you have guessed.";
    [encodings, distributions, parts].forEach(({ drawing }, i) => drawing.setAttribute("aria-label", `${["Encodings", "Distributions", "Parts of the divergences"][i]} of cell ${state.cell} in both views, ${units} hidden units`));
    cell.set(state.cell);
    collapse.set(s);
    view.root.dataset.state = JSON.stringify({ cell: state.cell, collapse: s, rows, both: sum(both), loss: now });
    view.say(`Temperature ${temperature}, collapse ${(100 * s) / MOMENTS}%. Cell ${state.cell}: ${keys.map(([key, value]) => `${key} ${value.toFixed(2)}`).join(", ")}. ${said.textContent} Different cells have a mean cosine of ${path.cosine[s].toFixed(2)}.`);
  }

  render();
  return () => {
    endMotion();
    view.stop();
  };
}
