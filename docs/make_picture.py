"""Draw docs/hero.svg, the README's picture: three groups of a real model's rollouts as three rules see them.

    python docs/make_picture.py

The dots are what the rules in `hero_rl` return for groups of examples/smollm2_rollouts.jsonl: of each kind the first
group with the most different scores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

import hero_rl

ROLLOUTS = Path(__file__).parents[1] / "examples" / "smollm2_rollouts.jsonl"
NAMES = ["all incorrect", "mixed", "all correct"]
RULES = {
    "verifier only": hero_rl.VerifierOnly(),
    "reward model only": hero_rl.RewardModelOnly(),
    "HERO": hero_rl.Hero(w_min=1, w_max=1),
}
WRONG, RIGHT, INK = "#D55E00", "#0072B2", "#5f6368"


def chosen() -> list[list[dict[str, Any]]]:
    """Groups of eight rollouts: all incorrect, mixed, all correct."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in ROLLOUTS.read_text().splitlines():
        groups.setdefault((row := json.loads(line))["group"], []).append(row)
    kinds: list[list[list[dict[str, Any]]]] = [[], [], []]
    for rows in groups.values():
        right = sum(row["verdict"] for row in rows)
        kinds[0 if right == 0 else 2 if right == len(rows) else 1].append(rows)
    return [max(kind, key=lambda rows: len({row["score"] for row in rows})) for kind in kinds]


def draw() -> Figure:
    """One panel a rule: every rollout's advantage, by group."""
    rows = [row for group in chosen() for row in sorted(group, key=lambda row: row["score"])]
    verdict, score = ([row[name] for row in rows] for name in ("verdict", "score"))
    group = [place // 8 for place in range(24)]
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    for place, (name, rule) in enumerate(RULES.items()):
        axes = figure.add_subplot(1, 3, place + 1)
        advantage = hero_rl.shape(verdict, score, group, rule).advantage.tolist()
        for i, value in enumerate(advantage):
            x = group[i] + (i % 8 - 3.5) * 0.09
            axes.plot([x, x], [0, value], color=RIGHT if verdict[i] else WRONG, linewidth=1.2, alpha=0.6)
            axes.plot(x, value, "o", color=RIGHT if verdict[i] else WRONG, markersize=4.5)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_title(name, loc="left", fontsize=11, color=INK, fontweight="bold" if name == "HERO" else "normal")
        axes.set_xticks(range(3), NAMES, fontsize=9)
        axes.tick_params(colors=INK, labelsize=9)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.spines["left"].set_color(INK)
        if place == 0:
            axes.set_ylabel("advantage", color=INK)
            axes.set_ylim(-0.45, 0.95)
            axes.text(0, 0.06, "starved", ha="center", color=INK, fontsize=9)
            axes.text(2, 0.06, "starved", ha="center", color=INK, fontsize=9)
        if name == "reward model only":
            axes.text(1.95, -2.6, "wrong answers\noutrank right ones", color=INK, fontsize=9, ha="center")
        if name == "HERO":
            axes.set_ylim(-0.45, 0.95)
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
