"""Imports between the rooms of the package point one way only."""

import ast
import subprocess
import sys
from pathlib import Path

import hero_rl

ROOT = Path(hero_rl.__file__).parent

# A room may import the rooms it names, and the errors, which import nothing.
MAY_IMPORT = {
    "errors": set(),
    "background": set(),
    "endpoints": {"background"},
    "openai_protocol": {"endpoints"},
    "machine": set(),
    "rows": set(),
    "pages": set(),
    "signals": set(),
    "settings": set(),
    "recipes": {"settings"},
    "generation": {"background", "endpoints", "openai_protocol", "rows", "settings"},
    "rollouts": {"rows", "signals"},
    "rules": {"signals"},
    "verifiers": {"signals", "rows", "endpoints", "openai_protocol"},
    "problems": {"settings", "rows", "verifiers"},
    "reward_models": {"signals", "background", "endpoints", "rows"},
    "scoring": {"signals", "background", "verifiers", "reward_models"},
    "diagnostics": {"signals", "rules", "rollouts", "pages"},
    "data": {"settings", "rows", "problems", "generation", "rollouts", "verifiers"},
    "rescoring": {"signals", "rollouts", "rules", "verifiers", "reward_models", "scoring", "diagnostics"},
    "evaluation": {"machine", "rows", "settings", "rollouts", "verifiers", "problems", "generation", "scoring"},
    "comparison": {"rows", "pages", "rollouts", "evaluation"},
    "service": {"signals", "rules", "verifiers", "reward_models", "scoring", "diagnostics", "endpoints"},
    "trainers": {"signals", "settings", "rules", "scoring", "verifiers", "reward_models", "diagnostics"},
    "training": {
        "rows",
        "machine",
        "problems",
        "settings",
        "recipes",
        "rollouts",
        "rules",
        "verifiers",
        "reward_models",
        "diagnostics",
        "trainers",
    },
    "arena": {
        "pages",
        "rollouts",
        "signals",
        "rules",
        "verifiers",
        "reward_models",
        "scoring",
        "diagnostics",
        "evaluation",
        "trainers",
        "training",
    },
    "cli": {
        "rows",
        "settings",
        "recipes",
        "rollouts",
        "problems",
        "data",
        "evaluation",
        "comparison",
        "rescoring",
        "diagnostics",
        "training",
        "arena",
        "service",
        "rules",
        "verifiers",
        "reward_models",
    },
}
FRONT = {"__init__", "__main__"}  # the package's own face imports every room, lazily


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        rooms |= {name.split(".")[1] for name in names if name.startswith("hero_rl.")}
    return rooms


def test_every_import_points_down():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        room = room_of(path)
        if room in FRONT:
            continue
        allowed = MAY_IMPORT[room] | {room, "errors"}
        wrong += [f"{path.relative_to(ROOT)} imports {other}" for other in sorted(imported_rooms(path) - allowed)]
    assert not wrong, "\n".join(wrong)


def test_the_order_has_no_cycle():
    seen: set[str] = set()
    for room, below in MAY_IMPORT.items():
        assert below <= seen, f"{room} imports {below - seen}, which come after it"
        seen.add(room)


def test_importing_the_package_loads_nothing_heavy():
    heavy = {"torch", "transformers", "trl", "pydantic", "numpy", "datasets", "matplotlib", "verl", "vllm", "fastapi"}
    code = f"import sys, hero_rl; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_public_name_resolves():
    for name in hero_rl.__all__:
        assert getattr(hero_rl, name) is not None
    assert set(hero_rl.__all__) <= set(dir(hero_rl))
