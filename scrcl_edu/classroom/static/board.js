// Draws the counts every three seconds. Text goes in by textContent only: nothing that was sent becomes markup.
const byId = (id) => document.getElementById(id);
const opened = new Set();
let frozen = false;
let drawn = "";

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

// A line in parts, as wide as their counts; what it shows stands beside it in words.
function bar(...parts) {
  const line = element("div");
  line.className = "bar";
  line.setAttribute("aria-hidden", "true");
  for (const [kind, count] of parts.filter(([, count]) => count > 0)) {
    const piece = element("span");
    piece.className = kind;
    piece.style.flexGrow = count;
    line.append(piece);
  }
  return line;
}

function progress(task, learners) {
  const done = task.statuses.passed ?? task.statuses.guessed ?? task.statuses.answered ?? 0;
  const tried = task.statuses.tried ?? 0;
  return bar(["passed", done], ["tried", tried], ["rest", learners - done - tried]);
}

function counts(task) {
  const told = Object.entries(task.statuses).map(([status, count]) => `${count} ${status}`);
  if (!told.length) return "Too few to show.";
  return (task.exact ? "" : "At least ") + told.join(", ");
}

function mistakes(task) {
  const list = element("ul");
  for (const { name, count, say } of task.mistakes) {
    const item = element("li", undefined, element("b", count), element("span", name || "not recognized"));
    if (say) item.append(element("q", say));
    list.append(item);
  }
  return list;
}

// Folded until the instructor opens it: who still guesses is not told what the others say.
function guesses(task) {
  const list = element("ul");
  if (!Object.keys(task.guesses).length) return list;
  const most = Math.max(...Object.values(task.guesses));
  for (const [guess, count] of Object.entries(task.guesses)) {
    const line = bar(["guess", count], ["rest", most - count]);
    list.append(element("li", undefined, element("b", count), element("span", guess), line));
  }
  const shown = element("details", undefined, element("summary", "What they guessed"), list);
  shown.open = opened.has(task.task);
  shown.addEventListener("toggle", () => opened[shown.open ? "add" : "delete"](task.task));
  shown.firstChild.id = `guesses-${task.task}`;
  return shown;
}

function draw(view) {
  byId("rule").textContent = view.fewest > 1
    ? `Groups of fewer than ${view.fewest} learners are not shown. No names, no code; gone when the board ends.`
    : "Groups of any size are shown, as the class was told. No names, no code; gone when the board ends.";
  byId("room").textContent = view.learners === null
    ? `Fewer than ${view.fewest} learners take part so far.` : `${view.learners} learners take part.`;
  const lessons = [...new Set(view.tasks.map((task) => task.lesson))];
  const choice = byId("lesson");
  for (const lesson of lessons) {
    if (![...choice.options].some((option) => option.value === lesson)) choice.add(new Option(lesson, lesson));
  }
  const busiest = (lesson) => Math.max(...view.tasks.filter((t) => t.lesson === lesson).map((t) => t.latest));
  const lesson = choice.value || lessons.sort((a, b) => busiest(b) - busiest(a))[0];
  const sections = view.tasks.filter((task) => task.lesson === lesson).map((task) => {
    const title = element("h2", `${task.task} `, element("small", `${task.kind}, lesson ${task.lesson}`));
    return element("section", undefined, title, progress(task, view.learners),
      Object.assign(element("p", counts(task)), { className: "counts" }), mistakes(task), guesses(task));
  });
  const focused = document.activeElement.id;
  byId("tasks").replaceChildren(...sections);
  byId(focused)?.focus();
}

async function refresh() {
  if (frozen) return;
  try {
    const answer = await fetch("counts", { credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    if (text !== drawn) draw(JSON.parse(text));
    drawn = text;
  } catch (error) {
    byId("room").textContent = `The board does not answer (${error.message}).`;
  }
}

byId("freeze").addEventListener("click", (event) => {
  frozen = !frozen;
  event.currentTarget.setAttribute("aria-pressed", frozen);
  refresh();
});
byId("lesson").addEventListener("change", () => { drawn = ""; refresh(); });
refresh();
setInterval(refresh, 3000);
