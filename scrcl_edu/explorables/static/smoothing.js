// Smoothing: cells move as S^n X moves them; one cell's row of S is lit in the graph and in the matrix.
import { button, canvas, chart, el, frame, glide, legend, marker, panel, slider } from "./common.js";
import { ask } from "./guess.js";
import { heardFromOwn, product, smoother, unionGraph } from "./numbers.js";

const STEPS = 30;

/** Mount into an element; returns a function that ends it. */
export function mount(element, data, { progress }) {
  const { types, type_of: typeOf } = data;
  const n = typeOf.length;
  const order = [...typeOf.keys()].sort((a, b) => typeOf[a] - typeOf[b] || a - b); // of the matrix's rows
  const rank = new Int32Array(n);
  order.forEach((cell, i) => { rank[cell] = i; });
  const [small, large] = [3.4, 5].map((r) => types.map((type) => new Path2D(marker(type.marker, 0, 0, r))));
  const state = { k: 15, step: 0, cell: order[Math.floor(n / 2)], at: null, open: false };
  let [S, stages, purity, curves, box, image] = [];
  let endMotion = () => {};

  const view = frame(element, "Smoothing", "Average each cell with its neighbors, again and again. Click a cell to see whom it hears.");
  view.root.classList.add("sx-smoothing");
  const size = slider(view.controls, { label: "k, counting the cell itself", min: 0, max: data.ks.length - 1, value: data.ks.indexOf(state.k), write: (i) => `${data.ks[i]}` }, (i) => rebuild(data.ks[i]));
  const step = slider(view.controls, { label: "Steps n of S", min: 0, max: STEPS, value: 0 }, (to) => go(to));
  const chosen = slider(view.controls, { label: "Cell (sorted by type)", min: 0, max: n - 1, value: rank[state.cell] }, (i) => pick(order[i]));
  button(view.controls, "One step", () => go(Math.min(STEPS, state.step + 1)));
  button(view.controls, "Back to the start", () => go(0));
  button(view.controls, "Choose the hub", () => pick(curves.hub));

  const mapPanel = panel(view.stage, "The cells and their graph, on two fixed principal components");
  const map = canvas(view, mapPanel, "", 0.68, drawMap);
  legend(mapPanel, types);
  const matrix = canvas(view, panel(view.stage, "S, a row and a column for each cell"), "", 0.86, drawMatrix);
  const lines = chart(panel(view.stage, "What the steps do"), { x: [...Array(STEPS + 1).keys()], low: 0, high: 1, xlabel: "steps", ticks: [0, 5, 10, 15, 20, 25, 30] });
  const guess = ask(view.root, data.question, progress, () => {
    state.open = true;
    size.set(data.ks.indexOf(15)); // which the question is about
    rebuild(15);
  });
  view.stage.append(guess.box);
  state.open = !guess.open;
  map.node.addEventListener("click", (event) => pick(nearestTo(event.offsetX, event.offsetY)));
  matrix.node.addEventListener("click", (event) => {
    const { top, side } = matrixFrame(matrix.node.clientWidth, matrix.node.clientHeight);
    const i = Math.floor(((event.offsetY - top) / side) * n);
    if (i >= 0 && i < n) pick(order[i]);
  });

  function rebuild(k) {
    state.k = k;
    S = smoother(unionGraph(data.nearest, k));
    curves = data.curves[k];
    purity = heardFromOwn(S, typeOf, types.length, STEPS);
    stages = [Float64Array.from(data.places.flat())];
    for (let i = 0; i < STEPS; i += 1) stages.push(product(S, stages[i], 2));
    const reached = [0, 1].map((axis) => stages.flatMap((places) => [...places].filter((_, i) => i % 2 === axis)));
    box = reached.map((values) => [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]);
    image = null;
    endMotion();
    state.at = stages[state.step];
    render();
  }

  function go(to) {
    const from = state.at;
    endMotion();
    state.step = to;
    step.set(to);
    endMotion = glide(350, (share) => {
      const ease = share * share * (3 - 2 * share);
      state.at = share === 1 ? stages[to] : stages[to].map((value, i) => from[i] + ease * (value - from[i]));
      map.redraw();
    });
    render();
  }

  function pick(cell) {
    state.cell = cell;
    chosen.set(rank[cell]);
    render();
  }

  function place(width, height) {
    const [[left, right], [low, high]] = box;
    const unit = Math.min((width - 40) / (right - left), (height - 40) / (high - low));
    return (i) => [width / 2 + unit * (state.at[2 * i] - (left + right) / 2), height / 2 - unit * (state.at[2 * i + 1] - (low + high) / 2)];
  }

  function nearestTo(x, y) {
    const where = place(map.node.clientWidth, map.node.clientHeight);
    const far = (i) => Math.hypot(where(i)[0] - x, where(i)[1] - y);
    return order.reduce((best, i) => (far(i) < far(best) ? i : best), order[0]);
  }

  const row = () => Array.from({ length: S.start[state.cell + 1] - S.start[state.cell] }, (_, a) => S.other[S.start[state.cell] + a]);

  function drawMap(context, width, height) {
    const where = place(width, height);
    const spots = Array.from({ length: n }, (_, i) => where(i));
    const parts = state.at === stages[state.step] ? 16 : 1; // of the edges, one sixteenth while cells move
    [context.globalAlpha, context.strokeStyle] = [0.06, view.color("--muted")];
    for (let part = 0; part < parts; part += 1) drawEdges(context, spots, part);
    context.globalAlpha = 1;
    spots.forEach(([x, y], i) => spot(context, x, y, i));
    const [cx, cy] = spots[state.cell];
    [context.strokeStyle, context.lineWidth] = [view.color("--ink"), 1.2];
    for (const j of row()) {
      context.beginPath();
      context.moveTo(cx, cy);
      context.lineTo(...spots[j]);
      context.stroke();
    }
    row().forEach((j) => spot(context, ...spots[j], j, true));
    context.lineWidth = 2.5;
    ring(context, cx, cy, 10);
    context.setLineDash([4, 3]);
    ring(context, ...spots[curves.hub], 13);
    context.setLineDash([]);
    label(context, "hub", ...spots[curves.hub], width);
  }

  function drawEdges(context, spots, part) { // every sixteenth cell's, so that where many lie it is darker
    context.beginPath();
    for (let i = part; i < n; i += 16) {
      for (let a = S.start[i]; a < S.start[i + 1]; a += 1) {
        if (S.other[a] > i) {
          context.moveTo(...spots[i]);
          context.lineTo(...spots[S.other[a]]);
        }
      }
    }
    context.stroke();
  }

  function spot(context, x, y, i, lit = false) {
    const outline = (lit ? large : small)[typeOf[i]];
    context.translate(x, y);
    context.fillStyle = types[typeOf[i]].color;
    context.fill(outline);
    if (lit) context.stroke(outline);
    context.translate(-x, -y);
  }

  function ring(context, x, y, r) {
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.stroke();
  }

  function label(context, words, x, y, width) {
    [context.fillStyle, context.font] = [view.color("--ink"), "600 13px system-ui, sans-serif"];
    context.textAlign = x > width - 60 ? "right" : "left";
    context.fillText(words, x + (x > width - 60 ? -17 : 17), y + 4);
  }

  function matrixFrame(width, height) {
    const side = Math.min(width - 28, height - 16);
    return { left: (width - side) / 2 + 8, top: 8, side };
  }

  view.onTheme(() => { image = null; });
  function dots() { // S, drawn once for each k and theme
    image = el("canvas", { width: n, height: n });
    const context = image.getContext("2d");
    context.fillStyle = view.color("--ink");
    for (let i = 0; i < n; i += 1) {
      for (let a = S.start[i]; a < S.start[i + 1]; a += 1) context.fillRect(rank[S.other[a]], rank[i], 1, 1);
    }
    return image;
  }

  function drawMatrix(context, width, height) {
    const { left, top, side } = matrixFrame(width, height);
    const at = (i) => (side * i) / n;
    context.drawImage(image ?? dots(), left, top, side, side);
    context.strokeStyle = view.color("--line");
    context.strokeRect(left, top, side, side);
    types.forEach((type, t) => {
      const [first, size] = [rank[order.find((cell) => typeOf[cell] === t)], typeOf.filter((u) => u === t).length];
      context.fillStyle = type.color;
      context.fillRect(left - 5, top + at(first), 4, at(size));
      context.fill(new Path2D(marker(type.marker, left - 13, top + at(first + size / 2), 4)));
    });
    const y = top + at(rank[state.cell] + 0.5);
    context.fillStyle = view.color("--lit");
    context.globalAlpha = 0.8;
    context.fillRect(left, y - 4, side, 8);
    context.globalAlpha = 1;
    context.fillStyle = view.color("--c2");
    row().forEach((j) => context.fillRect(left + at(rank[j]) - 1.2, y - 4, 2.4, 8));
  }

  function render() {
    const { cell, k, step: now } = state;
    const own = row().filter((j) => j !== cell && typeOf[j] === typeOf[cell]).length;
    const heard = `Cell ${rank[cell]}, ${types[typeOf[cell]].name}, hears ${row().length - 1} neighbors, ${own} of its own type.`;
    const hub = `The row of the hub, with ${S.start[curves.hub + 1] - S.start[curves.hub] - 1} neighbors, is ${curves.growth[now].toFixed(1)} times as long as at first.`;
    const after = `k ${k}, ${now} step${now === 1 ? "" : "s"}`;
    const between = state.open ? `${Math.round(100 * curves.between[now])}% of the differences lie between types. ` : "";
    map.node.setAttribute("aria-label", `700 cells and their graph, ${after}. ${heard} ${hub}`);
    matrix.node.setAttribute("aria-label", `The matrix S, k ${k}, rows sorted by type. ${heard}`);
    lines.update([
      { name: "differences that lie between types", values: curves.between, covered: !state.open },
      { name: "heard from its own type (purity)", values: purity },
      { name: "differences left (variance)", values: curves.left },
    ], now, `Three curves over the steps, at ${after}.`);
    map.redraw();
    matrix.redraw();
    view.root.dataset.state = JSON.stringify({ k, step: now, cell, purity: purity[now] });
    view.say(`${after}. ${between}A cell hears ${Math.round(100 * purity[now])}% from its own type. ${heard} ${hub}`);
  }

  rebuild(state.k);
  return view.stop;
}
