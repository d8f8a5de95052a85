// Near against everyone: D of forty cells, one row of it pair by pair and by three sums, and what both cost.
import { button, canvas, el, frame, glide, legend, marker, panel, scale, slider, svg } from "./common.js";
import { ask } from "./guess.js";
import { costs, distributions, divergences, nearAndOthers, rowBySums, sumsOver } from "./near_numbers.js";

const [WIDE, HIGH] = [360, 210];
const PACE = 1e9; // products a second, of one core that does nothing else

/** Mount into an element; returns a function that ends it. */
export function mount(element, data, { progress }) {
  const { types, type_of: typeOf } = data;
  const n = typeOf.length;
  const hidden = data.encodings.before[0][0].length;
  const neighbors = typeOf.map((_, i) => data.edges.filter((edge) => edge.includes(i)).map(([a, b]) => (a === i ? b : a)));
  const moments = {};
  const state = { cell: 12, moment: "before", counted: n, size: 4, open: false };
  let endMotion = () => {};

  const view = frame(element, "Near against everyone", "Choose a cell: its row of D holds what is near and what is far. Count its sum pair by pair, or take three sums.");
  view.root.classList.add("sx-near");
  const chosen = slider(view.controls, { label: "Cell (sorted by type)", min: 0, max: n - 1, value: state.cell }, (i) => pick(i));
  button(view.controls, "Count pair by pair", count);
  const train = button(view.controls, "", () => change({ moment: state.moment === "before" ? "after" : "before", counted: n }));
  slider(view.controls, { label: "Cells N, for the cost", min: 1.6, max: 6, step: 0.1, value: state.size, write: (v) => cellsOf(v).toLocaleString("en") }, (v) => change({ size: v }));

  const mapPanel = panel(view.stage, "D: rows are cells in view 1, columns cells in view 2; strong color is far");
  const map = canvas(view, mapPanel, "", 0.92, drawMap);
  legend(mapPanel, types);
  map.node.addEventListener("click", (event) => {
    const { top, side } = mapFrame(map.node.clientWidth, map.node.clientHeight);
    const i = Math.floor(((event.offsetY - top) / side) * n);
    if (i >= 0 && i < n) pick(i);
  });
  const rowPanel = panel(view.stage, "The row of the chosen cell");
  const bars = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img" });
  const means = el("p", {});
  rowPanel.append(bars, el("p", { class: "sx-hint" }, "Filled with a dot: itself and its neighbors. Hollow: everyone else."), means);
  const sums = el("div", { class: "sx-scroll", tabindex: 0, role: "region", "aria-label": "The sum of the row, counted twice" });
  panel(view.stage, "The sum of the row, twice", sums);
  const price = svg("svg", { viewBox: `0 0 ${WIDE} 104`, role: "img" });
  panel(view.stage, `What it costs for N cells with ${hidden} hidden units and 24 neighbors each`, price, el("p", { class: "sx-hint" }, "Bars on a logarithmic axis; times at a billion products a second."));
  const guess = ask(view.root, data.question, progress, () => change({ open: true, moment: "after" }));
  view.stage.append(guess.box);
  state.open = !guess.open;

  function at(moment) {
    if (!moments[moment]) {
      const [one, two] = data.encodings[moment].map((e) => distributions(e.map((row) => row.map((v) => v / 1000)), data.temperature));
      const D = divergences(one, two);
      moments[moment] = { one, D, sums: sumsOver(two), each: nearAndOthers(D, neighbors) };
    }
    return moments[moment];
  }
  const isNear = (j) => j === state.cell || neighbors[state.cell].includes(j);

  function change(next) {
    endMotion();
    Object.assign(state, next);
    render();
  }
  function pick(cell) {
    chosen.set(cell);
    change({ cell, counted: n });
  }
  function count() {
    change({ counted: 0 });
    endMotion = glide(n * 70, (share) => {
      const counted = Math.round(share * n);
      if (counted === state.counted) return;
      state.counted = counted;
      render(counted < n);
    });
  }

  function mapFrame(width, height) {
    const side = Math.min(width - 30, height - 8);
    return { left: (width - side) / 2 + 9, top: 4, side };
  }

  function drawMap(context, width, height) {
    const { left, top, side } = mapFrame(width, height);
    const [unit, { D }] = [side / n, at(state.moment)];
    const top_ = D.flat().reduce((a, b) => Math.max(a, b), 0);
    context.fillStyle = view.color("--c1");
    D.forEach((row, i) => row.forEach((value, j) => {
      context.globalAlpha = 0.04 + 0.96 * (value / top_);
      context.fillRect(left + j * unit, top + i * unit, unit + 0.5, unit + 0.5);
    }));
    context.globalAlpha = 1;
    types.forEach((type, t) => {
      const [first, many] = [typeOf.indexOf(t), typeOf.filter((u) => u === t).length];
      context.fillStyle = type.color;
      context.fillRect(left - 6, top + first * unit, 4, many * unit - 1);
      context.fill(new Path2D(marker(type.marker, left - 14, top + (first + many / 2) * unit, 4.5)));
    });
    [context.strokeStyle, context.lineWidth] = [view.color("--ink"), 2];
    context.strokeRect(left - 1, top + state.cell * unit - 1, side + 2, unit + 2);
    context.fillStyle = view.color("--c2");
    for (const j of [state.cell, ...neighbors[state.cell]]) {
      context.beginPath();
      context.arc(left + (j + 0.5) * unit, top + (state.cell + 0.5) * unit, Math.max(2, unit * 0.34), 0, 2 * Math.PI);
      context.fill();
    }
  }

  function drawRow(row, { near, others }) {
    const up = scale(0, row.reduce((a, b) => Math.max(a, b), 0) * 1.12, HIGH - 24, 8);
    const across = scale(0, n, 40, WIDE - 4);
    const wide = across(1) - across(0) - 2;
    const shown = row.map((value, j) => [
      svg("rect", { x: across(j) + 1, y: up(value), width: wide, height: up(0) - up(value), class: `${isNear(j) ? "sx-near-bar" : "sx-far-bar"}${j < state.counted ? "" : " sx-uncounted"}` }),
      isNear(j) ? svg("circle", { cx: across(j + 0.5), cy: up(value) - 5, r: 2.6, class: "sx-fill-2" }) : null,
    ]);
    const mean = (value, words, dashes, color) => [
      svg("path", { d: `M40 ${up(value)}H${WIDE - 4}`, class: `sx-line sx-stroke-${color}`, "stroke-dasharray": dashes }),
      svg("text", { x: 37, y: up(value) + 4, "text-anchor": "end", class: "sx-small" }, words),
    ];
    const lines = state.counted === n ? [...mean(near, "near", "", 2), ...mean(others, Math.abs(up(near) - up(others)) < 14 ? "" : "others", "6 4", 1)] : [];
    bars.replaceChildren(svg("path", { d: `M40 8V${up(0)}H${WIDE - 4}`, class: "sx-axis" }), ...shown.flat().filter(Boolean), ...lines.flat(),
      svg("text", { x: (WIDE + 40) / 2, y: HIGH - 6, "text-anchor": "middle", class: "sx-small" }, "cells in view 2, by type"));
    bars.setAttribute("aria-label", `D of cell ${state.cell} to each of ${n} cells, ${neighbors[state.cell].length + 1} of them itself and its neighbors.`);
  }

  function drawSums(row, parts) {
    const by = row.slice(0, state.counted).reduce((a, b) => a + b, 0);
    const names = [`${n} times h of the cell`, "+ sum of h over view 2", "− q of the cell · sum of log q", "− log q of the cell · sum of q"];
    const line = (words, value, strong) => el("tr", {}, el("th", { scope: "row" }, words), el("td", { class: strong ? "sx-lit" : null }, value.toFixed(4)));
    sums.replaceChildren(el("table", { class: "sx-matrix sx-sums" }, el("tbody", {},
      line(`pair by pair, ${state.counted} of ${n} pairs`, by, true), names.map((name, k) => line(name, k ? parts[k] : parts[0], false)), line("the sums together", parts.reduce((a, b) => a + b), true))));
  }

  function drawPrice() {
    const many = cellsOf(state.size);
    const cost = costs(many, hidden, 24);
    const along = scale(5, 15, 4, WIDE - 90);
    const row = (value, words, y, color) => [
      svg("text", { x: 4, y }, words),
      svg("rect", { x: 4, y: y + 6, width: along(Math.log10(value)) - 4, height: 20, class: `sx-fill-${color}` }),
      svg("text", { x: along(Math.log10(value)) + 6, y: y + 21 }, inWords(value / PACE)),
    ];
    price.replaceChildren(...row(cost.pairs, `all pairs: ${short(cost.pairs)} products`, 18, 1), ...row(cost.sums, `sums and edges: ${short(cost.sums)} products`, 72, 2));
    price.setAttribute("aria-label", `For ${many.toLocaleString("en")} cells all pairs take ${short(cost.pairs)} products, the sums ${short(cost.sums)}.`);
    return cost.pairs / cost.sums;
  }

  function render(moving = false) {
    const { one, D, sums: shared, each } = at(state.moment);
    const [row, parts, own] = [D[state.cell], rowBySums(one, shared, state.cell), each[state.cell]];
    const loss = each.reduce((sum, { ratio }) => sum + ratio, 0) / n;
    const times = drawPrice();
    drawRow(row, own);
    drawSums(row, parts);
    map.redraw();
    train.textContent = state.moment === "before" ? `Train for ${data.epochs} epochs` : "Back to before training";
    train.disabled = !state.open;
    const told = `Near ${own.near.toFixed(3)} against others ${own.others.toFixed(3)}: ratio ${own.ratio.toFixed(2)}. The loss, the mean over all ${n} cells, is ${loss.toFixed(2)}.`;
    means.textContent = told;
    const when = state.moment === "before" ? "before training" : `after ${data.epochs} epochs`;
    map.node.setAttribute("aria-label", `D of ${n} by ${n} cells, ${when}; the row of cell ${state.cell} is framed, its near entries are dotted.`);
    view.root.dataset.state = JSON.stringify({ cell: state.cell, moment: state.moment, loss, sum: parts.reduce((a, b) => a + b), counted: state.counted });
    if (!moving) view.say(`Cell ${state.cell}, ${types[typeOf[state.cell]].name}, ${when}. ${told} For ${cellsOf(state.size).toLocaleString("en")} cells pairs take ${Math.round(times).toLocaleString("en")} times the work of sums.`);
  }

  render();
  view.tidy(() => endMotion());
  return view.stop;
}

const cellsOf = (power) => Number((10 ** power).toPrecision(2));

function short(value) {
  const names = [[1e15, "quadrillion"], [1e12, "trillion"], [1e9, "billion"], [1e6, "million"], [1e3, "thousand"]];
  const [unit, name] = names.find(([limit]) => value >= limit) ?? [1, ""];
  return `${Number((value / unit).toPrecision(3))} ${name}`.trim();
}

function inWords(seconds) {
  const names = [[86400, "days"], [3600, "hours"], [60, "minutes"], [1, "s"]];
  const [unit, name] = names.find(([limit]) => seconds >= limit) ?? [0.001, "ms"];
  return `${Number((seconds / unit).toPrecision(2))} ${name}`;
}
