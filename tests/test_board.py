"""The board counts and shows no more than it may, whatever a client sends."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("tornado", reason="tornado is not installed; pip install 'scrcl_edu[classroom]'")

from boards import CODE, GUESS, KEY, TASK, guess, message, serving

from scrcl_edu.classroom import board, joining
from scrcl_edu.classroom.tally import DAY, Tally, sentences
from scrcl_edu.course import events, predict
from scrcl_edu.course.tasks import catalogue
from scrcl_edu.errors import DataError, SettingsError


def task_in(view, name=TASK):
    return next(task for task in view["tasks"] if task["task"] == name)


# What is counted


def test_a_learner_counts_once_by_what_was_done_last():
    tally = Tally()
    for learner in range(6):
        tally.take(message(learner))
    tally.take(message(0, status="passed", mistake=""))
    shown = task_in(tally.view(fewest=1))
    assert shown["statuses"] == {"tried": 5, "passed": 1}
    assert shown["exact"]
    assert [(one["name"], one["count"]) for one in shown["mistakes"]] == [("counts itself", 5)]
    assert shown["mistakes"][0]["say"] == sentences()[TASK]["counts itself"]


def test_who_joined_and_has_not_begun_is_counted_as_such():
    tally = Tally()
    for learner in range(12):
        tally.take(message(learner, task="", kind="", status="", mistake=""))
    for learner in range(7):
        tally.take(message(learner))
    assert task_in(tally.view())["statuses"] == {"tried": 7, "not begun": 5}


@pytest.mark.parametrize("passed", range(1, 5))
def test_a_small_group_cannot_be_told_from_the_others(passed):
    tally = Tally()
    for learner in range(20):
        tally.take(message(learner, status="passed" if learner < passed else "tried"))
    assert task_in(tally.view()) | {"latest": 0, "mistakes": []} == {
        "task": TASK, "lesson": "02", "kind": "check", "latest": 0, "mistakes": [], "guesses": {},
        "statuses": {"tried": 15}, "exact": False,
    }  # fmt: skip


@pytest.mark.parametrize("n", [1, 4])
def test_groups_smaller_than_five_are_not_shown(n):
    tally = Tally()
    for learner in range(n):
        tally.take(message(learner))
    assert tally.view() == {"learners": None, "fewest": 5, "tasks": []}
    for learner in range(n, 6):
        tally.take(message(learner, mistake="Euclidean"))
    counts = [one["count"] for one in task_in(tally.view())["mistakes"]]
    assert all(count >= 5 for count in counts)
    assert tally.view(fewest=1)["learners"] == 6


def test_everything_is_forgotten_after_a_day_and_who_leaves_at_once():
    now = 0.0
    tally = Tally(clock=lambda: now)
    for learner in range(6):
        tally.take(message(learner))
    tally.leave(f"{0:032x}")
    assert tally.view()["learners"] == 5
    now = DAY + 1
    assert tally.view(fewest=1)["learners"] == 0


def test_what_is_kept_holds_no_mark_of_a_learner():
    tally = Tally()
    tally.take(message(0xABCDEF))
    assert f"{0xABCDEF:032x}" not in repr(tally._seen)
    assert "abcdef" not in repr(tally._seen)


def test_guesses_become_a_histogram():
    tally, shape = Tally(), catalogue()[GUESS].shape
    middle = (shape.low + shape.high) / 2
    for learner in range(18):
        tally.take(guess(learner, shape.high if learner < 6 else middle + 1e-6 if learner < 13 else shape.low))
    shown = task_in(tally.view(), GUESS)["guesses"]
    assert list(shown.values()) == [5, 7, 6]
    assert [text.split(" to ")[0] for text in shown][:2] == [shape.write(shape.low), shape.write(middle)]


HOSTILE = [
    None, [], 3, "x", {}, {"learner": "0" * 32},
    message("x"), message("0" * 31), message(3.5), message("0" * 32 + "\n"), message(None),
    message(task="<script>"), message(task=None), message(task=["cell_graph"]), message(task="no_such_task"),
    message(kind="predict"), message(kind=None), message(status="passed!"), message(status=None), message(status=[]),
    message(mistake=None), message(mistake=5), message(mistake={"a": 1}), {**message(), "name": "Ann"},
    guess(0, "<img src=x onerror=alert(1)>"), guess(0, float("nan")), guess(0, float("inf")), guess(0, 1e300),
    guess(0, None), guess(0, {}), guess(0, "x" * 10_000),
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_what_the_course_does_not_send_is_refused_and_changes_nothing(hostile):
    tally = Tally()
    with pytest.raises(DataError):
        tally.take(hostile)
    assert tally.view(fewest=1)["learners"] == 0


def test_a_mistake_that_no_check_names_is_counted_without_its_words():
    tally = Tally()
    for learner in range(5):
        tally.take(message(learner, mistake="<b>you</b>"))
    assert [one["name"] for one in task_in(tally.view())["mistakes"]] == ["another"]


@pytest.mark.parametrize("mistake", ["constant", "ZeroDivisionError", "no return", "signature"])
def test_a_mistake_that_any_task_may_have_is_counted_by_its_name(mistake):
    tally = Tally()
    for learner in range(5):
        tally.take(message(learner, mistake=mistake))
    assert [one["name"] for one in task_in(tally.view())["mistakes"]] == [mistake]


def test_a_flood_of_learners_is_refused():
    tally = Tally(most_learners=10)
    for learner in range(10):
        tally.take(message(learner))
    with pytest.raises(DataError, match="10 learners already"):
        tally.take(message(11))


def test_every_sentence_belongs_to_a_task_and_a_mistake():
    for name, said in sentences().items():
        known = {"", *(mutant.name for mutant in getattr(catalogue()[name], "mutants", ()))}
        assert set(said) <= known, name


def test_there_is_something_to_say_about_every_task_that_can_go_wrong():
    asked = set(catalogue("check", "mend", "transfer"))
    assert asked <= {name for name, said in sentences().items() if "" in said}


# The server


def ask(url, body=None, *, code=CODE, method=None, **headers):
    """Status, headers and body of an answer."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {code}", **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.fixture(scope="module")
