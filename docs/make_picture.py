"""Draw docs/hero.svg, the README's picture: three groups of rollouts as four rules see them.

    python docs/make_picture.py

The dots are what the rules in `hero_rl` return, nothing is drawn by hand.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

import hero_rl

# Three prompts with eight rollouts each: all incorrect, mixed, all correct. The reward model errs once: it likes one
# incorrect rollout of the mixed group more than a correct one.
VERDICT = [0] * 8 + [0, 0, 0, 0, 0, 1, 1, 1] + [1] * 8
SCORE = [-3.1, -2.4, -2.2, -1.5, -0.9, -0.2, 0.4, 1.3]
SCORE += [-2.6, -1.9, -0.8, 0.3, 2.1, 1.2, 2.4, 3.3]
SCORE += [0.6, 1.1, 1.5, 1.7, 2.2, 2.5, 2.9, 3.4]
GROUP = [0] * 8 + [1] * 8 + [2] * 8
NAMES = ["all incorrect", "mixed", "all correct"]
RULES = {
    "verifier only": hero_rl.VerifierOnly(),
    "reward model only": hero_rl.RewardModelOnly(),
    "HERO": hero_rl.Hero(w_min=1, w_max=1),
}
WRONG, RIGHT, INK = "#D55E00", "#0072B2", "#5f6368"


def draw() -> Figure:
    """One panel a rule: every rollout's advantage, by group."""
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    for place, (name, rule) in enumerate(RULES.items()):
        axes = figure.add_subplot(1, 3, place + 1)
        advantage = hero_rl.shape(VERDICT, SCORE, GROUP, rule).advantage.tolist()
        for i, value in enumerate(advantage):
            x = GROUP[i] + (i % 8 - 3.5) * 0.09
            axes.plot([x, x], [0, value], color=RIGHT if VERDICT[i] else WRONG, linewidth=1.2, alpha=0.6)
            axes.plot(x, value, "o", color=RIGHT if VERDICT[i] else WRONG, markersize=4.5)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_title(name, loc="left", fontsize=11, color=INK, fontweight="bold" if name == "HERO" else "normal")
        axes.set_xticks(range(3), NAMES, fontsize=9)
        axes.tick_params(colors=INK, labelsize=9)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.spines["left"].set_color(INK)
        if place == 0:
            axes.set_ylabel("advantage", color=INK)
            axes.set_ylim(-0.75, 0.8)
            axes.text(0, 0.06, "starved", ha="center", color=INK, fontsize=9)
            axes.text(2, 0.06, "starved", ha="center", color=INK, fontsize=9)
        if name == "reward model only":
            axes.annotate(
                "a wrong answer\noutranks a right one", (1.04, 1.6), (1.95, -2.6), color=INK, fontsize=9, ha="center"
            )
        if name == "HERO":
            axes.set_ylim(-0.75, 0.8)
    handles = [matplotlib.lines.Line2D([], [], marker="o", linestyle="", color=c) for c in (RIGHT, WRONG)]
    figure.legend(
        handles, ["verified correct", "verified incorrect"], loc="outside lower center", ncols=2, frameon=False,
        labelcolor=INK, fontsize=9,
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    with matplotlib.rc_context({"svg.hashsalt": "hero-rl"}):
        target = Path(__file__).with_name("hero.svg")
        draw().savefig(target, transparent=True, metadata={"Date": None})
