"""Problem sets: what a problem is, where problems come from, the sets of the paper by name, and generated ones.

for problem in read_problems(ProblemSource(dataset="problems.jsonl")):
print(problem.id, problem.question, problem.reference)
"""

from hero_rl.problems.generated import GeneratedProblems, generated_rows
from hero_rl.problems.hub import FILES, hub_dataset, is_file
from hero_rl.problems.presets import PRESETS, Preset
from hero_rl.problems.reading import ProblemReader, read_problems
from hero_rl.problems.record import Problem
from hero_rl.problems.sampling import draw, rank
from hero_rl.problems.settings import ProblemSource, block_of

__all__ = [
    "FILES",
    "PRESETS",
    "GeneratedProblems",
    "Preset",
    "Problem",
    "ProblemReader",
    "ProblemSource",
    "block_of",
    "draw",
    "generated_rows",
    "hub_dataset",
    "is_file",
    "rank",
    "read_problems",
]
