"""Explorables: their numbers are the package's, everybody can use them, and nothing leaves the machine."""

from __future__ import annotations

import functools
import http.server
import importlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from browsing import NEEDS_CHROMIUM
from click.testing import CliRunner

from scrcl_edu import graphs
from scrcl_edu.alignment import cell_alignment, global_alignment
from scrcl_edu.cli import main
from scrcl_edu.course import events, record
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.encoders import gcn_operator, unit_rows
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.explorables import NAMES, bundling, explorable, serving, showing, storing
from scrcl_edu.explorables.cells import blood
from scrcl_edu.explorables.making import smoothing as making_smoothing
from scrcl_edu.explorables.questions import question

STATIC = storing.PACKAGE / "static"
each = pytest.mark.parametrize("name", NAMES)


def browser_test(function):
    for mark in NEEDS_CHROMIUM:
        function = mark(function)
    return function


# What is stored


@each
def test_stored_numbers_and_twins_come_from_the_code_as_it_is(name):
    given = storing.data(name)
    again = f"run: scrcl-edu explore --data {name}"
    assert given["made_by"] == storing.digest(name), f"the numbers are older than the code that makes them; {again}"
    assert storing.twin(name) == storing.drawn(name, given), f"the twin is older than its numbers; {again}"


@each
def test_numbers_that_are_quickly_made_are_what_the_package_makes_today(name):
    module = importlib.import_module(f"scrcl_edu.explorables.making.{name}")
    if not getattr(module, "QUICK", False):
        pytest.skip("its numbers take long to make; their digest is compared")
    close(storing.data(name), {"made_by": storing.digest(name)} | json.loads(json.dumps(module.make())))


def close(stored: Any, made: Any, where: str = "data") -> None:
    """Equal in kind, length and words; numbers as near as rounding and the order of sums leave them."""
    if isinstance(made, dict):
        assert stored.keys() == made.keys(), where
        for key in made:
            close(stored[key], made[key], f"{where}.{key}")
    elif isinstance(made, list) and made and isinstance(made[0], int | float):
        np.testing.assert_allclose(stored, made, rtol=1e-3, atol=2e-3, err_msg=where)
    elif isinstance(made, list):
        assert len(stored) == len(made), where
        for one, other in zip(stored, made, strict=True):
            close(one, other, where)
    elif isinstance(made, float):
        assert stored == pytest.approx(made, rel=1e-3, abs=2e-3), where
    else:
        assert stored == made, where


def test_all_numbers_together_stay_small():
    assert sum(path.stat().st_size for path in (STATIC / "data").glob("*.json")) < 3e6
    assert sum(path.stat().st_size for path in (STATIC / "twins").glob("*.svg")) < 1.5e6


@each
def test_a_module_is_short_and_belongs_to_a_lesson(name):
    assert len(storing.static(f"{name}.js").splitlines()) <= 250
    assert storing.lesson(name) in LESSONS
    assert len(storing.alt(name)) > 100


@each
def test_nothing_in_the_scripts_and_styles_names_an_address(name):
    text = bundling.script(name) + bundling.style()
    found = set(re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]+[^\s\"']*", re.sub(r"^\s*//.*$", "", text, flags=re.M)))
    assert found <= {"http://www.w3.org/2000/svg"}


def test_joining_refuses_what_it_does_not_know(monkeypatch):
    texts = {"a.js": 'import { b } from "./b.js";\nfunction same() {}\n', "b.js": "export function same() {}\n"}
    monkeypatch.setattr(bundling, "static", texts.__getitem__)
    with pytest.raises(DataError, match=r"a\.js and b\.js both have a top-level same; rename one"):
        bundling.joined("a")
    texts["a.js"] = 'import * as all from "./b.js";\n'
    with pytest.raises(DataError, match="use the forms"):
        bundling.joined("a")


def test_an_unknown_explorable_is_named_beside_those_that_are_there():
    with pytest.raises(
        SettingsError, match=r"there is no explorable 'none'; choose one of smoothing, messages, temperature"
    ):
        explorable("none")


# In a notebook


