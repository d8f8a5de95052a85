// What all explorables share: a frame with a spoken line, controls, markers, a chart, motion and the page's theme.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; functions among the attributes are listeners, such as { click: press }. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Change attributes of a node that is there. */
export function set(node, attributes) {
  fill(node, attributes, []);
  return node;
}

/** The frame of an explorable: { root, stage, controls, say, color, onTheme, tidy, stop }.
 *  `stage` takes panels, `controls` takes sliders and buttons, `say` speaks the state, `color("--ink")` reads a token,
 *  `onTheme` is called when the page turns dark or light, `tidy` when the explorable leaves, `stop` makes it leave. */
export function frame(element, title, hint) {
  const said = el("p", { class: "sx-said", "aria-live": "polite" });
  const stage = el("div", { class: "sx-stage" });
  const controls = el("div", { class: "sx-controls", role: "group", "aria-label": `Controls of ${title}` });
  const root = el(
    "section",
    { class: "sx", "aria-label": title, focusin: ownKeys },
    el("p", { class: "sx-title" }, title),
    el("p", { class: "sx-hint" }, hint),
    controls,
    stage,
    said,
  );
  const leaving = [];
  const themed = [];
  const stopWatching = watchTheme(root, () => themed.forEach((redraw) => redraw()));
  element.replaceChildren(root);
  let waiting = 0;
  const say = (text) => {
    clearTimeout(waiting); // a slider that is dragged speaks once, when it rests
    root.dataset.said = text;
    waiting = setTimeout(() => { if (said.textContent !== text) said.textContent = text; }, 150);
  };
  const stop = () => {
    clearTimeout(waiting);
    stopWatching();
    leaving.forEach((leave) => leave());
    root.remove();
  };
  return {
    root, stage, controls, say, stop,
    color: (token) => getComputedStyle(root).getPropertyValue(token).trim(),
    onTheme: (redraw) => themed.push(redraw),
    tidy: (leave) => leaving.push(leave),
  };
}

/** JupyterLab takes the arrow keys for its cells, from wherever this mark is not. */
function ownKeys({ target }) {
  target.setAttribute("data-lm-suppress-shortcuts", "");
}

