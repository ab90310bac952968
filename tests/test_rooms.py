"""Imports between the rooms of the package point one way only."""

import ast
import subprocess
import sys
from pathlib import Path

import hero_rl

ROOT = Path(hero_rl.__file__).parent

# A room may import the rooms it names, and the errors, which import nothing.
GROUND = {
    "errors": set(),
    "own": set(),
    "extras": set(),
    "budget": set(),
    "counters": set(),
    "background": set(),
    "files": set(),
    "foreign": set(),
    "pages": set(),
    "signals": set(),
    "settings": {"own"},
    "checkpoints": {"settings", "foreign"},
    "clients": {"background", "counters"},
}
LIBRARY = {
    "rules": {"own", "signals"},
    "verifiers": {"own", "files", "clients", "counters", "extras"},
    "reward_models": {"own", "checkpoints", "background", "clients", "counters", "files", "foreign"},
    "scoring": {"files", "signals", "background", "verifiers", "reward_models"},
    "auditing": {"signals", "rules", "verifiers", "scoring"},
    "rollouts": {"files", "foreign"},
    "monitoring": {"budget", "signals", "rules"},
    "preflight": {"signals", "rules"},
    "trainers": {
        "extras",
        "files",
        "signals",
        "settings",
        "rollouts",
        "rules",
        "scoring",
        "auditing",
        "verifiers",
        "reward_models",
        "monitoring",
        "preflight",
    },
}
WORKBENCH = {
    "diagnosis": {"files", "signals", "rules", "rollouts", "pages"},
    "problems": {"settings", "files", "verifiers", "extras"},
    "generation": {"checkpoints", "clients", "files", "foreign", "settings", "verifiers"},
    "data": {"budget", "settings", "files", "problems", "generation", "rollouts", "verifiers"},
    "rescoring": {
        "budget",
        "signals",
        "files",
        "rollouts",
        "rules",
        "verifiers",
        "reward_models",
        "scoring",
        "auditing",
        "monitoring",
        "diagnosis",
    },
    "evaluation": {
        "budget",
        "files",
        "settings",
        "pages",
        "rollouts",
        "verifiers",
        "problems",
        "generation",
        "scoring",
    },
    "service": {"own", "files", "signals", "rules", "verifiers", "reward_models", "scoring", "monitoring", "clients"},
    "training": {
        "own",
        "files",
        "foreign",
        "problems",
        "settings",
        "rollouts",
        "rules",
        "auditing",
        "verifiers",
        "reward_models",
        "preflight",
        "trainers",
    },
    "cli": {
        "extras",
        "files",
        "settings",
        "rollouts",
        "problems",
        "evaluation",
        "rescoring",
        "diagnosis",
        "training",
        "service",
        "rules",
        "verifiers",
    },
}
MAY_IMPORT = GROUND | LIBRARY | WORKBENCH
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


def public_classes(folder: Path) -> dict[str, str]:
    """Name -> file of the public classes below a folder or in a file."""
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return {
        node.name: f"{file.relative_to(ROOT.parent)}"
        for file in files
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def test_no_two_classes_of_one_name_meet():
    lab = ROOT.parent / "hero_lab"
    known = {room: public_classes(ROOT / room) for room in MAY_IMPORT}
    used = set().union(*map(imported_rooms, lab.rglob("*.py"))) & known.keys()
    meetings = [(room, below) for room, rooms in MAY_IMPORT.items() for below in rooms] + [
        ("lab", room) for room in used
    ]
    known["lab"] = public_classes(lab)
    twice = [
        f"{known[room][name]} and {known[below][name]}: {name}"
        for room, below in meetings
        for name in sorted(known[room].keys() & known[below].keys())
    ]
    assert not twice, "\n".join(twice)


def test_every_import_points_down():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        room = room_of(path)
        if room in FRONT:
            continue
        allowed = MAY_IMPORT[room] | {room, "errors"}
        wrong += [f"{path.relative_to(ROOT)} imports {other}" for other in sorted(imported_rooms(path) - allowed)]
    assert not wrong, "\n".join(wrong)


def test_the_table_allows_what_is_there_and_no_more():
    found: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        found.setdefault(room_of(path), set()).update(imported_rooms(path))
    unused = {room: left for room, below in MAY_IMPORT.items() if (left := below - found[room])}
    assert not unused


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


def test_nothing_imports_the_lab():
    assert not [path for path in ROOT.rglob("*.py") if "hero_lab" in path.read_text()]


def test_the_tests_follow_the_rooms():
    here = Path(__file__).parent
    # What needs engines, a faulty machine, the examples or the real verl is apart: `make test` does not run all of it.
    rooms = MAY_IMPORT.keys() | {"lab", "engines", "chaos", "examples", "verl"}
    about_the_repository = {"docs", "package", "rooms", "site"}
    assert not {folder.parent.name for folder in here.glob("*/test_*.py")} - rooms
    assert not {file.stem.removeprefix("test_") for file in here.glob("test_*.py")} - rooms - about_the_repository
