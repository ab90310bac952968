"""What the project's HTML pages share: one style, drawings that follow the reader's light or dark, safe rendering.

A page is one file that loads nothing from anywhere. What it shows may be hostile text, so every value is escaped, and
the page's own policy forbids all scripts but the one that it is written with.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["INK", "KIND_COLOURS", "VERDICT_COLOURS", "drawing_style", "inline_svg", "render"]

INK = "#123456"
"""Stands for the text colour in a drawing; `inline_svg` replaces it, so that one drawing serves light and dark."""

# Okabe and Ito's palette, told apart by colour-blind readers.
KIND_COLOURS = {
    "all_incorrect": "#9aa0a6",
    "mixed": "#0072B2",
    "all_correct": "#56B4E9",
    "all_partial": "#CC79A7",
    "unjudged": "#F0E442",
}
"""Groups by what the verifier said."""

VERDICT_COLOURS = {"correct": "#0072B2", "incorrect": "#D55E00"}
"""Rollouts by verdict."""


def render(package: str, template: str, script: str = "", **values: Any) -> str:
    """A page from a package's template, with escaping on and `style.css` to include.

    Args:
        package: name of the package that has a folder `templates`.
        template: file name in it.
        script: the page's only script, handed to the template as `script`; its hash goes into the page's policy.
        values: what the template shows; text is escaped.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = ChoiceLoader([PackageLoader(package), PackageLoader("hero_rl.pages")])
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}"
    return templates.get_template(template).render(policy=policy, script=Markup(script), **values)


# Colours of thin lines, which are lighter on a dark page; the style sheet says how.
_THEMED = {"#0072B2": "--blue", "#D55E00": "--orange"}


@contextmanager
def drawing_style(ink: str = INK, size: float = 10) -> Iterator[None]:
    """Matplotlib settings under which figures are made: text in one colour, letters kept as letters."""
    import matplotlib

    colours = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink)
    settings: Any = colours | {
        "svg.fonttype": "none",
        "font.size": size,
        "axes.titlesize": size + 1,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
    with matplotlib.rc_context(settings):
        yield


def inline_svg(figure: Figure, label: str | None = None) -> str:
    """A figure as an SVG element in the colour of the text around it.

    Args:
        figure: drawn with `INK` as the colour of its text.
        label: what a screen reader says of it.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": label or "hero-rl"}):  # ids are of one drawing, not of the page
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawing = buffer.getvalue()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing[drawing.index("<svg") :], flags=re.S)
    drawing = re.sub(r'(<g\b[^>]*?) id="[^"]*"', r"\1", drawing)  # several drawings on one page would share their names
    if label is not None:
        from markupsafe import escape

        drawing = drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    for colour, name in _THEMED.items():
        drawing = drawing.replace(colour.lower(), f"var({name}, {colour})")
    return drawing.replace(INK, "currentColor")