def url():
    with serving() as address:
        yield address


def test_without_the_code_of_the_class_nothing_is_counted(url):
    assert ask(f"{url}/events", message(), code="wrong")[0] == 403
    assert ask(f"{url}/events", message(), code="")[0] == 403


def test_pages_are_for_the_instructor(url):
    for path in ("/", "/counts"):
        assert ask(f"{url}{path}")[0] == 403
        assert ask(f"{url}{path}?key=wrong")[0] == 403
        assert ask(f"{url}{path}", Cookie=f"{board.COOKIE}={KEY}")[0] == 200


def test_the_key_leaves_the_address_bar(url):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(Stay)
    with pytest.raises(urllib.error.HTTPError) as found:
        opener.open(f"{url}/?key={KEY}", timeout=30)
    found.value.close()
    assert found.value.code == 302
    assert found.value.headers["Location"] == "/"
    assert "HttpOnly" in found.value.headers["Set-Cookie"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 1500, b"null", b"3", b'{"learner": 5}', b"x" * 3000])
def test_bytes_that_are_no_message_are_refused_with_a_reason_of_ours(url, body):
    status, _, said = ask(f"{url}/events", body, method="POST")
    assert status == 400
    assert "error" in json.loads(said)


def test_a_body_that_is_too_large_is_not_read(url):
    with contextlib.suppress(OSError):
        assert ask(f"{url}/events", b"x" * 100_000, method="POST")[0] in (400, 413)
    assert ask(f"{url}/events", message(7))[0] == 204


def test_no_file_but_the_page_s_own_is_served(url):
    assert ask(f"{url}/static/board.js")[0] == 200
    for path in ("static/../board.py", "static/%2e%2e/board.py", "static/board.html", "static//etc/passwd"):
        assert ask(f"{url}/{path}")[0] in (400, 403, 404)


