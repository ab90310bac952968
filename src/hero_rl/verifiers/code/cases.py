"""Tests as public sets of problems write them, read into cases that say what to run and what to compare.

- APPS, TACO and their kin: `{"inputs": [...], "outputs": [...]}`, with `fn_name` calls in the place of programs.
- LiveCodeBench: `[{"input": ..., "output": ..., "testtype": "stdin" or "functional"}]`, the function's name in
  `metadata`.
- HumanEval: `test`, which defines `check(candidate)`, and `entry_point`; the `prompt` if it is there.
- MBPP: `test_list`, and `test_setup_code` or `test_imports`.
- Python code of asserts.

An assert of a call against a literal (`assert f(1) == [2]`) becomes a value that is compared outside the sandbox. Any
other test code runs beside the candidate's, which can then see what it expects.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hero_rl.verifiers.base import Request
from hero_rl.verifiers.code.guarding import guarded
from hero_rl.verifiers.code.harness import BUILTINS

__all__ = ["Case", "CodeCase", "NoTests", "OutputCase", "ValueCase", "cases_of"]

_MOST_CHARACTERS = 64 * 2**20


class NoTests(Exception):
    """A reference holds no tests that can be read."""


@dataclass(frozen=True)
class OutputCase:
    """A program that reads and writes.

    Attributes:
        stdin: what it reads.
        stdout: what it has to write.
    """

    stdin: str
    stdout: str


@dataclass(frozen=True)
class ValueCase:
    """An expression that has a value.

    Attributes:
        expression: Python, which names nothing but what the sources define.
        expected: its value.
        entry: the function that is called, where the test says so.
        setup: Python that runs before the candidate's code.
        again: imports that run behind it, so that no name of the candidate's replaces them.
        json: whether the value was written as JSON, where tuples are lists.
        wrapped: whether the value may stand alone in a list, as APPS has it.
        genuine: names in the expression that are Python's own, whatever the candidate defines.
    """

    expression: str
    expected: Any
    entry: str = ""
    setup: str = ""
    again: str = ""
    json: bool = False
    wrapped: bool = False
    genuine: tuple[str, ...] = ()


@dataclass(frozen=True)
class CodeCase:
    """Code that raises where the candidate's is wrong.

    Attributes:
        code: Python, which runs after the candidate's.
        entry: the function that is tested, where the test says so.
        setup: Python that runs before the candidate's code.
        again: imports that run behind it, so that no name of the candidate's replaces them.
        genuine: names in the code that are Python's own, whatever the candidate defines.
    """

    code: str
    entry: str = ""
    setup: str = ""
    again: str = ""
    genuine: tuple[str, ...] = ()


Case = OutputCase | ValueCase | CodeCase


def cases_of(request: Request) -> list[Case]:
    """The tests in a request's reference, or in its columns where the reference is a part of them.

    Raises:
        NoTests: there are none, or not all of them can be read.
    """
    try:
        cases = _read(request.reference, request.columns)
    except (ValueError, TypeError, KeyError, AttributeError, SyntaxError, RecursionError, MemoryError) as error:
        raise NoTests(str(error)) from error
    if not cases:
        raise NoTests("no tests")
    return cases


def _read(reference: Any, columns: Mapping[str, Any]) -> list[Case]:
    if isinstance(reference, str):
        if len(reference) > _MOST_CHARACTERS:
            raise ValueError("too long")
        try:
            reference = _from_json(reference)
        except ValueError:
            return _of_code(reference, _text(columns.get("entry_point", "")))
    if isinstance(reference, (list, tuple)):
        if reference and all(isinstance(each, str) for each in reference):
            return _of_asserts(reference, _setup(columns))
        return _of_live_code_bench(reference, columns.get("metadata"))
    if not isinstance(reference, Mapping):
        raise TypeError("neither code nor a list nor a mapping")
    return _of_mapping(reference, columns)


def _of_mapping(given: Mapping[str, Any], columns: Mapping[str, Any]) -> list[Case]:
    if "input_output" in given:
        return _of_mapping(_from_json(given["input_output"]), columns)
    if "inputs" in given:
        return _of_apps(given)
    if "test_list" in given:
        return _of_asserts(given["test_list"], _setup(given))
    if "public_test_cases" in given or "private_test_cases" in given:
        parts = [_from_json(given.get(name) or []) for name in ("public_test_cases", "private_test_cases")]
        return _of_live_code_bench([*parts[0], *parts[1]], given.get("metadata", columns.get("metadata")))
    if "test" in given:
        entry = _text(given.get("entry_point", columns.get("entry_point", "")))
        return _of_code(_text(given["test"]), entry, _as_setup(given.get("prompt")))
    raise KeyError(f"none of the known keys: {', '.join(map(str, given))}"[:200])


def _of_apps(given: Mapping[str, Any]) -> list[Case]:
    inputs, outputs, name = given["inputs"], given["outputs"], given.get("fn_name")
    if len(inputs) != len(outputs):
        raise ValueError("inputs and outputs of two lengths")
    if name is None:
        return [OutputCase(_lines(each), _lines(right)) for each, right in zip(inputs, outputs, strict=True)]
    calls = []
    for each, right in zip(inputs, outputs, strict=True):
        calls.append(_call(_text(name), _arguments(each), right, wrapped=True))
    return calls


def _of_live_code_bench(given: Sequence[Any], metadata: Any) -> list[Case]:
    metadata = _from_json(metadata) if metadata else {}
    cases: list[Case] = []
    for each in given:
        if each.get("testtype", "stdin") == "stdin":
            cases.append(OutputCase(_lines(each["input"]), _lines(each["output"])))
            continue
        arguments = [_from_json(line) for line in _text(each["input"]).split("\n") if line.strip()]
        cases.append(_call(_text(metadata["func_name"]), arguments, _from_json(each["output"])))
    return cases


def _call(name: str, arguments: Iterable[Any], expected: Any, wrapped: bool = False) -> ValueCase:
    if not name.isidentifier():
        raise ValueError(f"{name!r} is no name of a function")
    return ValueCase(f"{name}(*{list(arguments)!r})", expected, name, json=True, wrapped=wrapped)


def _of_asserts(given: Sequence[Any], setup: str) -> list[Case]:
    return [case for each in given for case in _of_code(_text(each), "", setup)]


def _of_code(code: str, entry: str, setup: str = "") -> list[Case]:
    """The asserts of test code; `check(candidate)` is called with the entry point."""
    tree = ast.parse(code)
    if entry and not entry.isidentifier():
        raise ValueError(f"{entry!r} is no name of a function")
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if not (entry and checks):
        body, rest = tree.body, []
        if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
            raise ValueError("test code without an assert")
    else:
        body, rest = checks[-1].body, [node for node in tree.body if node is not checks[-1]]
        code += f"\n\ncheck({entry})\n"
    known = {"candidate", entry} if entry and checks else None
    rest += [node for node in body if not isinstance(node, ast.Assert)]
    values = [_value(node) for node in body if isinstance(node, ast.Assert) and not _is_idle(node)]
    before, within = _imports(ast.parse(setup).body, entry), _imports(rest, entry)
    tested = _names(tree) - _bound(before + within)
    theirs = tested - {each.arg for each in ast.walk(tree) if isinstance(each, ast.arg) and each.arg != "candidate"}
    imported = _bound(before + within) | {entry}
    before = [node for node in before if _names(tree) & _bound([node])]  # the candidate may have its own of the others
    # Where the tests name nothing but what they import, that may be what the candidate defines.
    again = ast.unparse(ast.Module(before, [])) if tested else ""
    safe = [node for node in rest if isinstance(node, _IMPORTS)] if known else within if tested else []
    simple = all(node in safe or _is_idle(node) for node in rest)
    if not simple or None in values or not all(_names_only(each[0], known) for each in values if each):
        whole = ast.parse(code)
        genuine = _genuine(whole, theirs, imported)
        return [CodeCase(ast.unparse(guarded(whole, theirs)), entry, setup, again, genuine)]
    again = ast.unparse(ast.Module(before + within, [])) if tested else ""
    if known:
        setup = "\n".join([setup, *(ast.unparse(node) for node in tree.body if isinstance(node, _IMPORTS))])
    found = []
    for called, expected in filter(None, values):
        genuine, called = _genuine(called, theirs, imported), guarded(called, theirs)
        found.append(ValueCase(ast.unparse(called), expected, entry if checks else "", setup, again, genuine=genuine))
    return found


_IMPORTS = (ast.Import, ast.ImportFrom)


def _imports(nodes: Sequence[ast.stmt], entry: str) -> list[ast.stmt]:
    """The imports among statements that can run behind the candidate: those that leave it its entry point."""
    imports = [node for node in nodes if isinstance(node, _IMPORTS) and not _bound([node]) & {"*", entry}]
    return [node for node in imports if isinstance(node, ast.Import) or node.module != "__future__"]


def _bound(imports: Sequence[ast.stmt]) -> set[str]:
    aliases = [alias for node in imports if isinstance(node, _IMPORTS) for alias in node.names]
    return {(alias.asname or alias.name).split(".")[0] for alias in aliases}


def _names(tree: ast.AST) -> set[str]:
    """What code names and does not make itself: no builtins."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    made |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return {node.id for node in names if not _is_builtin(node.id)} - made


