"""Write docs/reference/house.md: the rooms of the package, what they import, how long they are.

    python docs/make_house.py           # the part above `BEFORE` anew, the rest as it stands
    python docs/make_house.py FOLDER    # print the table of another tree's `src`

Rooms and floors are those of tests/test_rooms.py; every figure is counted here.
"""

from __future__ import annotations

import ast
import graphlib
import runpy
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "house.md"
BEFORE = "## Before the three floors\n"

_HEAD = """# The house

Three floors stand in one repository. The library is what a training script imports; it stands on the ground. The
workbench is the verbs of `hero` and the code behind them. The lab, `hero_lab`, is the arena, the demos and the study.
A room imports rooms that stand above it in these tables, and none below: `tests/test_rooms.py` holds that. Every room
may import `errors`, which imports nothing.

`make docs` counts anew. Lines count comments and blank ones, functions their docstrings.
"""


@dataclass(frozen=True)
class Room:
    """A folder or a file at the top of `hero_rl`, or the lab."""

    name: str
    files: list[Path]
    lines: int
    imports: list[str]

    def row(self) -> str:
        """The room as a row of a table."""
        return f"| `{self.name}` | {len(self.files)} | {self.lines:,} | {', '.join(self.imports) or 'nothing'} |"


def rooms(sources: Path) -> dict[str, Room]:
    """Name -> room, of a folder `src`."""
    files: dict[str, list[Path]] = {}
    for package in ("hero_rl", "hero_lab"):
        for path in sorted((sources / package).rglob("*.py")):
            name = path.relative_to(sources / "hero_rl").with_suffix("").parts[0] if package == "hero_rl" else package
            if name not in ("__init__", "__main__"):  # the package's own face imports every room, lazily
                files.setdefault(name, []).append(path)
    return {name: _room(name, paths, files) for name, paths in files.items()}


def _room(name: str, paths: list[Path], known: dict[str, list[Path]]) -> Room:
    found = {room for path in paths for room in _imported(path)} & known.keys()
    lines = sum(len(path.read_text().splitlines()) for path in paths)
    return Room(name, paths, lines, sorted(found - {name, "errors"}))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            named = [node.module or ""]
        yield from (module.split(".")[1] for module in named if module.startswith("hero_rl."))


def figures(known: dict[str, Room]) -> str:
    """One paragraph: lines, rooms, medians, circles of imports."""
    files = [path for room in known.values() for path in room.files]
    modules = [len(path.read_text().splitlines()) for path in files]
    functions = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    arrows = sum(len(room.imports) for room in known.values())
    short = sum(length <= 20 for length in functions) / len(functions)
    return (
        f"{sum(modules):,} lines in {len(files)} files and {len(known)} rooms. {arrows} times a room imports another, "
        f"{_circle(known)}. A file has {statistics.median(modules):.0f} lines in the median and {max(modules)} at "
        f"most, a function {statistics.median(functions):.0f} and {functions[-1]}; {short:.0%} of the "
        f"{len(functions):,} functions have 20 lines or fewer.\n"
    )


def _circle(known: dict[str, Room]) -> str:
    try:
        graphlib.TopologicalSorter({name: room.imports for name, room in known.items()}).prepare()
    except graphlib.CycleError as error:
        return f"in a circle {' -> '.join(error.args[1])}"
    return "in no circle"


def table(known: dict[str, Room], names: list[str]) -> str:
    """Some of the rooms as a table."""
    head = ["| room | files | lines | imports |", "|---|---:|---:|---|"]
    return "\n".join([*head, *(known[name].row() for name in names)]) + "\n"


def now() -> str:
    """What the page says of this tree."""
    known, held = rooms(ROOT / "src"), runpy.run_path(str(ROOT / "tests" / "test_rooms.py"))
    parts = [_HEAD, figures(known)]
    for floor, names in [
        *((f, list(held[f.upper()])) for f in ("ground", "library", "workbench")),
        ("lab", ["hero_lab"]),
    ]:
        lines = sum(known[name].lines for name in names)
        parts.append(f"## The {floor}: {lines:,} lines\n\n{table(known, names)}")
    return "\n".join(parts)


def main(arguments: list[str]) -> None:
    """Write the page, or print the table of another tree."""
    if arguments:
        known = rooms(Path(arguments[0]))
        print(f"{figures(known)}\n{table(known, sorted(known))}", end="")
        return
    kept = PAGE.read_text().partition(BEFORE)[2] if PAGE.exists() else ""
    PAGE.write_text(f"{now()}\n{BEFORE}{kept}")


if __name__ == "__main__":
    main(sys.argv[1:])