/** Whether the page around an element is dark: what it says itself comes before what the system prefers. */
function isDark(root) {
  if (root.closest('[data-jp-theme-light="false"], [data-theme="dark"], .vscode-dark, .vscode-high-contrast')) return true;
  if (root.closest('[data-jp-theme-light="true"], [data-theme="light"], .vscode-light')) return false;
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function watchTheme(root, changed) {
  const look = () => {
    const dark = String(isDark(root));
    if (root.dataset.dark !== dark) {
      root.dataset.dark = dark;
      changed();
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(look);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-theme", "class"] });
  }
  system.addEventListener("change", look);
  requestAnimationFrame(look);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", look);
  };
}

/** A panel of the stage with its caption. */
export function panel(parent, caption, ...children) {
  const figure = el("figure", { class: "sx-panel" }, el("figcaption", {}, caption), ...children);
  parent.append(figure);
  return figure;
}

let labels = 0;
function labeled(parent, label, control, more = null) {
  control.id = `sx-${Date.now().toString(36)}-${(labels += 1)}`;
  parent.append(el("div", { class: "sx-control" }, el("label", { for: control.id }, label), control, more));
}

/** A slider with its label and its value in words; returns { input, set }. */
export function slider(parent, { label, min, max, step = 1, value, write = String }, moved) {
  const input = el("input", { type: "range", min, max, step });
  const output = el("output", {});
  const show = () => {
    output.textContent = write(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.value = value;
  input.addEventListener("input", () => { show(); moved(Number(input.value)); });
  labeled(parent, label, input, output);
  show();
  return { input, set: (next) => { input.value = next; show(); } };
}

/** A list to choose from; options are [value, text]; returns { input, set, fill }. */
export function choice(parent, label, options, value, chosen) {
  const input = el("select", {});
  const offer = (list, now) => {
    input.replaceChildren(...list.map(([key, text]) => el("option", { value: key }, text)));
    input.value = now;
  };
  offer(options, value);
  input.addEventListener("change", () => chosen(input.value));
  labeled(parent, label, input);
  return { input, set: (next) => { input.value = next; }, fill: offer };
}

/** A button. */
export function button(parent, label, press) {
  const made = el("button", { type: "button", click: press }, label);
  parent.append(made);
  return made;
}

/** A straight scale from [low, high] to [from, to]. */
export function scale(low, high, from, to) {
  return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
}

/** The outline of a marker as SVG path data, around (x, y): the ten shapes of the course's figures. */
export function marker(shape, x, y, r) {
  const ring = (n, turn, radii = [1]) =>
    Array.from({ length: n * radii.length }, (_, i) => {
      const angle = turn + (2 * Math.PI * i) / (n * radii.length);
      const far = r * radii[i % radii.length];
      return `${x + far * Math.cos(angle)} ${y + far * Math.sin(angle)}`;
    });
  const closed = (points) => `M${points.join("L")}Z`;
  const up = -Math.PI / 2;
  if (shape === "s") return closed(ring(4, Math.PI / 4, [1.15]));
  if (shape === "D") return closed(ring(4, 0, [1.2]));
  if (shape === "^") return closed(ring(3, up, [1.25]));
  if (shape === "v") return closed(ring(3, -up, [1.25]));
  if (shape === "<") return closed(ring(3, Math.PI, [1.25]));
  if (shape === ">") return closed(ring(3, 0, [1.25]));
  if (shape === "*") return closed(ring(5, up, [1.35, 0.55]));
  if (shape === "P") return closed(cross(x, y, r, 0));
  if (shape === "X") return closed(cross(x, y, r, Math.PI / 4));
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
}

function cross(x, y, r, turn) {
  const [a, b] = [0.42 * r, 1.15 * r];
  const corners = [[a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a], [-a, -b]];
  const [c, s] = [Math.cos(turn), Math.sin(turn)];
  return corners.map(([u, v]) => `${x + c * u - s * v} ${y + s * u + c * v}`);
}

/** A legend of types: color and marker beside the name. */
export function legend(parent, types) {
  const entry = ({ name, color, marker: shape }) =>
    el("li", {}, svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true" },
      svg("path", { d: marker(shape, 8, 8, 6), fill: color })), name);
  parent.append(el("ul", { class: "sx-legend" }, types.map(entry)));
}

/** A canvas as wide as its panel that draws itself again when it has to: draw(context, width, height). */
export function canvas(frame_, parent, label, aspect, draw) {
  const node = el("canvas", { role: "img", "aria-label": label });
  parent.append(node);
  let asked = 0;
  const paint = () => {
    asked = 0;
    const width = node.clientWidth;
    if (!width) return;
    const [height, sharp] = [Math.round(width * aspect), Math.min(2, devicePixelRatio || 1)];
    if (node.width !== Math.round(width * sharp) || node.height !== Math.round(height * sharp)) {
      [node.width, node.height] = [Math.round(width * sharp), Math.round(height * sharp)];
      node.style.height = `${height}px`;
    }
    const context = node.getContext("2d");
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  const redraw = () => { asked ||= requestAnimationFrame(paint); };
  const observer = new ResizeObserver(redraw);
  observer.observe(node);
  frame_.onTheme(redraw);
  frame_.tidy(() => { observer.disconnect(); cancelAnimationFrame(asked); });
  return { node, redraw };
}

/** Whether the reader asked for little motion. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Call step(share) from 0 to 1 over some milliseconds, or step(1) at once; returns a function that ends it there. */
export function glide(ms, step) {
  if (calm() || ms <= 0) {
    step(1);
    return () => {};
  }
  const begun = performance.now();
  let asked = requestAnimationFrame(function next(now) {
    const share = Math.min(1, Math.max(0, (now - begun) / ms));
    step(share);
    asked = share < 1 ? requestAnimationFrame(next) : 0;
  });
  return () => cancelAnimationFrame(asked);
}

const DASHES = ["", "7 4", "2 4", "9 3 2 3"];

/** Curves over a common x with a cursor; lines are { name, values, covered }, values from low to high.
 *  Returns { node, update(lines, at, label) }. Lines differ in color and dashes, and carry their names. */
export function chart(parent, { x, low, high, xlabel, ticks, width = 340, height = 220 }) {
  const [left, right, top, bottom] = [38, width - 14, 12, height - 40];
  const across = scale(0, x.length - 1, left, right);
  const up = scale(low, high, bottom, top);
  const node = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "sx-chart" });
  const key = el("ul", { class: "sx-legend" });
  parent.append(node, key);
  const text = (a, b, words, anchor) => svg("text", { x: a, y: b, "text-anchor": anchor, class: "sx-small" }, words);
  const axes = [
    svg("path", { d: `M${left} ${top}V${bottom}H${right}`, class: "sx-axis" }),
    [low, (low + high) / 2, high].map((v) => text(left - 5, up(v) + 4, `${+v.toFixed(2)}`, "end")),
    (ticks ?? x.map((_, i) => i)).map((i) => text(across(i), bottom + 16, `${x[i]}`, "middle")),
    text((left + right) / 2, height - 6, xlabel, "middle"),
  ];
  const update = (lines, at, label) => {
    const shown = lines.map((line, k) => (line.covered ? null : svg("path", {
      d: `M${line.values.map((v, i) => `${across(i).toFixed(1)} ${up(v).toFixed(1)}`).join("L")}`,
      class: `sx-line sx-stroke-${(k % 6) + 1}`, "stroke-dasharray": DASHES[k % 4],
    })));
    const dots = lines.map((line, k) => (line.covered ? null : svg("circle",
      { cx: across(at), cy: up(line.values[at]), r: 4.5, class: `sx-fill-${(k % 6) + 1}` })));
    node.replaceChildren(...axes.flat(), svg("path", { d: `M${across(at)} ${top}V${bottom}`, class: "sx-cursor" }),
      ...shown.filter(Boolean), ...dots.filter(Boolean));
    node.setAttribute("aria-label", label);
    key.replaceChildren(...lines.map((line, k) => el("li", {},
      svg("svg", { viewBox: "0 0 26 10", width: 26, height: 10, "aria-hidden": "true" },
        svg("path", { d: "M1 5H25", class: `sx-line sx-stroke-${(k % 6) + 1}`, "stroke-dasharray": DASHES[k % 4] })),
      line.covered ? `${line.name}: covered` : `${line.name} ${line.values[at].toFixed(2)}`)));
  };
  return { node, update };
}
