"""The report: one file that loads nothing, runs nothing but its own script, and says what the numbers say."""

import base64
import hashlib
import html
import io
import re
import sys
from html.parser import HTMLParser

import pytest
import yaml
from diagnosed import Word, diagnosed, quiet
from rich.console import Console

from hero_rl.diagnosis import Collector, parse_sweep, suggested
from hero_rl.diagnosis.report import check_output, report, write_report
from hero_rl.diagnosis.telling import excerpt
from hero_rl.diagnosis.terminal import print_diagnosis
from hero_rl.diagnosis.trainers import to_paste
from hero_rl.diagnosis.wording import decimal, number, percent
from hero_rl.errors import ConfigError
from hero_rl.rollouts import Rollout
from hero_rl.rules import Hero

HOSTILE = [
    "</script><script>alert(1)</script>",
    '<img src=x onerror="alert(2)">',
    "</bdi></dd><iframe src='https://example.org'>",
    "{{ 7 * 7 }} {% raw %} ${alert(3)}",
    "\x00\x1b[31m\ud800 \u202e abc",
    "javascript:alert(4)",
]


class Page(HTMLParser):
    """Tags with their attributes, ids, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "script"

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data


def hostile():
    collector = Collector()
    for step in range(2):
        for n, text in enumerate(HOSTILE):
            rollouts = [Rollout(f"{text} {step}", text, reference=text, group=0, step=step + 2 * n) for _ in range(4)]
            words = [Word(float(v), 3.0 - v + n + k / 10, text, text) for k, v in enumerate((0, 0, 1, 1))]
            collector.add(rollouts, words, [None] * 4)
    return diagnosed(collector, path=HOSTILE[0], format="rollouts", scores_from=f"column {HOSTILE[1]}")


def check_closed(text):
    page = Page(text)
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert len(page.scripts) == 1
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    allowed = {"href", "xlink:href"}
    for tag, attributes in page.tags:
        assert tag not in ("img", "iframe", "link", "object", "base", "form"), tag
        assert "src" not in attributes and not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert all(attributes[name].startswith("#") for name in allowed & attributes.keys())
    assert not re.search(r"url\((?!#)|@import", text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for tag, a in page.tags if tag == "a"} <= set(ids)
    return page


def test_hostile_text_stays_text():
    text = report(hostile())
    check_closed(text)
    assert "alert(1)" in text and "<script>alert" not in text and "{{ 7 * 7 }}" in text
    assert not re.search("[\x00\x1b\ud800]", text)
    text.encode("utf-8")


def test_a_page_with_everything_is_closed_and_tells_the_numbers(tmp_path):
    found = diagnosed(quiet(), grid=parse_sweep(["alpha=0.05,0.1", "scale=none,group"], Hero()))
    write_report(found, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = check_closed(text)
    anchors = {a["href"] for tag, a in page.tags if tag == "a"}
    assert {"#findings", "#mass", "#steps", "#sweep", "#telling"} <= anchors
    assert sum(tag == "svg" for tag, _ in page.tags) == 9
    assert all(a["role"] == "img" and a["aria-label"] for tag, a in page.tags if tag == "svg")
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text
    assert all(finding.title in text for finding in found.findings)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_one_file_makes_one_report():
    assert report(diagnosed(quiet())) == report(diagnosed(quiet()))


@pytest.mark.parametrize("word", [Word(None, None), Word(1.0, None), Word(None, 1.0), Word(1.0, 2.0)])
@pytest.mark.parametrize("size", [1, 2])
def test_the_least_files_make_a_page(word, size):
    collector = Collector()
    collector.add([Rollout("p", "c", group=0)] * size, [word] * size, [None] * size)
    check_closed(report(diagnosed(collector)))


def test_without_a_range_of_weights_there_is_no_drawing_of_them():
    text = report(diagnosed(quiet(), Hero(w_min=1, w_max=1)))
    assert "Groups by weight" not in text
    check_closed(text)


def test_settings_to_copy_stand_once_for_each_trainer():
    found = hostile()
    text, pasted = report(found), to_paste(suggested(found))
    assert list(pasted) == ["TRL", "verl", "hero train"] and yaml.safe_load(pasted["hero train"]) == suggested(found)
    assert all(text.count(html.escape(part, quote=False).replace('"', "&#34;")) == 1 for part in pasted.values())


def test_where_nothing_is_to_be_changed_there_is_nothing_to_copy():
    assert 'id="settings"' not in report(diagnosed(quiet()))


def test_every_finding_has_its_name_as_an_anchor():
    found = diagnosed(quiet())
    page = check_closed(report(found))
    names = {finding.name for finding in found.findings}
    assert names and names <= {a.get("id") for _, a in page.tags}
    assert {f"#{name}" for name in names} <= {a["href"] for tag, a in page.tags if tag == "a"}


def test_a_rollout_to_which_no_verifier_applies_has_no_verdict():
    collector = Collector()
    words = [Word(1.0, 2.0), Word(None, 1.0, unverified=True), Word(None, 0.5)]
    collector.add([Rollout("p", "c", group=0)] * 3, words, [None] * 3)
    found, console = diagnosed(collector), Console(file=io.StringIO(), width=100)
    assert "2 of 3 (67%) rollouts have no verdict (1 of them since no verifier applies)" in report(found)
    print_diagnosis(found, console)
    assert re.search("without verdict, without score +2, 0", console.file.getvalue())


def test_places_that_cannot_be_written_are_told_before_the_work(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.html"):
        check_output(tmp_path / "report.pdf")
    with pytest.raises(ConfigError, match="there is no folder"):
        check_output(tmp_path / "none" / "report.html")


def test_a_missing_package_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ModuleNotFoundError, match="jinja2"):
        check_output(tmp_path / "report.html")


def test_what_is_not_nothing_is_never_said_to_be():
    assert [percent(x) for x in (0.0, 1e-5, 0.0412, 0.36, 0.9951, 0.99999, 1.0, None)] == [
        "0%", "<0.1%", "4.1%", "36%", "99.5%", ">99.9%", "100%", "–",
    ]  # fmt: skip
    assert (number(-0.4721), number(12345.6), number(0.0), number(None)) == ("−0.472", "12,346", "0", "–")
    assert decimal(-0.018) == "−0.02"


def test_an_excerpt_keeps_both_ends():
    cut = excerpt("a" * 500 + "b" * 500, 100)
    assert len(cut) <= 100 and cut.startswith("aaa") and cut.endswith("bbb") and " … " in cut
