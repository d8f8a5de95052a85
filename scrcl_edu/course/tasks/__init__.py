"""The catalogue of tasks: modules `lesson_NN*.py`, each with a tuple `TASKS`, found by their names.

How to declare a task, kind by kind; :mod:`scrcl_edu.course.tasks.lesson_02_more` has one of each. Every task states
`name` (unique in the course), `lesson` (two digits), `difficulty` (1 to 3) and `minutes`. Put the functions of a lesson
into `lesson_NN.py` and the other kinds into `lesson_NN_more.py`, below 400 lines each; nothing needs to be registered.
`pytest tests/test_course_tasks.py -k NAME` proves what is said below.

**predict**: a guess before a cell is run. The lesson asks, runs, and reveals, in three cells::

    predict("same_type")                              # a slider, buttons, or predict("same_type", 0.5)
    share = np.mean(labels[nearest] == labels)
    reveal("same_type", share)                        # the truth comes from the lesson, never from the catalogue

    Prediction(
        name="same_type", lesson="02", difficulty=1, minutes=1,
        text="Which share of the cells has a nearest cell of its own type?",
        shape=Number(near=0.1, low=0, high=1, form=".2f", too_low="...", too_high="...", right="..."),
    )

The shape is a `Number` (with `low` and `high` a slider; `factor=True` judges by how many times), a `Choice` of options
or an `Order` of items; each says what a wrong guess usually means. Without a guess `reveal` shows the truth alone.

**check**: a function to write, 1 to 40 lines. The lesson defines it with the solution between `### BEGIN SOLUTION` and
`### END SOLUTION`, then one cell, ``cell_graph = check("cell_graph", cell_graph)``. What comes back is called like the
function: the learner's own when it passed, otherwise the package's; `cell_graph.whose` says which, so a cell that
compares prints it::

    Exercise(
        name="cell_graph", lesson="02", difficulty=2, minutes=10,
        reference=cell_graph,          # its first line is the task; what it takes and gives stands in the lesson
        inputs=lambda rng: {"values": rng.random((7, 3)), "n_neighbors": 3},
        edge_cases=(...),              # a lone node, an empty row, one cell, a tie: whatever the docstring allows
        alternative=...,               # another right answer
        mutants=(Mutant("counts itself", wrong_function, "There are ones on the diagonal: ..."), ...),
        hints=("first step", "second step"), tested="...", not_tested="...",
        gradient=("e1", "e2"),         # for a loss: the gradients by these tensors are compared as well
        cost=Cost(...),                # where the point is what an answer costs: largest tensor, operations
    )

A mutant is only needed where its message says more than a relation does (`course/relations.py`: a constant factor, a
factor per row, transposed, softmax over another axis, right but for the diagonal, and thirty more).

**mend**: a function with a fault that one number does not show. The lesson gives it in a cell of its own as
`NAME_given` and shows that it seems to work; the mended `NAME` follows with its solution marked as above, then
``NAME = mend("NAME", NAME)``. In the student edition the given code stands in place of the solution::

    Mend(..., faulty=neighbor_mean_given, symptom="In another order the same cells get another result.")

with all that an `Exercise` has; mutants are half-way repairs. Code that still does what was given is "not started".

**transfer**: the same idea on data that the lesson has not shown. ``given("NAME").counts`` hands out the visible data,
``transfer("NAME", answer)`` judges. What is asked for is a function (`function=True`, tried on several draws; in the
lesson a `def` with a marked solution) or a value (in the lesson ``answer = None``, then a marked solution that sets it,
in a cell before the call)::

    Transfer(
        name="loud_gene", ..., answer="a function of counts that gives the graph", function=True,
        data=simulate, hidden=("types",),
        properties=(Property("symmetric", lambda graph, data: ..., "Your graph is not symmetric: ...", wrong=...), ...),
        solution=..., rubric=("says why ...",),
    )

Each property has a `wrong` answer that breaks it and a `solution` that keeps all of them; tests hold both.

**explain**: a question that needs three sentences, ``explain("NAME")``; `model` and `rubric` stay folded.

Messages name the likely cause and never the solution. Listeners in :data:`scrcl_edu.course.events.listeners` are told
each task, its status and the name of the mistake.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from scrcl_edu.course.task import Exercise, Task


@functools.cache
def catalogue(*kinds: str) -> dict[str, Task]:
    """Collect the tasks of all lessons in their order, or those of some kinds such as `check` and `mend`."""
    found: dict[str, Task] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for task in importlib.import_module(f"{__name__}.{module}").TASKS:
            if task.name in found:
                raise ValueError(f"two tasks are called {task.name!r}")
            found[task.name] = task
    return {name: task for name, task in found.items() if not kinds or task.kind in kinds}


def exercises() -> dict[str, Exercise]:
    """The functions to write and to mend of all lessons."""
    return {name: task for name, task in catalogue().items() if isinstance(task, Exercise)}
