"""Folders as `hero eval` leaves them, with verdicts of one's own."""

import json
from pathlib import Path

import numpy as np

from hero_rl.evaluation.statistics import estimate, pass_at_k

PAPER = {
    "math500": ("easy", 500),
    "amc": ("easy", 40),
    "minerva": ("easy", 272),
    "olympiadbench": ("easy", 674),
    "hardverify-math": ("hard", 250),
    "textbookreasoning": ("hard", 750),
}


def write_run(folder, name, verdicts, *, kinds=None, step=None, answers=None, graded_by="verifier", seeds=(0,)):
    """A run's folder: `verdicts` by benchmark, a row of verdicts by problem id."""
    folder = Path(folder)
    (folder / "problems").mkdir(parents=True)
    benchmarks = {}
    for benchmark, rows in verdicts.items():
        lines = []
        for problem, row in rows.items():
            said = (answers or {}).get(benchmark, {}).get(problem, [None] * len(row))
            graders = {grader: row if grader == graded_by else None for grader in ("verifier", "judge")}
            lines.append({"id": problem, "samples": row, **graders, "answers": said})
        (folder / "problems" / f"{benchmark}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        benchmarks[benchmark] = {
            "kind": (kinds or {}).get(benchmark, "easy"),
            "problems": len(rows),
            "samples": len(next(iter(rows.values()))),
            "seeds": list(seeds),
            "graded_by": graded_by,
            "counts": graded_by,
            "pass@1": estimate(pass_at_k(list(rows.values()), 1), resamples=50).to_dict(),
            "unscored": sum(v is None for row in rows.values() for v in row),
            "averaged": "the mean",
        }
    result = {"format": 1, "name": name, "model": f"models/{name}", "step": step, "benchmarks": benchmarks}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def drawn(skill, *, seed=0, samples=4, benchmarks=PAPER, shrink=1):
    """Verdicts of a model of some skill: problems are as hard for each model, responses are its own."""
    generator = np.random.default_rng(seed)
    verdicts = {}
    for name, (kind, count) in benchmarks.items():
        hardness = np.random.default_rng(len(name)).normal(0.4 if kind == "easy" else 0.2, 1.2, count // shrink)
        chance = 1 / (1 + np.exp(-(skill[kind] - hardness)))
        rows = generator.random((len(chance), samples)) < chance[:, None]
        verdicts[name] = {f"{name}-{n}": [int(v) for v in row] for n, row in enumerate(rows)}
    return verdicts


KINDS = {name: kind for name, (kind, _) in PAPER.items()}
