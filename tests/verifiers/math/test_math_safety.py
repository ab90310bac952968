"""Completions are untrusted: whatever they hold, the maths verifier answers soon, and runs none of it."""

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hero_rl.verifiers import MathVerifier, Reason, math, verify_math
from hero_rl.verifiers.math.tree.functions import FUNCTIONS
from hero_rl.verifiers.math.values import evaluation

HOSTILE = {
    "power tower": "9^{9^{9^9}}",
    "taller tower": "9^{9^{9^{9^{9^{9^9}}}}}",
    "tower below": "(((9^9)^9)^9)^9",
    "tower of two": "2^{2^{2^{2^{2^2}}}}",
    "huge exponent": "2^{99999999}",
    "huge denominator": r"\frac{1}{2^{99999998}}",
    "huge fractional exponent": r"2^{\frac{99999999}{7}}",
    "huge irrational exponent": r"2^{10^{10}\pi}",
    "huge scientific": "1e999999999",
    "tiny scientific": "1e-999999999",
    "huge exponent of a variable": "x^{99999999999}",
    "huge factorial": "(10^9)!",
    "nested factorials": "((((3!)!)!)!)!",
    "factorial of a variable": "((n!)!)!",
    "huge binomial": r"\binom{10^9}{5 \cdot 10^8}",
    "huge sum": r"\sum_{k=1}^{10^9} k",
    "huge product": r"\prod_{k=1}^{10^9} k",
    "huge modulus": r"7^{10^{18}} \bmod (10^9+7)",
    "huge modulus of huge": r"(9^{9^9}) \bmod (9^{9^9}+1)",
    "sine of huge": r"\sin(10^{1000})",
    "exponential of huge": r"e^{e^{e^{e^e}}}",
    "logarithm of huge": r"\ln(9^{9^9})",
    "root of high degree": r"\sqrt[99999999]{2}",
    "root of huge": r"\sqrt{10^{100000}+1}",
    "product of huge": r"10^{9999} \cdot 10^{9999} \cdot 10^{9999} \cdot 10^{9999}",
    "deep brackets": "(" * 900 + "1" + ")" * 900,
    "deep braces": "1" + "{" * 900 + "1" + "}" * 900,
    "open brackets": "(" * 1900,
    "open braces": "{" * 1900,
    "deep fractions": r"\frac{1}{1+" * 150 + "1" + "}" * 150,
    "deep roots": r"\sqrt{" * 250 + "2" + "}" * 250,
    "deep bars": "|" * 1000 + "x" + "|" * 999,
    "deep sets": r"\{" * 900 + "1" + r"\}" * 900,
    "deep exponents": "x^{" * 600 + "2" + "}" * 600,
    "deep scripts": "a_{" * 600 + "1" + "}" * 600,
    "deep functions": r"\sin" * 400 + " x",
    "many signs": "-" * 1900 + "1",
    "plus-minus sums": "1" + r" \pm 1" * 200,
    "many primes": "f" + "'" * 1900,
    "many factorials": "3" + "!" * 1900,
    "many percents": "3" + "%" * 1900,
    "long number": "7" * 2000,
    "long decimal": "0." + "3" * 1990,
    "long repetition": r"0.\overline{" + "142857" * 300 + "}",
    "long list": ",".join("1" for _ in range(990)),
    "long list of formulas": ",".join(f"x+{index % 9}" for index in range(400)),
    "long set": r"\{" + ",".join(str(index) for index in range(400)) + r"\}",
    "long sum": "+".join("x" for _ in range(900)),
    "long product": "xy" * 900,
    "long power of a sum": "(x+y+z+w+v+u)^{3999}",
    "long union": r"\cup".join(f"[{index},{index + 1}]" for index in range(150)),
    "long matrix": r"\begin{pmatrix}" + r"\\".join("&".join("1" * 15) for _ in range(30)) + r"\end{pmatrix}",
    "product of matrices": (r"\begin{pmatrix}" + r"\\".join("&".join("x" * 9) for _ in range(9)) + r"\end{pmatrix}")
    * 8,
    "many symbols": "+".join("abcdefghjklmnopqrstuvwxyz"),
    "long words": "word " * 390,
    "one long word": "w" * 1990,
    "spaces": "1" + " " * 1900 + "2",
    "spaced digits": "1 " * 990,
    "thousands": "1" + ",000" * 490,
    "thousands with a flaw": "1" + ",000" * 490 + ",00",
    "spaced thousands with a flaw": "1" + " 000" * 490 + " 00",
    "explicit thousands": "1" + r"{,}000" * 280 + "x",
    "points": "1." * 990,
    "backslashes": "\\" * 1990,
    "dollars": "$" * 1990,
    "escaped dollars": r"\$" * 990,
    "money": r"\$1" * 600,
    "texts": r"\text{" * 330,
    "text and dollars": r"\text{a}$" * 220,
    "superscripts": "²" * 1990,
    "vulgar fractions": "½" * 1990,
    "minus and spaces": "- " * 990,
    "ordinals": "1st" * 600,
    "labels": "x=" * 990 + "1",
    "chain of equals": "=".join("1+x" for _ in range(400)),
    "chain of inequalities": "<".join("x" for _ in range(900)),
    "colons": ":".join("1" for _ in range(990)),
    "semicolons": ";".join("1,2" for _ in range(450)),
    "overlines": r"\overline" * 240,
    "combining marks": "a" + "\u0301" * 1900,
    "ligatures": "\ufdfa" * 1900,
    "direction marks": "\u202e" * 1900 + "5",
    "surrogates": "\ud800" * 1900,
    "zeros": "\0" * 1900,
}
REFERENCES = ["9", r"\frac{1}{3}", "x+1", r"\sqrt{2}", "1, 2, 3", "(0, 1]", r"\{1, 2\}", r"\text{no solution}", "x = 2"]