def test_without_a_notebook_there_is_the_twin_with_its_text():
    shown = explorable("messages")
    bundle = shown._repr_mimebundle_()
    assert storing.alt("messages") in repr(shown)
    assert 'data-explorable="messages"' in bundle["text/html"]
    assert "alt=" in bundle["text/html"]


@pytest.fixture
def widget(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRCL_EDU_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(showing, "in_notebook", lambda: True)
    return explorable("messages")


def test_a_widget_carries_its_twin_and_one_module_without_imports(widget):
    import anywidget

    assert isinstance(widget, anywidget.AnyWidget)
    bundle, _ = widget._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert not re.search(r"^import ", widget._esm, re.MULTILINE)
    assert re.findall(r"^export .*", widget._esm, re.MULTILINE) == ["export default {"]


def test_explorables_of_one_notebook_have_one_style_sheet_since_front_ends_keep_one_for_a_class(widget):
    assert explorable("temperature")._css == widget._css
    assert ".sx-bar-1" in widget._css


def test_a_guess_in_a_widget_lands_in_the_progress_file_and_is_told_as_others_are(widget, monkeypatch):
    asked, told = widget.data["question"], []
    monkeypatch.setattr(events, "listeners", [*events.listeners, lambda event: told.append(event.status)])
    widget.guesses = {asked["task"]: {"guess": asked["options"][1], "truth": asked["truth"], "status": "far"}}
    kept = {"guess": asked["options"][1], "truth": asked["truth"], "status": "far"}
    assert record.load()["predictions"] == {asked["task"]: kept}
    assert told == ["guessed", "far"]
    assert explorable("messages").guesses == {asked["task"]: kept}


def test_without_anywidget_the_twin_is_shown(monkeypatch):
    monkeypatch.setattr(showing, "in_notebook", lambda: True)
    monkeypatch.setattr(showing, "_widget_class", lambda: None)
    assert isinstance(explorable("messages"), showing.Twin)


def test_only_choices_and_numbers_with_two_ends_can_be_asked():
    with pytest.raises(SettingsError, match="steps_by_clarity is no choice"):
        question("steps_by_clarity", 0)
    asked = question("nearest_is_same_type", 0.72)
    assert (asked["kind"], asked["low"], asked["high"], asked["digits"]) == ("number", 0, 1, 2)


# On the command line


def test_explore_writes_one_page(tmp_path):
    run = CliRunner().invoke(main, ["explore", "messages", "--out", str(tmp_path / "page.html")])
    assert run.exit_code == 0, run.output
    assert 'data-explorable="messages"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    run = CliRunner().invoke(main, ["explore", "messages", "--out", str(tmp_path / "page.html")])
    assert run.exit_code == 1


def test_a_port_that_is_taken_is_named():
    with serving.server_of(["messages"], 0) as server:
        port = server.server_address[1]
        with pytest.raises(SettingsError, match=f"port {port} cannot be used"):
            serving.serve(["messages"], port=port, browser=False)


# In a browser


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A page as the site has it: the twins, and scripts beside it."""
    folder = tmp_path_factory.mktemp("site")
    bundling.write_site(folder / "explorables")
    shown = "".join(bundling.element(name) for name in NAMES)
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>all</title><link rel="icon" href="data:,"><link rel="stylesheet" href="explorables/explorables.css">'
        f'<main><h1>All</h1>{shown}</main><script src="explorables/mount.js"></script></html>',
        encoding="utf-8",
    )
    return folder


@pytest.fixture(scope="module")
def served(site) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()


@pytest.fixture
def opened(browser):
    """Open a page whose console and requests are watched; both have to stay clean."""
    contexts, wrong = [], []

    def open_page(address: str, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": 1000, "height": 800}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if leaves(request.url) else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def leaves(address: str) -> bool:
    return not re.match(r"(file:|data:|blob:|about:|http://127\.0\.0\.1[:/])", address)


def live(page: Any, name: str) -> Any:
    """The explorable, when it has come alive and has spoken."""
    page.locator(f'[data-explorable="{name}"]').scroll_into_view_if_needed()
    page.wait_for_selector(f'[data-explorable="{name}"][data-live] .sx-said:not(:empty)')
    return page.locator(f'[data-explorable="{name}"] .sx')


@browser_test
@pytest.mark.parametrize("place", ["file", "server"])
def test_each_comes_alive_from_the_file_system_and_from_a_server(place, site, served, opened):
    page = opened((site / "index.html").as_uri() if place == "file" else served)
    for name in NAMES:
        live(page, name)
    assert page.locator("[data-explorable] > img").count() == 0


@browser_test
def test_with_scripts_off_the_twins_are_seen(site, opened):
    page = opened((site / "index.html").as_uri(), java_script_enabled=False)
    for name in NAMES:
        picture = page.get_by_role("img", name=storing.alt(name))
        assert picture.bounding_box()["width"] > 300


@browser_test
def test_a_phone_needs_no_sideways_scrolling(site, opened):
    page = opened((site / "index.html").as_uri())
    page.set_viewport_size({"width": 360, "height": 700})
    for name in NAMES:
        live(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@browser_test
def test_dark_follows_the_system_and_what_the_page_says(site, opened):
    page = opened((site / "index.html").as_uri(), color_scheme="dark")
    root = live(page, NAMES[0])
    paper = "(node) => getComputedStyle(node).backgroundColor"
    page.wait_for_selector('.sx[data-dark="true"]')
    dark = root.evaluate(paper)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    page.wait_for_selector('.sx[data-dark="false"]')
    assert root.evaluate(paper) == "rgb(255, 255, 255)" != dark
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    page.evaluate("delete document.documentElement.dataset.theme")
    page.wait_for_selector('.sx[data-dark="true"]')
    assert root.evaluate(paper) == dark


@browser_test
@each
def test_every_control_is_reached_by_tab_shows_its_focus_and_has_a_name(site, opened, name):
    page = opened((site / "index.html").as_uri(), reduced_motion="reduce")
    root = live(page, name)
    controls = root.locator("input:not(:disabled):not([type=radio]), select, button:not(:disabled), [tabindex='0']")
    for control in controls.all():
        assert control.evaluate(NAME_OF), control.evaluate("(node) => node.outerHTML")[:120]
    controls.first.focus()
    visited, plain = {controls.first.evaluate(PLACE)}, []
    for _ in range(controls.count() + root.locator("fieldset").count()):
        page.keyboard.press("Tab")
        at = page.locator(":focus")
        if not at.count():  # past the last control of the page
            break
        visited.add(at.evaluate(PLACE))
        if at.evaluate("(node) => getComputedStyle(node).outlineStyle") == "none":
            plain.append(at.evaluate("(node) => node.outerHTML")[:120])
    assert {control.evaluate(PLACE) for control in controls.all()} <= visited
    assert not plain


PLACE = "(node) => [...document.querySelectorAll('*')].indexOf(node)"
NAME_OF = """(node) => node.getAttribute("aria-label") || [...(node.labels ?? [])].map((l) => l.textContent).join(" ")
  || (node.tagName === "BUTTON" && node.textContent)"""


@browser_test
def test_the_numbers_of_message_passing_are_the_package_s(opened, tmp_path):
    page = opened(numbers_page(tmp_path))
    rng = np.random.default_rng(0)
    for _ in range(5):
        dense = np.triu(rng.random((6, 6)) < 0.3, 1) + np.tril(rng.random((6, 6)) < 0.3, -1)
        edges = [[int(i), int(j)] for i, j in zip(*np.nonzero(dense), strict=True)]
        found = page.evaluate("(edges) => gcnOperator(6, edges)", edges)
        np.testing.assert_allclose(found, gcn_operator(sp.csr_matrix(dense.astype(float))).toarray(), rtol=1e-6)


@browser_test
@pytest.mark.parametrize("k", [3, 15, 30])
def test_the_numbers_of_smoothing_are_the_package_s(opened, tmp_path, k):
    page, given = opened(numbers_page(tmp_path)), storing.data("smoothing")
    found = page.evaluate(SMOOTHED, [given["nearest"], given["places"], given["type_of"], len(given["types"]), k])
    graph = graphs.cell_graph(blood().values, n_neighbors=k)
    smoother, types = graphs.normalized_adjacency(graph), np.array(given["type_of"])
    np.testing.assert_array_equal(found["other"], graph.indices)
    np.testing.assert_array_equal(found["start"], graph.indptr)
    places, heard = np.array(given["places"]), np.eye(len(given["types"]))[types]
    for step in range(4):
        own = heard[np.arange(len(types)), types] / heard.sum(axis=1)
        assert found["own"][step] == pytest.approx(own.mean(), rel=1e-6)
        np.testing.assert_allclose(np.reshape(found["places"][step], (-1, 2)), places, rtol=1e-6, atol=1e-6)
        places, heard = smoother @ places, smoother @ heard
    by_genes = graphs.low_pass(blood().values, graph, 3)
    group = np.array(given["type_of"]).tolist()
    share = page.evaluate(
        "([x, width, groups, n]) => betweenShare(x, width, groups, n)",
        [by_genes[:, :50].ravel().tolist(), 50, group, len(given["types"])],
    )
    wanted = making_smoothing.spread(making_smoothing.means_of(by_genes[:, :50].astype(float), types))
    assert share == pytest.approx(wanted / making_smoothing.spread(by_genes[:, :50].astype(float)), rel=1e-6)


SMOOTHED = """([nearest, places, groups, nGroups, k]) => {
  const graph = unionGraph(nearest, k);
  const S = smoother(graph);
  const stages = [Float64Array.from(places.flat())];
  for (let i = 0; i < 3; i += 1) stages.push(product(S, stages[i], 2));
  const own = heardFromOwn(S, groups, nGroups, 3);
  return { start: [...graph.start], other: [...graph.other], places: stages.map((s) => [...s]), own };
}"""


@browser_test
@pytest.mark.parametrize("temperature", [0.03, 0.3, 3])
def test_the_numbers_of_two_views_are_the_package_s(opened, tmp_path, temperature):
    page, given = opened(numbers_page(tmp_path)), storing.data("temperature")
    found = page.evaluate(ALIGNED, [given["e1"], given["e2"], temperature])
    e1, e2 = (unit_rows(torch.tensor(given[name], dtype=torch.float64)) for name in ("e1", "e2"))
    wanted = [part(e1, e2, temperature=temperature).item() for part in (global_alignment, cell_alignment)]
    assert [found["overAll"], found["within"]] == pytest.approx(wanted, rel=1e-6)
    log_1, log_2 = (torch.log_softmax(e[0] / temperature, 0) for e in (e1, e2))
    np.testing.assert_allclose(found["log"], log_1, rtol=1e-6)
    np.testing.assert_allclose(found["parts"], log_1.exp() * (log_1 - log_2), rtol=1e-6, atol=1e-12)
    cosine = e1 @ e1.T
    off = cosine[~torch.eye(len(e1), dtype=torch.bool)]
    assert found["cosine"] == pytest.approx(off.mean().item(), rel=1e-6)


ALIGNED = """([first, second, t]) => {
  const [e1, e2] = [first.map(unitRow), second.map(unitRow)];
  const [log1, log2] = [logSoftmax(e1[0], t), logSoftmax(e2[0], t)];
  return { ...alignment(e1, e2, t), log: log1, parts: divergenceParts(log1, log2), cosine: meanCosine(e1) };
}"""


def numbers_page(folder: Path) -> str:
    """A page on which the functions of numbers.js can be called."""
    path = folder / "numbers.html"
    text = bundling.joined("numbers")
    path.write_text(f'<!doctype html><link rel="icon" href="data:,"><script>{text}</script>', encoding="utf-8")
    return path.as_uri()


@browser_test
def test_messages_an_edge_is_turned_by_key_and_dragged_by_pointer(site, opened):
    page = opened((site / "index.html").as_uri())
    root = live(page, "messages")
    assert json.loads(root.get_attribute("data-out"))[3] == pytest.approx(0.5)
    root.get_by_role("button", name=re.compile("Edge from 0 to 3")).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("(root) => JSON.parse(root.dataset.out)[3] === 0", arg=root.element_handle())
    box = root.get_by_role("button", name=re.compile("Watch node 4")).bounding_box()
    tip = root.get_by_role("button", name=re.compile("Edge from 0 to 1")).locator(".sx-tip").bounding_box()
    page.mouse.move(tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert root.get_by_role("button", name=re.compile("Edge from 0 to 4")).count() == 1


@browser_test
def test_a_guess_on_a_page_is_judged_and_kept_in_the_browser(served, opened):
    page = opened(served)
    root = live(page, "messages")
    root.get_by_role("radio", name="it becomes larger").check()
    root.get_by_role("button", name="Keep my guess and show me").press("Enter")
    assert "Not so" in root.locator(".sx-verdict").inner_text()
    assert "1 → 3" in root.get_by_label("Edge", exact=True).inner_text()
    kept = page.evaluate("JSON.parse(localStorage['scrcl_edu.progress'])")
    wanted = {"guess": "it becomes larger", "truth": "it becomes smaller", "status": "far"}
    assert kept == {"predictions": {"one_more_edge": wanted}}
    page.reload()
    assert "You guessed" in live(page, "messages").locator(".sx-verdict").inner_text()


@browser_test
def test_smoothing_by_keys_alone_and_by_pointer(site, opened):
    page = opened((site / "index.html").as_uri(), reduced_motion="reduce")
    root = live(page, "smoothing")

    def state() -> dict[str, Any]:
        return json.loads(root.get_attribute("data-state"))

    root.get_by_label("Steps n of S").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert state()["step"] == 2
    root.get_by_label("k, counting the cell itself").focus()
    page.keyboard.press("End")
    assert (state()["k"], state()["step"]) == (30, 2)
    root.get_by_role("button", name="Choose the hub").press("Enter")
    assert state()["cell"] == storing.data("smoothing")["curves"]["30"]["hub"]
    page.wait_for_function(
        "(root) => /k 30, 2 steps.*hears 230/.test(root.querySelector('.sx-said').textContent)",
        arg=root.element_handle(),
    )
    assert "covered" in root.locator(".sx-legend").last.inner_text()
    root.get_by_role("img", name=re.compile("The matrix S")).click(position={"x": 200, "y": 60})
    first = storing.data("smoothing")["type_of"].index(0)
    assert state()["cell"] != first
    assert storing.data("smoothing")["type_of"][state()["cell"]] in (0, 1)
    root.get_by_role("button", name="Keep my guess and show me").press("Space")
    assert "covered" not in root.locator(".sx-legend").last.inner_text()


@browser_test
def test_two_views_are_bent_by_keys_and_pointer_and_collapse_to_a_loss_of_zero(site, opened):
    page = opened((site / "index.html").as_uri(), reduced_motion="reduce")
    root = live(page, "temperature")

    def state() -> dict[str, Any]:
        return json.loads(root.get_attribute("data-state"))

    assert state()["loss"] == pytest.approx(storing.data("temperature")["losses"][0], abs=1e-4)
    before = state()["rows"][0]
    root.get_by_role("slider", name=re.compile("view 1, unit 0")).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    after = state()["rows"][0]
    assert after[1] > before[1] + 0.1
    assert np.linalg.norm(after) == pytest.approx(1)
    handle = root.get_by_role("slider", name=re.compile("view 2, unit 7"))
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.9 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.1 * box["height"], steps=3)
    page.mouse.up()
    assert np.argmax(state()["rows"][1]) == 7
    root.get_by_role("radio", name="it falls to 0").check()
    root.get_by_role("button", name="Keep my guess and show me").press("Enter")
    assert state()["collapse"] == 20
    assert state()["loss"] < 1e-9
    assert "Right." in root.locator(".sx-verdict").inner_text()
    root.get_by_role("button", name="Begin again").press("Enter")
    assert state()["loss"] == pytest.approx(storing.data("temperature")["losses"][0], abs=1e-4)


@browser_test
def test_explore_serves_one_page_under_a_policy_that_lets_it_ask_nobody(opened):
    with serving.server_of(NAMES, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        page = opened(address)
        for name in NAMES:
            live(page, name)
        policy = page.request.get(address).headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        assert page.request.get(f"{address}else").status == 404
        server.shutdown()
