"""What runs a candidate's code against one test, inside the sandbox; its text goes there in front of a call of `run`.

Only the standard library is there. What the test expects is not: the value comes back and is compared outside.
"""

from __future__ import annotations

import builtins
import json
import sys
import types
from typing import Any

__all__ = ["BUILTINS", "PLAIN", "encoded", "plain", "run"]

BUILTINS = dict(vars(builtins))
"""Python's own names, before any candidate's code ran."""

PLAIN = "hero_plain"
"""The name by which test code calls `plain`."""

_HEAP = 1 << 9  # the flag of a class that Python code made


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


def plain(value: Any) -> Any:
    """A value in Python's own types, whatever its own class says of itself.

    Text, numbers and containers are made anew in the type that they are of; other objects of Python's own (a range, a
    generator, a Fraction) are as they are.

    Raises:
        TypeError: it is, or holds, an object of any other class.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    for number in (int, float, complex):
        if issubclass(kind, number):
            return number.__pos__(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, bytes):
        return bytes.__getitem__(value, slice(None))
    if issubclass(kind, dict):
        return {plain(key): plain(each) for key, each in dict.items(value)}
    for several in (list, tuple, set, frozenset):
        if issubclass(kind, several):
            return several(plain(each) for each in several.__iter__(value))
    if type.__dict__["__flags__"].__get__(kind) & _HEAP and not _is_pythons(kind):
        raise TypeError("an object of a class that is not Python's is not compared")
    return value


def _is_pythons(kind: type) -> bool:
    """Whether a class is found in the standard library where it says that it is."""
    module, name = (type.__getattribute__(kind, each) for each in ("__module__", "__qualname__"))
    known = type(module) is str and module.split(".")[0] in sys.stdlib_module_names
    return known and vars(sys.modules.get(module, json)).get(name) is kind


def run(
    name: str, sources: list[str], entry: str, expression: str, check: str, marker: str, genuine: list[str]
) -> None:
    """Run sources one after the other in a module of that name, and then one test.

    Args:
        name: of the module; `__main__` for a program.
        sources: Python code.
        entry: a function of theirs, which may be a method of their class `Solution`; empty for none.
        expression: its value is written behind the marker; empty for none.
        check: code that raises where the test fails; the marker is written after it. Empty for none.
        marker: a line that nothing else writes.
        genuine: names that mean Python's own in expression and check, whatever the sources define.
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
    scope = {**names, **{each: BUILTINS[each] for each in genuine}, PLAIN: plain}
    if expression:
        value = json.dumps(encoded(eval(expression, scope)))
        sys.stdout.write(f"\n{marker}{value}\n")
    if check:
        exec(compile(check, "test.py", "exec", dont_inherit=True), scope)
        sys.stdout.write(f"\n{marker}\n")
    sys.stdout.flush()
