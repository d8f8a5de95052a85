"""Write the plans of the instructor guide from the front matter of the lessons: `python docs/plans.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.tasks import catalogue

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "instructor.md"
REHEARSAL = ROOT / "workshop" / "rehearsal.json"
SAY = ROOT / "scrcl_edu" / "classroom" / "say.yaml"
OPEN, HARDEST, NONE = ("transfer", "explain"), 3, 0
LONG = ("four weeks",)  # formats with time for every task
BEGINNERS = 4 / 3  # times as long
MEASURED = (
    "`make hub-test` measured with {learners} learners at once on {cores} processors: the hub takes {hub_mb:,} MB; "
    "a learner {rest_mb:,} MB at rest and {work_mb:,} MB at work (the largest {most_mb:,} MB).\n"
    "When all come in the same minute, 95 of 100 have JupyterLab before {start_s:.0f} s; half of all cells answer "
    "within {answer_p50_s:.2f} s, 95 of 100 within {answer_p95_s:.1f} s."
)
BUSY = "\nOther programs wanted {load_before:.0f} processors then; alone it is faster."
HOME_MB = 100  # a learner's notebooks with outputs, and room for data of one's own
TIME = re.compile(r"\*\*Time\*\* \| about (\d+) minutes to read, (\d+) to do")
AIM = re.compile(r"\*\*You will be able to\*\* \| (.+?) \|")
TITLE = re.compile(r"^# # (.+)$", re.MULTILINE)
# What a group does together, hour by hour: lessons by number, and what lies between them in minutes.
PLANS = {
    "half a day": [
        "What is a cell type, and who says so? 10",
        "Lesson 00, run by one person in front of all 15",
        *("02", "Break 15", "08"),
        "Discussion 20",
    ],
    "one day": [
        "What is a cell type, and who says so? 15",
        "Lesson 00, run by one person in front of all 20",
        *("01", "Break 15", "02", "Lunch 60", "03", "Break 15", "08"),
        "Discussion 30",
    ],
    "two days": [
        "Day 1: from counts to two views 0",
        "What is a cell type, and who says so? 15",
        *("00", "01", "Break 15", "02", "Lunch 60", "03", "Break 15", "04"),
        "Day 2: refined, trained, judged 0",
        *("05", "Break 15", "07", "Lunch 60", "08", "Break 15", "09"),
        "Discussion 30",
    ],
    "four weeks": [
        "Week 1: from counts to graphs 0",
        *("00", "01", "02"),
        "Week 2: two views, aligned 0",
        *("03", "04", "05"),
        "Week 3: refined, trained, judged 0",
        *("06", "07", "08"),
        "Week 4: what it means 0",
        *("09", "10", "11", "12", "13"),
    ],
}


def source(number: str) -> Path:
    return ROOT / "notebooks" / "src" / f"{LESSONS[number]}.py"


def front_matter(number: str) -> tuple[str, int, int, str]:
    """Title, minutes to read, minutes to do and objectives of a lesson."""
    text = source(number).read_text(encoding="utf-8")
    read, do = TIME.search(text).groups()
    return TITLE.search(text).group(1), int(read), int(do), AIM.search(text).group(1)


def overview() -> str:
    lines = ["| lesson | read | do | afterwards a learner can |", "|---|---|---|---|"]
    for number in filter(lambda number: source(number).is_file(), LESSONS):
        title, read, do, aim = front_matter(number)
        lines.append(f"| {title} | {read} min | {do} min | {aim} |")
    return "\n".join(lines)


def left_out(number: str, kinds: tuple[str, ...], difficulty: int) -> tuple[str, int]:
    """Tasks of a lesson of some kinds, or of a difficulty, and the minutes that leaving them out saves."""
    spare = [t for t in catalogue().values() if t.lesson == number and (t.kind in kinds or t.difficulty == difficulty)]
    return ", ".join(f"`{task.name}`" for task in spare), sum(task.minutes for task in spare)


def clock(minutes: float) -> str:
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}"


def plan(name: str) -> str:
    """A timetable: when each entry begins, for a practiced group and for beginners, and what may be left out."""
    short = name not in LONG
    now, lines = (
        0,
        ["| from | beginners | minutes | what | at home | if you are late, skip |", "|---|---|---|---|---|---|"],
    )
    breaks = 0  # which take beginners no longer
    for entry in PLANS[name]:
        if entry in LESSONS:
            if not source(entry).is_file():
                continue
            title, read, do, _ = front_matter(entry)
            names, saved = left_out(entry, OPEN, HARDEST) if short else ("", 0)
            skip, more = left_out(entry, ("mend",), NONE) if short else left_out(entry, OPEN, HARDEST)
            skip = f"{skip} ({more} min)" if skip else ""
            minutes, text = read + do - saved, f"Lesson {title}"
        else:
            text, _, last = entry.rpartition(" ")
            minutes, names, skip = int(last), "", ""
        if minutes:
            slower = breaks + (now - breaks) * BEGINNERS
            lines.append(f"| {clock(now)} | {clock(slower)} | {minutes} | {text} | {names} | {skip} |")
        else:
            lines.append(f"| | | | **{text}** | | |")
            now = breaks = 0
        now += minutes
        breaks += minutes if text in ("Break", "Lunch") else 0
    if short:
        lines.append(f"| {clock(now)} | {clock(breaks + (now - breaks) * BEGINNERS)} | | End | | |")
    return "\n".join(lines)


def sizing() -> str:
    """How large a server must be, from what `make hub-test` measured."""
    figures = json.loads(REHEARSAL.read_text(encoding="utf-8"))
    lines = ["| learners at once | memory | processors | disk |", "|---|---|---|---|"]
    for learners in (10, 40, 100, 400):
        memory = (figures["hub_mb"] + learners * figures["work_mb"]) / 1000
        processors = max(2, round(learners * figures["cores"] / figures["learners"]))
        lines.append(f"| {learners} | {1.25 * memory:.0f} GB | {processors} | {4 + learners * HOME_MB / 1000:.0f} GB |")
    return "\n".join([*lines, "", measured(figures)])


def measured(figures: dict[str, float]) -> str:
    """What a rehearsal found, in a sentence for each figure."""
    said = MEASURED.format_map(figures)
    return said + BUSY.format_map(figures) if figures["load_before"] > figures["cores"] / 2 else said


def stuck() -> str:
    """What helps to say, lesson by lesson, as the board shows it."""
    tasks = catalogue()
    lines = ["| lesson | task | when the check says | say |", "|---|---|---|---|"]
    for name, said in yaml.safe_load(SAY.read_text(encoding="utf-8")).items():
        for mistake, sentence in said.items():
            lines.append(f"| {tasks[name].lesson} | `{name}` | {mistake or 'anything else'} | {sentence} |")
    return "\n".join(lines)


KINDS = {"check": "functions", "mend": "faults", "predict": "predictions", "transfer": "transfer", "explain": "explain"}


def tasks() -> str:
    """How many tasks of each kind a lesson has, and how long they take together."""
    lines = [f"| lesson | {' | '.join(KINDS.values())} | minutes | hardest |", f"|---|{'---|' * len(KINDS)}---|---|"]
    for number in LESSONS:
        here = [task for task in catalogue().values() if task.lesson == number]
        if here:
            counts = " | ".join(str(sum(task.kind == kind for task in here) or "-") for kind in KINDS)
            hardest = max(here, key=lambda task: (task.difficulty, task.minutes))
            lines.append(f"| {number} | {counts} | {sum(task.minutes for task in here)} | `{hardest.name}` |")
    return "\n".join(lines)


def rubrics() -> str:
    """What a good answer to each transfer task and question says."""
    open_ended = [task for task in catalogue().values() if task.kind in ("transfer", "explain")]
    return "\n\n".join(
        f"**{task.lesson} `{task.name}`** ({KINDS[task.kind]}, {task.effort})\n\n"
        + "\n".join(f"- {line}" for line in task.rubric)
        for task in sorted(open_ended, key=lambda task: task.lesson)
    )


def filled(guide: str) -> str:
    """The guide with every table between its marks written again."""
    tables = {"lessons": overview(), **{name: plan(name) for name in PLANS}, "sizing": sizing(), "stuck": stuck()}
    tables |= {"tasks": tasks(), "rubrics": rubrics()}
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(guide):
            raise ValueError(f"{GUIDE.name} has no '<!-- {name} -->' with '<!-- end -->' after it")
        guide = pattern.sub(lambda found, table=table: f"{found.group(1)}\n{table}\n\n{found.group(2)}", guide)
    return guide


if __name__ == "__main__":
    GUIDE.write_text(filled(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the plans into {GUIDE.relative_to(ROOT)}")