def test_pages_forbid_foreign_scripts_and_frames(url):
    headers = ask(f"{url}/", Cookie=f"{board.COOKIE}={KEY}")[1]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_one_who_sends_too_much_is_slowed_and_others_are_not():
    with serving() as address:
        statuses = [ask(f"{address}/events", message(1))[0] for _ in range(45)]
        assert statuses[:25] == [204] * 25
        assert 429 in statuses
        assert ask(f"{address}/events", message(2))[0] == 204


def test_nothing_that_a_client_sent_is_in_what_the_page_reads():
    tally = Tally()
    with serving(tally=tally, fewest=1) as address:
        for learner in range(3):
            ask(f"{address}/events", message(learner, mistake="<script>alert(1)</script>"))
        answer = ask(f"{address}/counts", Cookie=f"{board.COOKIE}={KEY}")[2]
    assert b"script" not in answer
    assert json.loads(answer)["learners"] == 3


def test_the_page_puts_text_in_as_text():
    script = (Path(board.__file__).with_name("static") / "board.js").read_text(encoding="utf-8")
    assert "innerHTML" not in script
    assert "insertAdjacentHTML" not in script
    assert "eval(" not in script


def test_buckets_fill_again_and_the_oldest_senders_are_forgotten():
    now = 0.0
    rate = board.Rate(per_second=1, burst=2, most=3, clock=lambda: now)
    assert [rate.allows("a") for _ in range(3)] == [True, True, False]
    now = 1.0
    assert rate.allows("a")
    for name in "bcde":
        rate.allows(name)
    assert len(rate._full) == 3


# The learner's side


def until(holds, seconds=30.0):
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_nothing_is_sent_before_join_and_nothing_after_leave(capsys):
    tally = Tally()
    with serving(tally=tally) as address:
        events.tell(events.Event(TASK, "check", "tried", "counts itself"))
        assert joining.sent() == []
        joining.join(f"{address}#{CODE}")
        assert "Not sent: your name, your code, your results" in capsys.readouterr().out
        events.tell(events.Event(TASK, "check", "tried", "counts itself"))
        assert until(lambda: tally.view(fewest=1)["tasks"])
        assert [one["task"] for one in joining.sent()] == ["", TASK]
        assert set(joining.sent()[1]) == {"learner", "task", "kind", "status", "mistake", "value"}
        joining.leave()
        assert until(lambda: tally.view(fewest=1)["learners"] == 0)
        events.tell(events.Event(TASK, "check", "passed"))
        assert joining.sent() == []


@pytest.mark.parametrize("name", [name for name, task in catalogue().items() if task.kind == "predict"])
def test_a_guess_is_counted_as_the_lesson_tells_it(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCRCL_EDU_PROGRESS", str(tmp_path / "progress.json"))
    sender, tally = joining._Sender("http://127.0.0.1:9/events", CODE), Tally()
    monkeypatch.setattr(events, "listeners", [sender.hear])
    shape = catalogue()[name].shape
    wanted = list(shape.items) if hasattr(shape, "items") else shape.example.strip('"')
    predict(name, wanted)
    tally.take(sender.messages[-1])
    assert sum(task_in(tally.view(fewest=1), name)["guesses"].values()) == 1


def test_a_board_that_is_gone_holds_up_no_check():
    joining.join(f"http://127.0.0.1:9#{CODE}")
    try:
        started = time.monotonic()
        for _ in range(3 * joining.WAITING):
            events.tell(events.Event(TASK, "check", "tried", ""))
        assert time.monotonic() - started < joining.SECONDS * joining.WAITING
    finally:
        joining.leave()


@pytest.mark.parametrize("address", ["", "here", "http://host:1", "ftp://host#code", "http://#code"])
def test_an_address_that_is_none_is_told(address, monkeypatch):
    monkeypatch.delenv(joining.BOARD, raising=False)
    with pytest.raises(SettingsError, match="http://HOST:PORT#CODE"):
        joining.join(address)


def test_bad_settings_say_what_is_allowed():
    with pytest.raises(SettingsError, match="fewest is 0; choose 1"):
        board.application(class_code=CODE, fewest=0)
