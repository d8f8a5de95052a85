// Draws the counts every three seconds. Text goes in by textContent only: nothing that was sent becomes markup.
const byId = (id) => document.getElementById(id);
let frozen = false;
let drawn = "";

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

function bar(task, learners) {
  const passed = task.statuses.passed ?? task.statuses.guessed ?? task.statuses.answered ?? 0;
  const parts = [["passed", passed], ["tried", task.statuses.tried ?? 0]];
  const line = element("div");
  line.className = "bar";
  line.setAttribute("aria-hidden", "true");
  let left = learners;
  for (const [kind, count] of parts) {
    const piece = element("span");
    piece.className = kind;
    piece.style.flexGrow = count;
    line.append(piece);
    left -= count;
  }
  const rest = element("span");
  rest.style.flexGrow = Math.max(left, 0);
  line.append(rest);
  return line;
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

function guesses(task) {
  const list = element("ul");
  const most = Math.max(...Object.values(task.guesses));
  for (const [guess, count] of Object.entries(task.guesses)) {
    const meter = element("meter");
    Object.assign(meter, { max: most, value: count });
    meter.setAttribute("aria-label", `${count} guessed ${guess}`);
    list.append(element("li", undefined, element("b", count), element("span", guess), meter));
  }
  return list;
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
    return element("section", undefined, title, bar(task, view.learners),
      Object.assign(element("p", counts(task)), { className: "counts" }), mistakes(task), guesses(task));
  });
  byId("tasks").replaceChildren(...sections);
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