def _genuine(tree: ast.AST, theirs: set[str], imported: set[str]) -> tuple[str, ...]:
    """The names in a test that are Python's own.

    None where nothing else is there that the candidate could define: it may be asked for a `sum` of its own.
    """
    names = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
    if "*" in imported or not names & theirs:
        return ()
    return tuple(sorted(names & BUILTINS.keys() - imported))


def _value(node: ast.stmt) -> tuple[ast.expr, Any] | None:
    """What an assert calls, and the literal that it expects; None for any other statement."""
    if not isinstance(node, ast.Assert):
        return None
    test = node.test
    if isinstance(test, ast.Call):
        of_names = isinstance(test.func, ast.Name) and not _is_builtin(test.func.id)
        return (_truth(test), True) if of_names and not _compares(test) else None
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and isinstance(test.operand, ast.Call):
        value = _value(ast.Assert(test.operand, None))
        return value and (value[0], False)
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], (ast.Eq, ast.Is))):
        return None
    for called, literal in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
        try:
            expected = _literal(literal)
        except (ValueError, TypeError, SyntaxError):
            continue
        if isinstance(called, ast.Compare) and expected is True:
            return _value(ast.Assert(called, None))
        if any(isinstance(each, ast.Call) for each in ast.walk(called)) and not _compares(called):
            return called, expected
    return None


