"""The report: one self-contained HTML file, light and dark, readable on a phone."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from hero_rl.diagnosis.figures import draw
from hero_rl.diagnosis.findings import suggested
from hero_rl.diagnosis.numbers import Diagnosis
from hero_rl.diagnosis.replay import uniform_share
from hero_rl.diagnosis.trainers import flat, to_paste
from hero_rl.diagnosis.wording import change, decimal, number, of, percent, within
from hero_rl.errors import ConfigError
from hero_rl.files.whole import replacing
from hero_rl.pages import KIND_COLOURS, render

__all__ = ["LEVELS", "RULE_NAMES", "check_output", "report", "rule_name", "write_report"]

RULE_NAMES = {
    "hero": "HERO",
    "gated_hero": "gated HERO",
    "verifier_only": "verifier only",
    "reward_model_only": "reward model only",
    "weighted_sum": "weighted sum",
    "gdpo": "GDPO",
}
"""How the rules are called in tables."""

LEVELS = {"act": "change", "look": "look", "good": "fine"}
"""How the levels of findings are called."""

_SCRIPT = """
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
"""


def write_report(diagnosis: Diagnosis, path: Path) -> None:
    """Write the page, whole or not at all."""
    with replacing(path) as file:
        file.write(report(diagnosis).encode("utf-8", "replace"))


def check_output(path: Path) -> None:
    """Raise for a report that could not be written, before anything is computed.

    Raises:
        ConfigError: the name is no page's, or its folder is not there.
        ModuleNotFoundError: the packages that draw and fill the page are not installed.
    """
    for package in ("matplotlib", "jinja2"):
        import_module(package)
    if path.suffix not in (".html", ".htm"):
        raise ConfigError(f"{path}: the report is HTML; give a name that ends in .html")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}")


KINDS = ("mixed", "all_correct", "all_incorrect", "all_partial", "unjudged")
RARE_KINDS = ("all_partial", "unjudged")
"""Kinds of groups that are shown only where there are some."""


def report(diagnosis: Diagnosis) -> str:
    """The page as text; it loads nothing, and all text of the rollouts is escaped."""
    return render(
        "hero_rl.diagnosis",
        "report.html",
        script=_SCRIPT,
        d=diagnosis,
        drawings=draw(diagnosis),
        settings=to_paste(suggested(diagnosis)),
        levels=LEVELS,
        rule_name=lambda rule: rule_name(diagnosis, rule),
        colours=KIND_COLOURS,
        kinds=[kind for kind in KINDS if kind not in RARE_KINDS or getattr(diagnosis.groups, kind)],
        uniform_share=uniform_share,
        sections=_sections(diagnosis),
        flat=flat,
        is_base=lambda row: all(getattr(diagnosis.rule, name) == value for name, value in row.settings.items()),
        telling=_telling(diagnosis),
        percent=percent,
        number=number,
        change=change,
        decimal=decimal,
        of=of,
        within=within,
    )


def _telling(d: Diagnosis) -> list[tuple[str, str, list]]:
    kinds = (
        ("incorrect_high", "Incorrect, scored high", "candidates for false negatives of the verifier"),
        ("correct_low", "Correct, scored low", "candidates for false positives, or for bad reasoning"),
    )
    return [(title, said, [row for row in d.telling if row.kind == kind]) for kind, title, said in kinds]


def _sections(d: Diagnosis) -> dict[str, str]:
    """Anchors and titles of the parts that have something to show, in order."""
    sections = {
        "findings": "Findings",
        "settings": "Settings",
        "groups": "Groups",
        "starvation": "Starvation",
        "mass": "Advantage mass",
        "ranking": "Ranking",
        "bands": "Bands",
        "weights": "Weight",
        "length": "Length",
        "steps": "Steps",
        "verifier": "Verdicts",
        "sweep": "What if",
        "telling": "Telling rollouts",
    }
    absent = {"steps": not d.steps, "sweep": not d.sweep, "telling": not d.telling, "length": not d.length.rollouts}
    absent["settings"] = not suggested(d)
    absent |= dict.fromkeys(("weights", "bands"), not d.weights["raw"].groups)
    return {name: title for name, title in sections.items() if not absent.get(name)}


def rule_name(diagnosis: Diagnosis, rule: str) -> str:
    """How a rule is called in tables; the gated one with the trust that it was replayed with."""
    earned = f", trust {diagnosis.ranking.trust:.2f} as earned here" if rule == "gated_hero" else ""
    return RULE_NAMES[rule] + earned
