"""What runs a candidate's code against one test, inside the sandbox; its text goes there in front of a call of `run`.

Only the standard library is there. What the test expects is not: the value comes back and is compared outside.
"""

from __future__ import annotations

import json
import sys
import types
from typing import Any

__all__ = ["encoded", "run"]


def encoded(value: Any) -> Any:
    """A value of Python's own types as JSON from which `decoded` makes it again.

    Raises:
        TypeError: it is, or holds, something else.
    """
    if value is None or isinstance(value, bool):
        return value
    for plain in (int, float, str):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, dict):
        return {"dict": [[encoded(key), encoded(each)] for key, each in value.items()]}
    for kind, name in ((list, "list"), (tuple, "tuple"), ((set, frozenset), "set")):
        if isinstance(value, kind):
            return {name: [encoded(each) for each in value]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    raise TypeError(f"a {type(value).__name__} cannot be compared")


def run(name: str, sources: list[str], entry: str, expression: str, check: str, marker: str) -> None:
    """Run sources one after the other in a module of that name, and then one test.

    Args:
        name: of the module; `__main__` for a program.
        sources: Python code.
        entry: a function of theirs, which may be a method of their class `Solution`; empty for none.
        expression: its value is written behind the marker; empty for none.
        check: code that raises where the test fails; the marker is written after it. Empty for none.
        marker: a line that nothing else writes.
    """
    module = types.ModuleType(name)
    names = module.__dict__
    names.update(exit=sys.exit, quit=sys.exit)
    sys.modules[name] = module
    for source in sources:
        exec(compile(source, "candidate.py", "exec", dont_inherit=True), names)
    if entry:
        if entry not in names and "Solution" in names:
            names[entry] = getattr(names["Solution"](), entry)
        names.setdefault("candidate", names[entry])
    if expression:
        value = json.dumps(encoded(eval(expression, names)))
        sys.stdout.write(f"\n{marker}{value}\n")
    if check:
        exec(compile(check, "test.py", "exec", dont_inherit=True), names)
        sys.stdout.write(f"\n{marker}\n")
    sys.stdout.flush()
