// Message passing: six nodes, their edges, and what one graph convolution collects, as a drawing and as a matrix product.
import { button, choice, el, frame, panel, set, slider, svg } from "./common.js";
import { ask } from "./guess.js";
import { gcnOperator, times } from "./numbers.js";

const [WIDTH, HEIGHT, RADIUS] = [400, 300, 22];

/** Mount into an element; returns a function that ends it. */
export function mount(element, data, { progress }) {
  const n = data.places.length;
  const places = data.places.map(([x, y]) => [50 + x * (WIDTH - 100), HEIGHT - 55 - y * (HEIGHT - 110)]);
  const state = { edges: data.edges.map((edge) => [...edge]), values: [...data.values], watched: 3, chosen: 0 };
  const view = frame(element, "Message passing", "Turn an edge around, or drag its head to another node; click a node to watch its sum.");
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": "The graph" });
  const sum = el("p", { class: "sx-sum" });
  const product = el("div", { class: "sx-scroll", tabindex: 0, role: "region", "aria-label": "The matrix product" });
  panel(view.stage, "As a drawing: what each node says, and the weights on what arrives", drawing, sum);
  panel(view.stage, "As a matrix: row j holds what arrives at node j", product);

  const names = [...Array(n).keys()].map((i) => [i, `node ${i}`]);
  const called = ([i, j]) => `${i} → ${j}`;
  const watch = choice(view.controls, "Watch", names, state.watched, (i) => change({ watched: Number(i) }));
  const says = slider(view.controls,
    { label: "It says", min: -1, max: 2, step: 0.5, value: 0, write: (v) => v.toFixed(1) },
    (v) => change({ values: state.values.map((old, i) => (i === state.watched ? v : old)) }));
  const edge = choice(view.controls, "Edge", [], 0, (k) => change({ chosen: Number(k) }));
  const head = choice(view.controls, "leads to", names, 0, (j) => move(state.chosen, [state.edges[state.chosen][0], Number(j)]));
  button(view.controls, "Turn around", () => turn(state.chosen));
  button(view.controls, "Begin again", () => change({ edges: data.edges.map((e) => [...e]), values: [...data.values] }));

  const guess = ask(view.root, data.question, progress, () => {
    const there = state.edges.some(([i, j]) => i === data.more[0] && j === data.more[1]);
    change({ edges: there ? state.edges : [...state.edges, data.more], watched: data.more[1] });
  });
  view.root.insertBefore(guess.box, view.stage.nextSibling);

  function change(next) {
    Object.assign(state, next);
    render();
  }
  function turn(k) {
    move(k, [...state.edges[k]].reverse());
  }
  function move(k, [i, j]) {
    const taken = state.edges.some(([a, b], other) => other !== k && a === i && b === j);
    if (i === j || taken) {
      render();
      view.say(i === j ? `Every node has its edge to itself already.` : `There is an edge ${called([i, j])} already.`);
      return;
    }
    change({ edges: state.edges.map((old, other) => (other === k ? [i, j] : old)), chosen: k });
  }

  function curve([i, j], end = places[j], loose = false) {
    const [[x1, y1], [x2, y2]] = [places[i], end];
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
    const middle = [(x1 + x2) / 2 + 26 * uy, (y1 + y2) / 2 - 26 * ux];
    const toward = ([x, y], by) => {
      const d = Math.hypot(middle[0] - x, middle[1] - y) || 1;
      return [x + ((middle[0] - x) * by) / d, y + ((middle[1] - y) * by) / d];
    };
    const [from, to] = [toward([x1, y1], RADIUS + 2), toward([x2, y2], loose ? 0 : RADIUS + 3)];
    const angle = Math.atan2(to[1] - middle[1], to[0] - middle[0]);
    const wing = (turned) => `${to[0] - 12 * Math.cos(angle + turned)} ${to[1] - 12 * Math.sin(angle + turned)}`;
    return {
      line: `M${from.join(" ")}Q${middle.join(" ")} ${to.join(" ")}`,
      tip: `M${to.join(" ")}L${wing(0.4)}L${wing(-0.4)}Z`,
      label: [0.25 * from[0] + 0.5 * middle[0] + 0.25 * to[0] + (14 + 18 * Math.abs(uy)) * uy, 0.25 * from[1] + 0.5 * middle[1] + 0.25 * to[1] - 12 * ux + 5],
    };
  }

  function drawEdge(k, operator) {
    const [i, j] = state.edges[k];
    const arrives = j === state.watched;
    const shape = curve([i, j]);
    const name = `Edge from ${i} to ${j}, weight ${operator[j][i].toFixed(2)}. Enter turns it around.`;
    const group = svg("g", { class: `sx-edge${arrives ? " sx-arrives" : ""}${k === state.chosen ? " sx-chosen" : ""}`, role: "button", tabindex: 0, "aria-label": name, "data-edge": k },
      svg("path", { d: shape.line, class: "sx-grip" }), svg("path", { d: shape.line, class: "sx-way" }), svg("path", { d: shape.tip, class: "sx-tip" }));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      turn(k);
      drawing.querySelector(`[data-edge="${k}"]`)?.focus();
    });
    group.addEventListener("pointerdown", (event) => drag(event, k, group));
    return group;
  }

  function drag(event, k, group) {
    event.preventDefault();
    group.setPointerCapture(event.pointerId);
    let moved = false;
    const at = (e) => new DOMPoint(e.clientX, e.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    const follow = (e) => {
      moved ||= Math.hypot(e.clientX - event.clientX, e.clientY - event.clientY) > 4;
      if (!moved) return;
      const { x, y } = at(e);
      const shape = curve(state.edges[k], [x, y], true);
      group.querySelectorAll(".sx-way, .sx-grip").forEach((path) => set(path, { d: shape.line }));
      set(group.querySelector(".sx-tip"), { d: shape.tip });
    };
    const drop = (e) => {
      const { x, y } = at(e);
      const j = places.findIndex(([a, b]) => Math.hypot(a - x, b - y) < 1.6 * RADIUS);
      if (moved && j >= 0) move(k, [state.edges[k][0], j]);
      else change({ chosen: k });
    };
    group.addEventListener("pointermove", follow);
    group.addEventListener("pointerup", drop, { once: true });
    group.addEventListener("pointercancel", () => render(), { once: true });
  }

  /** What stands at nodes and edges, above them and out of the way of pointers and of names. */
  function drawWords(operator) {
    const word = (x, y, anchor, kind, text) => svg("text", { x, y, "text-anchor": anchor, class: kind }, text);
    const weights = state.edges.filter(([, j]) => j === state.watched).map(([i, j]) => {
      const [x, y] = curve([i, j]).label;
      return word(x, y, "middle", "sx-weight", `× ${operator[j][i].toFixed(2)}`);
    });
    const nodes = places.flatMap(([x, y], i) => [word(x, y + 5, "middle", null, `${state.values[i]}`), word(x - RADIUS - 4, y + RADIUS + 4, "end", "sx-small", `${i}`)]);
    return svg("g", { "aria-hidden": "true", "pointer-events": "none" }, weights, nodes);
  }

  function drawNode(i) {
    const [x, y] = places[i];
    const node = svg("g", { class: `sx-node${i === state.watched ? " sx-chosen" : ""}`, role: "button", tabindex: 0, "aria-pressed": String(i === state.watched), "aria-label": `Watch node ${i}, which says ${state.values[i]}` },
      svg("circle", { cx: x, cy: y, r: RADIUS }));
    node.addEventListener("click", () => change({ watched: i }));
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      change({ watched: i });
      drawing.querySelectorAll(".sx-node")[i].focus();
    });
    return node;
  }

  function render() {
    const operator = gcnOperator(n, state.edges);
    const out = times(operator, state.values);
    const j = state.watched;
    drawing.replaceChildren(...state.edges.map((_, k) => drawEdge(k, operator)), ...places.map((_, i) => drawNode(i)), drawWords(operator));
    const terms = operator[j].map((weight, i) => [weight, i]).filter(([weight]) => weight > 0);
    const words = terms.map(([weight, i]) => `${weight.toFixed(2)} × ${state.values[i]} (${i === j ? "itself" : `from ${i}`})`);
    sum.textContent = `Node ${j} collects ${words.join(" + ")} = ${out[j].toFixed(2)}`;
    product.replaceChildren(table(operator, out));
    watch.set(j);
    says.set(state.values[j]);
    edge.fill(state.edges.map((e, k) => [k, called(e)]), state.chosen);
    head.set(state.edges[state.chosen][1]);
    view.root.dataset.out = JSON.stringify(out);
    view.say(`Node ${j} has ${terms.length} arriving edges with its own, and collects ${out[j].toFixed(2)}.`);
  }

  function table(operator, out) {
    const lit = (on) => (on ? "sx-lit" : null);
    const j = state.watched;
    const headers = [el("th", {}, "to \\ from"), ...names.map(([i]) => el("th", { scope: "col" }, `${i}`)), el("th", {}), el("th", { scope: "col" }, "x"), el("th", {}), el("th", { scope: "col" }, "sum")];
    const rows = operator.map((row, k) => el("tr", {},
      el("th", { scope: "row" }, `${k}`), row.map((weight, i) => el("td", { class: lit(k === j && weight > 0) }, weight > 0 ? weight.toFixed(2) : "·")),
      el("th", {}, k === 2 ? "×" : ""), el("td", { class: lit(operator[j][k] > 0) }, `${state.values[k]}`),
      el("th", {}, k === 2 ? "=" : ""), el("td", { class: lit(k === j) }, out[k].toFixed(2))));
    return el("table", { class: "sx-matrix" }, el("thead", {}, el("tr", {}, headers)), el("tbody", {}, rows));
  }

  render();
  return view.stop;
}
