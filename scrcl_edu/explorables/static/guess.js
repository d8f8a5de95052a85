// A guess before a reveal. What was guessed is kept by `progress`: in a notebook the progress file, on a page this browser.
import { button, el } from "./common.js";

/** Ask a question, keep the guess, then call revealed(guess) and show the truth beside it. Asked before, it is told again.
 *  question: as scrcl_edu.explorables.questions writes it; progress: { of(task), keep(task, { guess, truth, status }) }. */
export function ask(parent, question, progress, revealed) {
  const box = el("fieldset", { class: "sx-guess" }, el("legend", {}, "Guess first"), el("p", {}, question.text));
  const verdict = el("p", { class: "sx-verdict", "aria-live": "polite" });
  parent.append(box);
  const tell = (guess) => {
    const { near, text } = judge(question, guess);
    box.querySelectorAll("input, button").forEach((control) => { control.disabled = true; });
    const words = `You guessed ${write(question, guess)}; it is ${write(question, question.truth)}.`;
    const verdicts = question.kind === "choice" ? ["Right.", "Not so."] : ["Near.", "Not near."];
    verdict.textContent = `${words} ${verdicts[near ? 0 : 1]} ${text}`;
    return near;
  };
  const field = fields(box, question);
  button(box, "Keep my guess and show me", () => {
    const guess = field();
    if (guess === null) {
      verdict.textContent = "Choose an answer first.";
      return;
    }
    const near = tell(guess);
    progress.keep(question.task, { guess, truth: question.truth, status: near ? "near" : "far" });
    revealed(guess);
  });
  box.append(verdict);
  const before = progress.of(question.task);
  if (before && "truth" in before) tell(before.guess);
  return { box, open: !(before && "truth" in before) };
}

let groups = 0;
function fields(box, question) {
  if (question.kind === "choice") {
    const name = `sx-guess-${(groups += 1)}`;
    const radios = question.options.map((option) => el("input", { type: "radio", name, value: option }));
    box.append(...radios.map((radio) => el("label", { class: "sx-radio" }, radio, radio.value)));
    return () => radios.find((radio) => radio.checked)?.value ?? null;
  }
  const { low, high, step } = question;
  const input = el("input", { type: "range", min: low, max: high, step, "aria-label": "Your guess" });
  const output = el("output", {});
  const show = () => {
    output.textContent = write(question, Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", show);
  input.value = low + step * Math.round((high - low) / 2 / step);
  show();
  box.append(el("div", { class: "sx-control" }, input, output));
  return () => Number(input.value);
}

function write(question, value) {
  if (question.kind === "choice") return `“${value}”`;
  const number = question.percent ? `${(100 * value).toFixed(question.digits)}%` : value.toFixed(question.digits);
  return question.unit ? `${number} ${question.unit}` : number;
}

/** How a guess did, as scrcl_edu.course.guesses judges it: { near, text }. */
export function judge(question, guess) {
  const { truth, said } = question;
  if (question.kind === "choice") return { near: guess === truth, text: said[guess] ?? "" };
  const near = question.factor && guess > 0 && truth > 0
    ? Math.max(guess / truth, truth / guess) <= question.near
    : Math.abs(guess - truth) <= question.near;
  return { near, text: near ? said.right : guess < truth ? said.low : said.high };
}
