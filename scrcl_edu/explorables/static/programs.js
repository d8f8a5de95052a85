// A cell as a mixture of programs: what a cell asks of genes, the programs, their product, and where the cell comes to lie.
import { button, canvas, choice, el, frame, legend, marker, panel, scale, set, slider, svg } from "./common.js";
import { ask } from "./guess.js";
import { inPlane, mixture, nearestCells, refined } from "./programs_numbers.js";

const [WIDE, ROW, TOP] = [340, 18, 22];
const [NAMES, FROM, TO, MATRIX] = [74, 79, 172, 179]; // where names end, bars lie, the matrix begins

/** Mount into an element; returns a function that ends it. */
export function mount(element, data, { progress }) {
  const { types, type_of: typeOf, genes, programs } = data;
  const many = programs[0].length;
  const limit = data.asks.flat().reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const most = programs[0].map((_, k) => programs.reduce((a, row) => Math.max(a, row[k]), 0));
  const places = data.refined.map((row) => inPlane(row, data.center, data.plane));
  const outlines = types.map((type) => new Path2D(marker(type.marker, 0, 0, 3.2)));
  const first = Math.max(0, data.cells.findIndex((cell) => types[typeOf[cell]].name === "CD19+ B"));
  const state = { at: first, gene: genes.indexOf(data.asked), asked: [...data.asks[first]] };

  const view = frame(element, "A cell as a mixture of programs", "Choose a real cell. Drag what it asks of a gene, and see what its mixture of programs becomes.");
  view.root.classList.add("sx-programs");
  const numberOf = (k) => data.cells.slice(0, k + 1).filter((cell) => typeOf[cell] === typeOf[data.cells[k]]).length;
  const called = (k) => `${types[typeOf[data.cells[k]]].name} ${numberOf(k)}`;
  choice(view.controls, "Cell", data.cells.map((_, k) => [k, called(k)]), state.at, (k) => change({ at: Number(k), asked: [...data.asks[k]] }));
  const gene = choice(view.controls, "Gene", genes.map((name, g) => [g, name]), state.gene, (g) => change({ gene: Number(g) }));
  const amount = slider(view.controls, { label: "How much it asks of it", min: -limit, max: limit, step: 0.01, value: 0, write: (v) => v.toFixed(2) }, (v) => asksFor(state.gene, v));
  button(view.controls, "Nothing of it", () => asksFor(state.gene, 0));
  button(view.controls, "As the cell asks", () => change({ asked: [...data.asks[state.at]] }));

  const high = TOP + ROW * genes.length + 22;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${high}`, role: "img" });
  const left = panel(view.stage, "Asked of each gene, and its part in the programs", drawing);
  left.append(el("p", { class: "sx-hint" }, `${genes.length} of ${data.n_genes} genes; what is asked of the others stays as it is.`));
  const bars = svg("svg", { viewBox: "0 0 340 250", role: "img" });
  panel(view.stage, "Asked times programs: the refined cell z", bars, el("p", { class: "sx-hint" }, "Filled: as it is here. Outline: as the cell asks."));
  const mapPanel = panel(view.stage, "The refined cell among the 700");
  const map = canvas(view, mapPanel, "", 0.8, drawMap);
  legend(mapPanel, types);
  const guess = ask(view.root, data.question, progress, () => {
    change({ at: first, gene: genes.indexOf(data.asked), asked: [...data.asks[first]] });
    asksFor(state.gene, 0);
  });
  view.stage.append(guess.box);

  const across = scale(-limit, limit, FROM, TO);
  drawing.addEventListener("pointerdown", (event) => {
    const to = (e) => new DOMPoint(e.clientX, e.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    const begun = to(event);
    const g = Math.floor((begun.y - TOP) / ROW);
    if (g < 0 || g >= genes.length) return;
    change({ gene: g });
    if (begun.x < FROM || begun.x > TO) return;
    drawing.setPointerCapture(event.pointerId);
    const follow = (e) => asksFor(g, Math.round(100 * Math.min(limit, Math.max(-limit, scale(FROM, TO, -limit, limit)(to(e).x)))) / 100);
    const drop = () => drawing.removeEventListener("pointermove", follow);
    drawing.addEventListener("pointermove", follow);
    drawing.addEventListener("pointerup", drop, { once: true });
    drawing.addEventListener("pointercancel", drop, { once: true });
  });

  function change(next) {
    Object.assign(state, next);
    render();
  }
  function asksFor(g, value) {
    change({ asked: state.asked.map((old, i) => (i === g ? value : old)) });
  }

  function drawGenes() {
    const nodes = genes.map((name, g) => {
      const y = TOP + ROW * g;
      const [now, own] = [across(state.asked[g]), across(data.asks[state.at][g])];
      const cells = programs[g].map((value, k) => svg("rect", { x: MATRIX + 16 * k, y: y + 1, width: 15, height: ROW - 1, class: "sx-fill-1", "fill-opacity": (0.04 + 0.96 * (value / most[k])).toFixed(2) }));
      return svg("g", { class: g === state.gene ? "sx-gene sx-chosen" : "sx-gene" },
        svg("rect", { x: 0, y, width: WIDE, height: ROW, class: "sx-back" }),
        svg("text", { x: NAMES, y: y + 14, "text-anchor": "end" }, name),
        svg("rect", { x: Math.min(across(0), now), y: y + 3, width: Math.abs(now - across(0)), height: ROW - 6, class: state.asked[g] < 0 ? "sx-fill-2" : "sx-fill-1" }),
        svg("path", { d: `M${own} ${y + 2}V${y + ROW - 2}`, class: "sx-own" }), cells);
    });
    const numbers = most.map((_, k) => svg("text", { x: MATRIX + 16 * k + 8, y: 16, "text-anchor": "middle", class: "sx-small" }, `${k}`));
    const foot = high - 6;
    drawing.replaceChildren(...nodes, ...numbers, svg("path", { d: `M${across(0)} ${TOP}V${high - 20}`, class: "sx-axis" }),
      svg("text", { x: FROM, y: foot, class: "sx-small" }, "less"), svg("text", { x: TO, y: foot, "text-anchor": "end", class: "sx-small" }, "more"),
      svg("text", { x: MATRIX, y: foot, class: "sx-small" }, "programs"));
    set(drawing, { "aria-label": `What ${called(state.at)} asks of ${genes.length} genes, as bars, and the part of each gene in ${many} programs.` });
  }

  function drawBars(now, own) {
    const along = scale(-1, 1, 30, 334);
    const rows = now.map((value, k) => {
      const y = 6 + 22 * k;
      return [svg("text", { x: 22, y: y + 14, "text-anchor": "end", class: "sx-small" }, `${k}`),
        svg("rect", { x: Math.min(along(0), along(value)), y: y + 2, width: Math.abs(along(value) - along(0)), height: 15, class: value < 0 ? "sx-fill-2" : "sx-fill-1" }),
        svg("rect", { x: Math.min(along(0), along(own[k])), y: y + 2, width: Math.abs(along(own[k]) - along(0)), height: 15, class: "sx-outline" })];
    });
    const ticks = [-1, 0, 1].map((v) => svg("text", { x: along(v), y: 246, "text-anchor": v < 0 ? "start" : v > 0 ? "end" : "middle", class: "sx-small" }, `${v}`));
    bars.replaceChildren(svg("path", { d: `M${along(0)} 4V230`, class: "sx-axis" }), ...rows.flat(), ...ticks);
    set(bars, { "aria-label": `Use of each program: ${now.map((v, k) => `${k}: ${v.toFixed(2)}`).join(", ")}.` });
  }

  function drawMap(context, width, height) {
    const limits = [0, 1].map((axis) => places.reduce(([a, b], p) => [Math.min(a, p[axis]), Math.max(b, p[axis])], [0, 0]));
    const x = scale(...limits[0], 16, width - 16);
    const y = scale(...limits[1], height - 16, 16);
    context.globalAlpha = 0.75;
    places.forEach((place, i) => {
      context.fillStyle = types[typeOf[i]].color;
      const [px, py] = [x(place[0]), y(place[1])];
      context.translate(px, py);
      context.fill(outlines[typeOf[i]]);
      context.translate(-px, -py);
    });
    context.globalAlpha = 1;
    const at = inPlane(refined(state.asked, programs, data.rest[state.at]), data.center, data.plane);
    const own = places[data.cells[state.at]];
    const keep = (value, most_) => Math.min(most_ - 10, Math.max(10, value));
    const [px, py] = [keep(x(at[0]), width), keep(y(at[1]), height)];
    [context.strokeStyle, context.lineWidth] = [view.color("--ink"), 1.5];
    context.beginPath();
    context.moveTo(x(own[0]), y(own[1]));
    context.lineTo(px, py);
    context.stroke();
    context.lineWidth = 3;
    context.beginPath();
    context.arc(px, py, 9, 0, 2 * Math.PI);
    context.stroke();
  }

  function render() {
    const rest = data.rest[state.at];
    const [now, own] = [state.asked, data.asks[state.at]].map((asked) => refined(asked, programs, rest));
    const cell = data.cells[state.at];
    const near = nearestCells(now, data.refined, data.nearest, cell);
    const counts = types.map((type, t) => [near.filter((i) => typeOf[i] === t).length, type.name]).filter(([count]) => count).sort((a, b) => b[0] - a[0]);
    const moved = now.reduce((sum, value, k) => sum + value * own[k], 0);
    gene.set(state.gene);
    amount.set(state.asked[state.gene]);
    drawGenes();
    drawBars(now, own);
    map.redraw();
    const words = `Of its ${data.nearest} nearest cells ${counts.map(([count, name]) => `${count} are ${name}`).join(", ")}.`;
    map.node.setAttribute("aria-label", `700 refined cells on two components; a ring marks ${called(state.at)}. ${words}`);
    view.root.dataset.state = JSON.stringify({ cell, mixture: mixture(state.asked, programs, rest), z: now, near });
    view.say(`${called(state.at)} asks ${state.asked[state.gene].toFixed(2)} of ${genes[state.gene]}, by itself ${data.asks[state.at][state.gene].toFixed(2)}. Its cosine with itself as it is: ${moved.toFixed(3)}. ${words}`);
  }

  render();
  return view.stop;
}