OUTSIDE_OF_BOXES = {
    "many boxes": r"\boxed{5}, " * 2000,
    "answers": "the answer is " * 1500,
    "final answers": "final answer is the final answer is: " * 600,
    "final answer, colons and stars": "final answer" + " *:" * 6000,
    "hashes": "####" * 5000,
    "dollars": "$" * 20_000,
    "double dollars": "$$ a " * 5000,
    "open displays": r"\[" * 9000,
    "open formulas": r"\( x " * 4000,
    "line breaks": "\n" * 20_000,
    "points": ". " * 10_000,
    "equals": "= " * 10_000,
    "is": "is " * 7000,
    "digits": "9" * 20_000,
    "digits and commas": "9," * 10_000,
    "letters": "a" * 20_000,
    "words": "ab " * 7000,
    "thoughts": "<think>" * 3000,
    "ends of thoughts": "</think>" * 3000,
    "spaces after a box": r"\boxed{5}" + " " * 15_000 + "x",
    "words between boxes": r"\boxed{5}" + " ab" * 20 + r"\boxed{6}",
    "a reasonably long box": r"\boxed{" + "1+" * 900 + "1}",
    "an unreasonably long box": r"\boxed{" + "1+" * 9000 + "1}",
}

WORKER = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from hero_rl.verifiers import MathVerifier
verifier = MathVerifier()
verifier.warm_up()
for name, reference, completion, boxed in json.load(open(sys.argv[1], encoding="utf-8")):
    start = time.process_time()
    if boxed:
        verdicts = [verifier.judge(reference, completion), verifier.judge(completion, reference)]
        verdicts.append(verifier.judge(completion, completion + "+1"))
    else:
        verdicts = [verifier.verify(reference, completion), verifier.verify(completion, reference)]
    took = time.process_time() - start
    print(json.dumps([name, reference, took, [verdict.value for verdict in verdicts]]), flush=True)
