// The training film: both views epoch by epoch, losses and silhouette under a cursor, and a covered curve, the accuracy.
import { button, calm, canvas, chart, choice, el, frame, legend, marker, panel, slider } from "./common.js";
import { ask } from "./guess.js";

const PER_EPOCH = 160; // milliseconds of the film
const SHAPES = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">"];

/** Mount into an element; returns a function that ends it. */
export function mount(element, data, { progress }) {
  const { types, type_of: typeOf, epochs } = data;
  const names = Object.keys(data.runs);
  const n = typeOf.length;
  const state = { run: names[0], epoch: 0, at: 0, playing: false, colors: "clusters", open: false, kept: null };
  const outlines = SHAPES.map((shape) => new Path2D(marker(shape, 0, 0, 3.6)));
  let asked = 0;

  const view = frame(element, "The training film", "Play the training, stop it, scrub through it; switch a loss off. Choose an epoch before you uncover the accuracy.");
  view.root.classList.add("sx-film");
  const play = button(view.controls, "Play", () => (state.playing ? pause() : start()));
  const scrub = slider(view.controls, { label: "Epoch", min: 0, max: epochs, value: 0 }, (epoch) => { pause(); go(epoch); });
  choice(view.controls, "Training", names.map((name) => [name, name]), state.run, (run) => change({ run }));
  choice(view.controls, "Colors", [["clusters", "clusters of this epoch"], ["types", "types (labels, only to look)"]], state.colors, (colors) => change({ colors }));

  const maps = ["View 1, the dense network", "View 2, the graph network"].map((caption, which) => {
    const place = panel(view.stage, caption);
    return canvas(view, place, "", 0.8, (context, width, height) => drawView(context, width, height, which));
  });
  const key = el("div", {});
  const axis = [...Array(epochs + 1).keys()];
  const ticks = axis.filter((epoch) => epoch % 20 === 0);
  const losses = chart(panel(view.stage, "Losses, each as a share of its largest, and the silhouette"), { x: axis, low: 0, high: 1, xlabel: "epoch", ticks });
  const score = chart(panel(view.stage, "Accuracy: what only the labels know"), { x: axis, low: 0, high: 1, xlabel: "epoch", ticks });
  const guess = ask(view.root, data.question, progress, (epoch) => {
    state.kept = epoch;
    change({ run: names[0], open: true });
    go(epoch);
  });
  guess.box.addEventListener("input", (event) => { // choosing is scrubbing
    pause();
    go(Number(event.target.value));
  });
  const worth = el("p", { class: "sx-worth", "aria-live": "polite" });
  guess.box.append(worth);
  view.stage.append(guess.box);
  view.root.insertBefore(key, view.root.querySelector(".sx-said"));
  if (!guess.open) [state.open, state.kept] = [true, progress.of(data.question.task).guess];

  function change(next) {
    Object.assign(state, next);
    render();
  }
  function go(epoch) {
    state.at = epoch;
    if (epoch !== state.epoch) scrub.set(epoch);
    change({ epoch });
  }
  function pause() {
    cancelAnimationFrame(asked);
    state.playing = false;
    play.textContent = "Play";
  }
  function start() {
    if (state.at >= epochs) state.at = 0;
    state.playing = true;
    play.textContent = "Pause";
    let before = performance.now();
    let rest = 0;
    asked = requestAnimationFrame(function next(now) {
      const passed = Math.max(0, now - before) / PER_EPOCH; // a frame may be stamped before it was asked for
      before = now;
      rest += passed;
      // who wants little motion sees one still picture a second instead of a film
      const by = calm() ? (rest * PER_EPOCH > 1000 ? data.filmed : 0) : passed;
      if (by) rest = 0;
      state.at = Math.min(epochs, state.at + by);
      const epoch = Math.floor(state.at);
      if (epoch !== state.epoch) {
        scrub.set(epoch);
        change({ epoch });
      } else maps.forEach((map) => map.redraw());
      if (state.at >= epochs) pause();
      else asked = requestAnimationFrame(next);
    });
  }

  function drawView(context, width, height, which) {
    const { places, clusters } = data.runs[state.run];
    const whole = boxOf(state.run);
    const unit = Math.min((width - 20) / (whole[1] - whole[0]), (height - 20) / (whole[3] - whole[2]));
    const [middleX, middleY] = [(whole[0] + whole[1]) / 2, (whole[2] + whole[3]) / 2];
    const at = Math.min(state.at / data.filmed, places.length - 1);
    const [from, to] = [places[Math.floor(at)][which], places[Math.ceil(at)][which]];
    const share = at - Math.floor(at);
    const found = clusters[state.epoch];
    for (let i = 0; i < n; i += 1) {
      const [x, y] = [0, 1].map((c) => from[2 * i + c] + share * (to[2 * i + c] - from[2 * i + c]));
      const [px, py] = [width / 2 + unit * (x - middleX), height / 2 - unit * (y - middleY)];
      const number = Number(found[i]);
      const type = types[typeOf[i]];
      context.fillStyle = state.colors === "types" ? type.color : styleOf(number);
      context.translate(px, py);
      context.fill(outlines[state.colors === "types" ? SHAPES.indexOf(type.marker) : number]);
      context.translate(-px, -py);
    }
  }
  const styleOf = (number) => types[number % types.length].color;

  const boxes = {};
  function boxOf(name) {
    if (!boxes[name]) {
      const every = data.runs[name].places.flat();
      const ends = (axis_) => every.reduce(([a, b], view_) => view_.reduce(([c, d], v, i) => (i % 2 === axis_ ? [Math.min(c, v), Math.max(d, v)] : [c, d]), [a, b]), [0, 0]);
      boxes[name] = [...ends(0), ...ends(1)];
    }
    return boxes[name];
  }

  /** A loss for epochs 0 to the last; epoch 0 has none of its own and shows that of the first step. */
  const fromZero = (values) => [values[0], ...values];

  function render() {
    const run = data.runs[state.run];
    const { epoch } = state;
    const shares = Object.entries(run.losses).map(([name, values]) => {
      const most = values.reduce((a, b) => Math.max(a, b), 0);
      return { name, values: fromZero(values).map((v) => v / most) };
    });
    losses.update([...shares, { name: "silhouette", values: run.silhouette.map((v) => Math.max(0, v)) }], epoch, `Three losses and the silhouette by epoch, ${state.run}, at epoch ${epoch}.`);
    score.update([{ name: "accuracy", values: run.accuracy, covered: !state.open }], epoch, state.open ? `Accuracy by epoch, at epoch ${epoch}: ${run.accuracy[epoch].toFixed(2)}.` : "A covered curve: choose an epoch first.");
    key.replaceChildren();
    if (state.colors === "types") legend(key, types);
    maps.forEach((map, which) => {
      map.redraw();
      map.node.setAttribute("aria-label", `${n} cells in view ${which + 1} at epoch ${epoch}, ${state.run}, colored by ${state.colors}.`);
    });
    if (state.kept !== null) worth.textContent = told();
    view.root.dataset.state = JSON.stringify({ run: state.run, epoch, open: state.open, playing: state.playing });
    const known = state.open ? ` Accuracy ${run.accuracy[epoch].toFixed(2)}.` : " The accuracy is covered.";
    if (!state.playing) view.say(`${state.run}, epoch ${epoch} of ${epochs}. Silhouette ${run.silhouette[epoch].toFixed(2)}.${known}`);
  }

  function told() {
    const { accuracy, silhouette } = data.runs[names[0]];
    const best = (values) => values.reduce((at, v, i) => (i > 0 && v > values[at] ? i : at), 1);
    const write = (epoch) => `${accuracy[epoch].toFixed(2)} at epoch ${epoch}`;
    return `Your epoch is worth an accuracy of ${write(state.kept)}; the last one, decided beforehand, ${write(epochs)}; the one with the best silhouette ${write(best(silhouette))}. Peeking would have been ${write(best(accuracy))}.`;
  }

  render();
  view.tidy(pause);
  return view.stop;
}