def _compares(expression: ast.expr) -> bool:
    """Whether an expression may ask the candidate's objects what they equal: `[f(1) == 2]`, `[2].count(f(1))`."""
    for each in ast.walk(expression):
        if isinstance(each, (ast.Compare, ast.BoolOp, ast.Lambda)):
            return True
        if isinstance(each, (ast.Attribute, ast.Subscript)) and isinstance(each.value, _DISPLAYS):
            return True
    return False


_DISPLAYS = (ast.List, ast.Tuple, ast.Set, ast.Dict)


def _literal(node: ast.expr) -> Any:
    kinds = {"set": set, "frozenset": frozenset, "list": list, "tuple": tuple, "dict": dict}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds and not node.keywords:
        return kinds[node.func.id](*(ast.literal_eval(each) for each in node.args))
    return ast.literal_eval(node)


def _truth(call: ast.Call) -> ast.expr:
    return ast.Call(ast.Name("bool", ast.Load()), [call], [])


def _names_only(expression: ast.expr, known: set[str] | None) -> bool:
    """Whether an expression names nothing but builtins and what is known; anything, where nothing is said of that."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    return known is None or all(name in known or _is_builtin(name) for name in names)


def _is_builtin(name: str) -> bool:
    return name in BUILTINS


def _is_idle(node: ast.stmt) -> bool:
    """Whether a statement tests nothing: a docstring, `pass`, METADATA, `assert True`."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and bool(node.test.value)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name) and target.id == "METADATA" for target in node.targets)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _setup(given: Mapping[str, Any]) -> str:
    imports = given.get("test_imports") or []
    imports = [imports] if isinstance(imports, str) else imports
    return "\n".join(part for part in (_text(given.get("test_setup_code") or ""), *map(_text, imports)) if part)


def _as_setup(prompt: Any) -> str:
    """HumanEval's prompt, whose imports and helpers the tests take as there; empty where it is no Python."""
    try:
        ast.parse(_text(prompt))
    except (TypeError, ValueError, SyntaxError):
        return ""
    return prompt


def _arguments(given: Any) -> list[Any]:
    given = _from_json(given) if isinstance(given, str) else given
    if not isinstance(given, (list, tuple)):
        raise TypeError("arguments that are no list")
    return list(given)


def _lines(given: Any) -> str:
    if isinstance(given, (list, tuple)):
        return "\n".join(map(_lines, given))
    return given if isinstance(given, str) else json.dumps(given)


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"a {type(given).__name__} in the place of text")
    return given


def _from_json(given: Any) -> Any:
    """A value, out of its JSON where it is text; JSON's numbers alone, since NaN is no literal."""
    return json.loads(given, parse_constant=_no_number) if isinstance(given, str) else given


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