"""


def run_bounded(code, *arguments, folder=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        cwd=folder,
    )


def test_hostile_texts_take_little_time_and_memory(tmp_path):
    """In a process with 1 GiB of address space, and in seconds of the processor, which no other process takes."""
    work = [[name, reference, text, True] for name, text in HOSTILE.items() for reference in REFERENCES[:3]]
    work += [["references", reference, HOSTILE["power tower"], True] for reference in REFERENCES]
    work += [[name, "5", text, False] for name, text in OUTSIDE_OF_BOXES.items()]
    path = tmp_path / "work.json"
    path.write_text(json.dumps(work))
    done = run_bounded(WORKER, str(path))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.stderr[-2000:], work[len(rows)][:2])
    assert len(rows) == len(work)
    slow = [(name, reference, took) for name, reference, took, _ in rows if took > 2]
    assert not slow and sum(took for _, _, took, _ in rows) < 20


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_not_the_reference(name):
    verifier = MathVerifier()
    for reference in REFERENCES:
        assert verifier.judge(reference, HOSTILE[name]).value == 0.0, reference


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reference_is_its_own_answer_or_none(name):
    verdict = MathVerifier().judge(HOSTILE[name], HOSTILE[name])
    assert verdict.value == 1.0 or verdict.abstained


def test_towers_are_refused_and_not_worked_out():
    start = time.perf_counter()
    for answer in ("9^{9^{9^9}}", "2^{99999999}", "((((3!)!)!)!)!", r"\binom{10^9}{5 \cdot 10^8}", "(10^9)!"):
        assert MathVerifier().judge("6", answer).reason is Reason.TOO_LARGE, answer
        assert MathVerifier().judge("x", answer).value == 0.0, answer
    assert time.perf_counter() - start < 20


def test_a_long_equal_number_is_compared_by_its_text():
    assert MathVerifier().judge("7" * 2000, "7" * 2000).reason is Reason.MATCHED_EXACTLY
    assert MathVerifier().judge("7" * 5000, "7" * 5000).value == 1.0
    assert MathVerifier().judge("7" * 2000, "7" * 1999 + "8").reason is Reason.REFERENCE_UNREADABLE


# Nothing of a completion is run

CODE = [
    "__import__('os').system('touch PWNED')",
    "().__class__.__bases__[0].__subclasses__()",
    r"\text{exec}(1)",
    r"\text{__import__('os').system('touch PWNED')}",
    r"\operatorname{eval}(open('PWNED', 'w'))",
    "lambda: 1",
    "(lambda: open('PWNED', 'w'))()",
    "open('PWNED','w')",
    "open('PWNED','w').write('5')",
    "eval('5')",
    "exec('x = 5')",
    "f'{5}'",
    'f\'{open("PWNED", "w")}\'',
    "{open('PWNED', 'w')}",
    "{5}.__class__",
    "5 if open('PWNED', 'w') else 5",
    "5 and open('PWNED', 'w')",
    "[x for x in (5,)][0]",
    "int('5')",
    "str(5)",
    "print(5)",
    "5; import os; os.system('touch PWNED')",
    "5\nimport os\nos.system('touch PWNED')",
    "`touch PWNED`",
    "$(touch PWNED)",
    "5 | touch PWNED",
    "!touch PWNED",
    r"\input{PWNED}",
    r"\write18{touch PWNED}",
    r"\immediate\write18{touch PWNED}",
    r"\openout5=PWNED",
    r"\def\x{5}\x",
    r"\csname 5\endcsname",
    "sympy.Integer(5)",
    "Symbol('x').subs('x', open('PWNED', 'w'))",
    'S(\'open("PWNED", "w")\')',
    "N(5)",
    "mpmath.mpf(5)",
    r"\prec(5)",
    r"\mpf{5}",
    "cos.__globals__",
    "%s5",
    "%(5)d",
    "{0.__class__}",
    "{self.__init__.__globals__}",
    "${5} or {6}",
    "#{5}",
    "{{5}}()",
    "<?php 5 ?>",
    "<script>5</script>",
    "'; DROP TABLE answers; --5",
    "cos\nsystem\n(S'touch PWNED'\ntR.",
    "gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAV0b3VjaJSFlFKULg==",
    "!!python/object/apply:os.system ['touch PWNED']",
]


@pytest.mark.parametrize("code", CODE)
def test_code_is_no_answer(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for completion in (rf"\boxed{{{code}}}", code, f"The answer is {code}", f"The answer is ${code}$"):
        assert MathVerifier().judge("5", code).value == 0.0
        assert MathVerifier().verify("7", completion).value == 0.0
        assert MathVerifier().verify(code, r"\boxed{7}").value != 1.0  # as a reference it may be unreadable
    assert not list(tmp_path.iterdir())


AUDITED = """
import json, sys
from hero_rl.verifiers import MathVerifier
pairs = json.load(open(sys.argv[1], encoding="utf-8"))
warm = json.load(open(sys.argv[2], encoding="utf-8"))
verifier = MathVerifier()
verifier.warm_up()
for reference, completion in warm:
    verifier.verify(reference, completion)
modules = set(sys.modules)
FORBIDDEN = ("exec", "compile", "import", "open", "pickle.find_class", "marshal.loads", "code.__new__")
FORBIDDEN += ("function.__new__", "object.__getattr__", "object.__setattr__")
PREFIXES = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "tempfile.", "glob.", "urllib.", "pty.", "sys._")
seen, armed = [], True
def hook(event, arguments):
    if armed and (event in FORBIDDEN or event.startswith(PREFIXES)):
        seen.append((event, repr(arguments)[:200]))
sys.addaudithook(hook)
if len(sys.argv) > 3:
    exec("1")
    __import__("wave")
for reference, completion in pairs:
    verifier.verify(reference, completion)
    verifier.judge(reference, completion)
    verifier.judge_quickly(reference, completion)
