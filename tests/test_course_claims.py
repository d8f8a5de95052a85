"""Claims show their numbers, and are judged by their condition alone."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from scrcl_edu.course.claims import Claim, ClaimFailed, claim
from scrcl_edu.errors import SettingsError

SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")


def sanitized(text: str) -> str:
    """What nbval compares of an output."""
    rules = configparser.RawConfigParser()
    rules.read(SANITIZE)
    for name in rules.sections():
        text = re.sub(rules.get(name, "regex"), rules.get(name, "replace"), text)
    return text


def test_a_claim_shows_its_sentence_with_the_numbers(capsys):
    made = claim("Accuracy falls from {before:.2f} to {after:.2f}.", 0.58 < 0.67, before=0.67, after=0.58)
    assert made == Claim("Accuracy falls from 0.67 to 0.58.", True)
    assert capsys.readouterr().out == "Checked on this run: Accuracy falls from 0.67 to 0.58.\n"


def test_a_learner_sees_what_does_not_hold_and_goes_on(monkeypatch, capsys):
    monkeypatch.delenv("SCRCL_EDU_STRICT", raising=False)
    assert not claim("{n} is even.", 3 % 2 == 0, n=3).holds
    assert capsys.readouterr().out == "Not so on this run: 3 is even.\n"


def test_where_lessons_are_tested_it_stops_them_with_its_sentence(monkeypatch):
    monkeypatch.setenv("SCRCL_EDU_STRICT", "1")
    with pytest.raises(ClaimFailed, match=r"does not hold: 3 is even\."):
        claim("{n} is even.", False, n=3)


@pytest.mark.parametrize(
    ("sentence", "numbers", "says"),
    [("{n} cells.", {}, "shows 'n', which is not given"), ("Cells.", {"n": 3}, "does not show n")],
)
def test_sentence_and_numbers_must_fit(sentence, numbers, says):
    with pytest.raises(SettingsError, match=says):
        claim(sentence, True, **numbers)


def test_stored_claims_are_compared_by_the_conclusion_and_not_by_digits(monkeypatch):
    from scrcl_edu.course import claims

    monkeypatch.delenv("SCRCL_EDU_STRICT", raising=False)
    shown = []
    monkeypatch.setattr(claims, "publish", shown.append)
    for share, holds in ((0.571, True), (0.574, True), (0.412, False)):
        claim("A share of {share:.3f}.", holds, share=share)
    for kind in ("text/plain", "text/html"):
        first, digit, turned = (sanitized(bundle[kind]) for bundle in shown)
        assert first == digit
        assert first != turned


def test_text_of_a_claim_cannot_break_the_page(monkeypatch):
    from scrcl_edu.course import claims

    shown = []
    monkeypatch.setattr(claims, "publish", shown.append)
    claim("{n} <b> cells", True, n="<i>")
    assert "&lt;i&gt; &lt;b&gt; cells" in shown[0]["text/html"]


def test_code_in_a_claim_looks_like_code_and_is_compared_like_the_rest(monkeypatch):
    from scrcl_edu.course import claims

    shown = []
    monkeypatch.setattr(claims, "publish", shown.append)
    for gain in (3, 4):
        claim("`robust` gains {n:.0f} points.", True, n=gain)
    assert "<code>robust</code> gains 3 points." in shown[0]["text/html"]
    assert sanitized(shown[0]["text/html"]) == sanitized(shown[1]["text/html"])