armed = False
print(json.dumps([seen, sorted(set(sys.modules) - modules)]))
"""
WARM = [
    (r"\sin x", r"\boxed{\cos x}"),
    ("[1, 2)", r"\boxed{\{1\}}"),
    (r"\pi", r"\boxed{3.142}"),
    ("2x", r"\boxed{x^2}"),
]
MEANT_WELL = [
    ("5", r"\boxed{5}"),
    ("2x+1", r"\boxed{1+x+x}"),
    (r"\sin^2 x", r"\boxed{1-\cos^2 x}"),
    ("(0, 1]", r"\boxed{0 < x \le 1}"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\boxed{\begin{pmatrix}1&3\end{pmatrix}}"),
    (r"\sum_{k=1}^{n} k", r"\boxed{\frac{n(n+1)}{2}}"),
    ("5!", r"\boxed{120}"),
    (r"\text{no}", r"\boxed{\text{yes}}"),
]


def audited(tmp_path, *arguments):
    """What the interpreter reports of running code, importing and opening while completions are verified."""
    pairs = [("5", rf"\boxed{{{code}}}") for code in CODE] + [(code, r"\boxed{5}") for code in CODE]
    pairs += [("x+1", text) for text in (*HOSTILE.values(), *OUTSIDE_OF_BOXES.values())]
    paths = [tmp_path / "pairs.json", tmp_path / "warm.json"]
    for path, rows in zip(paths, (pairs + MEANT_WELL, WARM), strict=True):
        path.write_text(json.dumps(rows))
    folder = tmp_path / "work"
    folder.mkdir()
    done = run_bounded(AUDITED, *map(str, paths), *arguments, folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(folder.iterdir())
    return json.loads(done.stdout.splitlines()[-1])


def test_no_code_runs_and_nothing_is_imported_or_opened(tmp_path):
    events, modules = audited(tmp_path)
    assert events == []
    assert modules == []


def test_the_audit_does_see_code_that_runs(tmp_path):
    events, modules = audited(tmp_path, "run something")
    assert {"exec", "import", "open"} <= {event for event, _ in events}
    assert "wave" in modules


ROOM = Path(math.__file__).parent
BUILTINS = {"eval", "exec", "compile", "__import__", "open", "input", "globals", "locals", "vars", "breakpoint"}
LIBRARIES = {
    "sympy",
    "pickle",
    "marshal",
    "importlib",
    "subprocess",
    "os",
    "ctypes",
    "shelve",
    "yaml",
    "numexpr",
    "code",
}
# Attributes by a name that is no literal: parts of our own nodes, and functions of a closed table.
DYNAMIC = {("formulas.py", "getattr(self, name)"), ("formulas.py", "getattr(node, name)")}
DYNAMIC |= {("evaluation.py", "getattr(_mp(), name)")}


def sources():
    paths = sorted(ROOM.rglob("*.py"))
    assert len(paths) > 5
    return [(path.name, ast.parse(path.read_text())) for path in paths]


def test_the_source_runs_no_text():
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                assert node.id not in BUILTINS, (name, node.lineno)
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("__") or node.attr == "__name__", (name, node.lineno)
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {module.split(".")[0] for module in imported} & LIBRARIES, (name, imported)


def test_attributes_by_name_come_from_closed_tables():
    found = set()
    for name, tree in sources():
        for node in ast.walk(tree):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            assert called not in {"setattr", "delattr"}, (name, node.lineno)
            if called == "getattr" and not isinstance(node.args[1], ast.Constant):
                found.add((name, ast.unparse(node)))
    assert found <= DYNAMIC
    assert set(evaluation._MPMATH) <= FUNCTIONS
    assert not any(name.startswith("_") for name in evaluation._MPMATH.values())


def test_extraction_takes_linear_time():
    start = time.perf_counter()
    for completion in (
        "answer" + " " * 19_000 + "x",
        r"\boxed{1} final answer" + " " * 9_000 + "x",
        r"\boxed{" * 3_000,
        r"\[" * 9_000,
        r"\( x " * 4_000,
        "the answer is " * 2_000,
        "$ x " * 5_000,
        "not believe " * 2_000 + r"\boxed{1}",
        "<think>" + "a " * 200_000 + r"\boxed{7}",
    ):
        MathVerifier().extract(completion)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(("gold", "response"), [(7, "7"), ("7", None), (["7"], "7")])
def test_what_is_no_text_is_a_mistake_of_the_caller(gold, response):
    with pytest.raises(TypeError, match="must be str"):
        verify_math(gold, response)
