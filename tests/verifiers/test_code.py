"""Code against its tests: in real processes, with programs that would rather not be judged."""

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hero_rl.errors import ConfigError
from hero_rl.verifiers import AnyVerifier, CodeVerifier, LocalSandbox, Reason, RemoteSandbox, Request, in_processes
from hero_rl.verifiers.base import BatchVerifier, Verifier, takes_requests
from hero_rl.verifiers.code import local
from hero_rl.verifiers.code.cases import CodeCase, NoTests, OutputCase, ValueCase, cases_of
from hero_rl.verifiers.code.comparing import decoded, same_output, same_value
from hero_rl.verifiers.code.extraction import find_code
from hero_rl.verifiers.code.harness import encoded
from hero_rl.verifiers.code.sandbox import Job, SandboxError
from hero_rl.verifiers.processes.running import Processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

SQUARES = {"inputs": ["2\n", "5\n", "0\n"], "outputs": ["4\n", "25\n", "0\n"]}


@pytest.fixture(scope="module")
def sandbox():
    """One with the walls that this machine has: a container may forbid namespaces."""
    sandbox = LocalSandbox(seconds=2, wall_seconds=15, memory_mb=256, workers=2)
    try:
        sandbox.check()
    except ConfigError:
        sandbox = sandbox.model_copy(update={"walls": ("network", "processes")})
        sandbox.check()
    return sandbox


@pytest.fixture(scope="module")
def verifier(sandbox):
    return CodeVerifier(sandbox=sandbox)


def fenced(code, language="python"):
    return f"Here it is:\n```{language}\n{code}\n```\nDone."


def judged(verifier, reference, code):
    return verifier.verify(Request(reference, fenced(code)))


# Where the code is


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\na\n```", "a\n"),
        ("```\na\n```", "a\n"),
        ("```py\na\n```\nor\n```Python3\nb\n```", "b\n"),
        ("```python\na\n```\n```sh\nls\n```", "a\n"),
        ("```python\na\n```\n```\n\n```", "a\n"),
        ("text\n~~~python\na\n```\nb\n~~~", "a\n```\nb\n"),
        ("````python\na\n```\nb\n````", "a\n```\nb\n"),
        ("```python\na\n", "a\n"),
        ("```python\na\n```\n```python", "a\n"),
        ("```python title=x\na\n```", "a\n"),
        ("print(1)", None),
        ("`print(1)`", None),
        ("```cpp\nint a;\n```", None),
        ("", None),
    ],
)
def test_the_last_block_of_python_is_the_code(text, code):
    assert find_code(text) == code


def test_no_code_no_process(verifier):
    for completion in ("", "42", "<think>```python\nprint(1)\n```"):
        assert verifier.verify(Request(SQUARES, completion)).reason is Reason.NO_ANSWER
    long = fenced("#" * 70_000)
    assert verifier.verify(Request(SQUARES, long)).reason is Reason.ANSWER_TOO_LONG


# How sets of problems write tests

ADD = "def add(a, b):\n    return a + b"
HUMAN_EVAL = """
METADATA = {"author": "x"}

def check(candidate):
    \"\"\"Tests.\"\"\"
    assert True, "fine"
    assert candidate(1, 2) == 3, "one"
    assert 7 == candidate(3, 4)
    assert sorted(candidate([2], [1])) == [1, 2]
"""
LOOP = "def check(candidate):\n    for n in range(5):\n        assert candidate(n, n) == 2 * n\n"
SOLUTION = "class Solution:\n    def add(self, a: List[int], b: List[int]) -> List[int]:\n        return (*a, *b)"
LIVE = [{"input": "[1]\n[2]", "output": "[1, 2]", "testtype": "functional"}]


@pytest.mark.parametrize(
    ("reference", "columns", "right", "wrong"),
    [
        (SQUARES, {}, "print(int(input()) ** 2)", "print(2 * int(input()))"),
        (json.dumps(SQUARES), {}, "if __name__ == '__main__':\n    print(int(input()) ** 2)", "print(4)"),
        ({"input_output": json.dumps(SQUARES)}, {}, "import sys\nprint(int(sys.stdin.read()) ** 2, end='')", "x"),
        ({"inputs": [[1, 2], [3, 4]], "outputs": [[3], 7], "fn_name": "add"}, {}, ADD, ADD.replace("+", "-")),
        ([{"input": "3", "output": "9"}], {}, "print(9.0)", "print('9 9')"),
        (LIVE, {"metadata": '{"func_name": "add"}'}, SOLUTION, SOLUTION.replace("*a", "*b")),
        ({"public_test_cases": json.dumps(LIVE), "metadata": {"func_name": "add"}}, {}, SOLUTION, ADD + "[:0]"),
        ({"test": HUMAN_EVAL, "entry_point": "add"}, {}, ADD, ADD.replace("+", "*")),
        (HUMAN_EVAL, {"entry_point": "add"}, ADD, "def add(a, b):\n    return 3"),
        ({"test": LOOP, "entry_point": "add"}, {}, ADD, "def add(a, b):\n    return 0"),
        ({"test_list": ["assert add((1,), (2,)) == (1, 2)"]}, {}, ADD, "def add(a, b):\n    return [1, 2]"),
        ({"test_list": ["assert set(add([1], [1])) == set([1])"], "test_imports": ["import math"]}, {}, ADD, "add = 1"),
        (["assert add(1, 1) == 2", "assert not add(0, 0)"], {}, ADD, "def add(a, b):\n    return 2"),
        ("assert abs(add(0.1, 0.2) - 0.3) < 1e-6", {}, ADD, "def add(a, b):\n    return 0"),
        (
            {"prompt": "from math import pi\n\ndef twice(x):\n    ...\n\n", "test": LOOP, "entry_point": "add"},
            {},
            "def add(a, b):\n    return round(a + b + pi - pi)",
            "def add(a, b):\n    return pi",
        ),
    ],
)
def test_formats(verifier, reference, columns, right, wrong):
    for code, value in ((right, 1.0), (wrong, 0.0)):
        verdict = verifier.verify(Request(reference, fenced(code), columns=columns))
        assert (verdict.value, verdict.reason) == (value, Reason.PASSED_TESTS if value else Reason.FAILED_TESTS)
        assert verdict.answer == code + "\n"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "def f(:",
        "x = 1",
        {},
        [],
        7,
        None,
        {"inputs": ["1"], "outputs": []},
        {"inputs": [], "outputs": []},
        {"inputs": ["[1"], "outputs": [1], "fn_name": "f"},
        {"inputs": [[1]], "outputs": [1], "fn_name": "f(); import os; f"},
        {"inputs": ["NaN"], "outputs": [1], "fn_name": "f"},
        {"public_test_cases": "[]", "private_test_cases": "eJxrYJnqwcgABrVT"},
        [{"input": "1", "output": "1", "testtype": "functional"}],
        [{"input": "1"}],
        ["assert f(1) == 1", 2],
        {"test": "pass", "entry_point": "f"},
    ],
)
def test_a_reference_without_tests_is_no_verdict(verifier, reference):
    with pytest.raises(NoTests):
        cases_of(Request(reference, ""))
    assert verifier.verify(Request(reference, fenced("print(1)"))).reason is Reason.REFERENCE_UNREADABLE


def test_what_an_assert_expects_is_kept_apart_where_it_can_be():
    def kinds(code, **columns):
        return [type(case) for case in cases_of(Request(code, "", columns=columns))]

    assert kinds("assert f(1) == [2]\nassert f(2) is None") == [ValueCase, ValueCase]
    assert [each.expected for each in cases_of(Request(HUMAN_EVAL, "", columns={"entry_point": "add"}))] == [
        3,
        7,
        [1, 2],
    ]
    for code in ("assert f(1) == g(2)", "assert f(1) < 2", "x = 1\nassert f(x) == 1", "assert isinstance(f(1), int)"):
        assert kinds(code) == [CodeCase]
    assert kinds("def check(candidate):\n    x = 3\n    assert candidate(x) == 3", entry_point="f") == [CodeCase]
    assert kinds(json.dumps(SQUARES)) == [OutputCase] * 3
    whole = cases_of(Request(HUMAN_EVAL, "", columns={"entry_point": "add"}))
    assert not any("7" in case.expression + case.setup for case in whole)


# Partial credit, and how many tests


def test_the_share_of_the_tests_passed(sandbox):
    partial = CodeVerifier(sandbox=sandbox, partial=True)
    verdict = judged(partial, SQUARES, "print(2 * int(input()))")
    assert (verdict.value, verdict.reason) == (2 / 3, "2 of 3 tests")
    assert judged(partial, SQUARES, "print(int(input()) ** 2)").value == 1
    verdict = judged(partial, SQUARES, "print('x')")
    assert (verdict.value, verdict.reason) == (0, Reason.FAILED_TESTS)


def test_what_is_too_slow_thrice_is_not_waited_for_again(sandbox):
    partial = CodeVerifier(sandbox=sandbox.model_copy(update={"seconds": 1}), partial=True)
    many = {"inputs": [f"{n}\n" for n in range(8)], "outputs": ["x\n"] * 8}
    code = "n = int(input())\nwhile n in (1, 2, 3):\n    pass\nprint('x')"
    assert judged(partial, many, code).value == 1 / 8


def test_some_of_many_tests_are_run(sandbox):
    many = {"inputs": [f"{n}\n" for n in range(100)], "outputs": [f"{n}\n" for n in range(100)]}
    some = CodeVerifier(sandbox=sandbox, most_tests=3, partial=True)
    assert judged(some, many, "n = int(input())\nprint(n if n in (0, 49, 99) else -1)").value == 1
    assert judged(some, many, "n = int(input())\nprint(n if n == 49 else -1)").value == 1 / 3


# What is the same

atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=9)
keys = atoms | st.tuples(atoms, atoms)
values = st.recursive(
    atoms | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner) | st.sets(keys),
    max_leaves=20,
)


@given(values)
def test_a_value_comes_back_from_the_sandbox_as_it_was(value):
    said = json.dumps(encoded(value))
    again = decoded(json.loads(said))
    assert again == value
    assert type(again) is type(value)
    assert same_value(said, value)


@pytest.mark.parametrize(
    ("value", "expected", "settings", "same"),
    [
        ((1, 2), [1, 2], {}, False),
        ((1, (2,)), [1, [2]], {"json_only": True}, True),
        (5, [5], {}, False),
        (5, [5], {"wrapped": True}, True),
        ([5], [[5]], {"wrapped": True}, True),
        (1.0, 1, {}, True),
        (True, 1, {}, True),
        ("1", 1, {}, False),
        (float("inf"), float("inf"), {}, True),
        (float("nan"), float("nan"), {}, False),
        (frozenset([1]), {1}, {}, True),
        ({1: "a"}, {1: "a"}, {}, True),
    ],
)
def test_values(value, expected, settings, same):
    assert same_value(json.dumps(encoded(value)), expected, **settings) is same


@pytest.mark.parametrize(
    "said",
    ["", "[]", "[1]", '{"x": 1}', '{"list": 1}', '{"bytes": "zz"}', '{"a": 1, "b": 2}', "[" * 100_000, "9" * 9999],
)
def test_what_no_harness_says_is_not_the_same(said):
    assert not same_value(said, 1)


def test_an_expected_value_that_has_no_form_is_never_the_same():
    assert not same_value("1", ...)


def test_a_value_that_is_far_longer_is_not_looked_at():
    colliding = json.dumps({"set": [n * (2**61 - 1) for n in range(50_000)]})
    start = time.process_time()
    assert not same_value(colliding, {1})
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("written", "expected", "same"),
    [
        ("1 2\n3\n", "1 2\n3", True),
        ("1  2 \n3\n\n\n", "1 2\n3\n", True),
        ("1 2 3", "1 2\n3", False),
        ("1.0", "1", True),
        ("1e3", "1000", True),
        ("nan", "NaN", False),
        ("YES", "yes", False),
        ("\n1", "1", False),
        ("", "", True),
        ("1" * 101, "1" * 101 + ".0", False),
        ("x" * 10_000, "x", False),
        ("101", "00101", False),
        ("00101", "00101", True),
        ("0", "0", True),
        ("0.50", "0.5", True),
        ("4_2", "42", False),
        ("\uff14\uff12", "42", False),
    ],
)
def test_outputs(written, expected, same):
    assert same_output(written, expected) is same


# Programs that would rather not be judged

FORK_BOMB = "import os\nwhile True:\n    os.fork()"
BOUNDED = {Reason.FAILED_TESTS, Reason.TOO_LARGE, Reason.TOO_SLOW}  # by whichever limit comes first
HOSTILE = {
    "fork bomb": (FORK_BOMB, Reason.FAILED_TESTS),
    "a process more": ("import subprocess\nprint(subprocess.run(['true']))", Reason.FAILED_TESTS),
    "memory bomb": ("x = bytearray(10**11)", Reason.FAILED_TESTS),
    "slow memory bomb": ("x = []\nwhile True:\n    x.append(bytearray(10**6))", BOUNDED),
    "endless output": ("while True:\n    print('4' * 1000)", Reason.TOO_LARGE),
    "endless errors": ("import sys\nwhile True:\n    sys.stderr.write('4' * 1000)", Reason.TOO_SLOW),
    "endless work": ("while True:\n    pass", Reason.TOO_SLOW),
    "work that ignores the limit": (
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass",
        BOUNDED,
    ),
    "large file": ("open('x', 'wb').write(bytes(10**8))", Reason.FAILED_TESTS),
    "many files": ("kept = [open(f'x{n}', 'w') for n in range(10**5)]", Reason.FAILED_TESTS),
    "exit": ("import os\nos._exit(0)", Reason.FAILED_TESTS),
    "closed stdout": ("import os\nos.close(1)", Reason.FAILED_TESTS),
    "killing itself": ("import os\nos.kill(os.getpid(), 9)", Reason.FAILED_TESTS),
    "abort": ("import os\nos.abort()", Reason.FAILED_TESTS),
    "killing its parent": ("import os\nos.kill(os.getppid(), 9)", Reason.FAILED_TESTS),
    "killing all": ("import os\nos.kill(-1, 9)", Reason.FAILED_TESTS),
    "network": ("import socket\nsocket.create_connection(('127.0.0.1', 80))", Reason.FAILED_TESTS),
    "deep recursion": ("import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()", BOUNDED),
    "the parent's memory": ("import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')", Reason.FAILED_TESTS),
    "no Python": ("'''", Reason.FAILED_TESTS),
    "surrogates": ("import sys\nsys.stdout.buffer.write(b'\\xff\\xfe')", Reason.FAILED_TESTS),
    "sleep": ("import time\ntime.sleep(1000)", Reason.TOO_SLOW),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs(sandbox, name):
    code, reason = HOSTILE[name]
    limited = CodeVerifier(sandbox=sandbox.model_copy(update={"wall_seconds": 4.0, "seconds": 1}))
    start = time.monotonic()
    verdict = judged(limited, SQUARES, code)
    assert verdict.value == 0
    assert verdict.reason in (reason if isinstance(reason, set) else {reason})
    assert time.monotonic() - start < 60
    assert judged(limited, SQUARES, "print(int(input()) ** 2)").value == 1  # the next one is as safe as before


VICTIM = """
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
files = (ctypes.c_ulong * 2)(3, 3)
one = ctypes.byref(ctypes.c_ulong(1))
print(
    [
        libc.prlimit(PID, resource.RLIMIT_NOFILE, files, None),
        libc.prlimit(ctypes.c_ulong(PID + (1 << 32)), resource.RLIMIT_NOFILE, files, None),
        libc.sched_setaffinity(PID, 8, one),
        libc.sched_setscheduler(PID, 3, ctypes.byref(ctypes.c_int(0))),
        libc.sched_setparam(PID, ctypes.byref(ctypes.c_int(0))),
        libc.setpriority(0, PID, 19),
    ]
)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 64))
os.sched_setaffinity(0, os.sched_getaffinity(0))
print(resource.getrlimit(resource.RLIMIT_NOFILE), ctypes.get_errno())
"""


def test_the_limits_and_the_priority_of_others_stay(sandbox):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        ran = sandbox.run(Job(VICTIM.replace("PID", str(other.pid))))
        assert ran.stdout == f"{[-1] * 6}\n(32, 64) 1\n"
        assert resource.prlimit(other.pid, resource.RLIMIT_NOFILE) == resource.getrlimit(resource.RLIMIT_NOFILE)
        assert os.sched_getaffinity(other.pid) == os.sched_getaffinity(0)
        assert os.getpriority(os.PRIO_PROCESS, other.pid) == os.getpriority(os.PRIO_PROCESS, 0)
        other.communicate(b"\n", timeout=60)


def test_no_program_outlives_its_parent(sandbox):
    code = """
import ctypes
libc, signal = ctypes.CDLL(None), ctypes.c_int()
print(libc.prctl(1, 0, 0, 0, 0), libc.prctl(2, ctypes.byref(signal), 0, 0, 0), signal.value)
"""
    assert sandbox.run(Job(code)).stdout == "-1 0 9\n"


def test_threads_are_limited(sandbox):
    if "files" not in sandbox.walls or os.getuid() == 0:
        pytest.skip("no namespaces here, or root, whose threads the kernel does not limit")
    code = """
import threading
threading.stack_size(65536)
end = threading.Event()
for n in range(COUNT):
    threading.Thread(target=end.wait, daemon=True).start()
print("all")
end.set()
"""
    large = sandbox.model_copy(update={"memory_mb": 4096})
    assert large.run(Job(code.replace("COUNT", "32"))).stdout == "all\n"
    assert large.run(Job(code.replace("COUNT", "150"))).how == "failed"


@pytest.mark.parametrize("uid", [0, 1000])
def test_root_is_told_once_that_threads_are_not_limited(sandbox, monkeypatch, caplog, uid):
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    local.warn_of_root.cache_clear()
    for _ in range(2):
        sandbox.run(Job("print(1)"))
    assert [record.getMessage()[:30] for record in caplog.records] == ["root runs programs: the kernel"] * (uid == 0)
    local.warn_of_root.cache_clear()


def test_a_user_who_may_start_no_more_processes_waits(sandbox, monkeypatch):
    start, failures = subprocess.Popen, [BlockingIOError(11, "Resource temporarily unavailable")] * 3

    def busy(*args, **kwargs):
        if failures:
            raise failures.pop()
        return start(*args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", busy)
    assert sandbox.run(Job("print(1)")).stdout == "1\n"
    failures += [BlockingIOError(11, "Resource temporarily unavailable")] * 10**4
    with pytest.raises(SandboxError):
        sandbox.model_copy(update={"wall_seconds": 0.2}).run(Job("print(1)"))


def test_a_folder_that_is_hard_to_remove_is_removed(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    open_sandbox = sandbox.model_copy(update={"walls": ("network", "processes")})
    deep = "import os\nfor n in range(3000):\n    os.mkdir('x')\n    os.chdir('x')"
    for code in (deep, "import os\nos.makedirs('a/b/c')\nos.chmod('a/b', 0)\nos.chmod('a', 0)"):
        assert open_sandbox.run(Job(code)).how == "finished"
        assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_running_or_lying_about(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    codes = ["import time\ntime.sleep(1000)", FORK_BOMB, "import os\nos.makedirs('a/b/c')\nos.chmod('a', 0)"]
    for code in codes:
        sandbox.model_copy(update={"wall_seconds": 1.0}).run(Job(code))
    assert list(tmp_path.iterdir()) == []
    mine = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "jail.py"], capture_output=True, text=True)
    assert mine.stdout == ""


def test_files_outside_are_neither_read_nor_written(sandbox, tmp_path):
    if "files" not in sandbox.walls:
        pytest.skip("no namespaces here")
    secret = tmp_path / "tests.json"
    secret.write_text("4")
    home = os.path.expanduser("~")
    for code in (
        f"print(open({str(secret)!r}).read())",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"import os\nos.remove({str(secret)!r})",
        f"import os\nprint(os.listdir({home!r}))" if not sys.base_prefix.startswith(home) else "open('/etc/passwd')",
        "open('/proc/self/status')",
        f"open({os.__file__!r}, 'a')",
        f"import os\nos.chroot('/')\nos.listdir({str(tmp_path)!r})",
    ):
        assert sandbox.run(Job(code)).how == "failed", code
    assert secret.read_text() == "4"
    assert [path.name for path in tmp_path.iterdir()] == ["tests.json"]
    ran = sandbox.run(Job("open('x', 'w').write('fine')\nprint(open('x').read())"))
    assert (ran.how, ran.stdout) == ("finished", "fine\n")


def test_a_program_has_no_environment_and_the_standard_library(sandbox, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "s3cret")
    ran = sandbox.run(Job("import os, sys\nprint(sorted(os.environ), sys.argv, os.listdir('.'))"))
    assert ran.stdout == "['LC_CTYPE'] ['program.py'] []\n"
    modules = "json, re, math, heapq, bisect, collections, itertools, functools, decimal, fractions, hashlib, typing"
    assert sandbox.run(Job(f"import {modules}, dataclasses, statistics, zlib, threading, asyncio")).how == "finished"
    assert sandbox.run(Job("import pydantic")).how == "failed"


def test_threads_and_deep_recursion_as_contestants_use_them(sandbox):
    code = """
import sys, threading
sys.setrecursionlimit(10**6)
threading.stack_size(64 * 2**20)
def depth(n): return n and 1 + depth(n - 1)
thread = threading.Thread(target=lambda: print(depth(20_000)))
thread.start()
thread.join()
"""
    assert sandbox.run(Job(code)).stdout == "20000\n"


# Faking it

VALUES = {"test_list": ["assert secret(3) == 918273645"]}
FAKES = [
    "import sys\nprint(open(sys.argv[0]).read())",
    "class Same(int):\n    def __eq__(self, other): return True\ndef secret(n): return Same(0)",
    "class Same:\n    def __eq__(self, other): return True\ndef secret(n): return Same()",
    # All that it finds in its process, written in the place of its value.
    "import gc, json, sys, re\n"
    "def secret(n):\n"
    "    frame, seen = sys._getframe(), []\n"
    "    while frame:\n"
    "        seen.append(repr(frame.f_locals) + repr(frame.f_globals))\n"
    "        frame = frame.f_back\n"
    "    marker = sys._getframe(2).f_locals['marker']\n"
    "    digits = re.findall('9[0-9]{8}', ''.join(seen) + repr([o for o in gc.get_objects() if isinstance(o, str)]))\n"
    "    for each in digits:\n"
    "        print(marker + each)\n"
    "    return int(digits[0]) if digits else 0",
    "import builtins, json, sys\njson.dumps = lambda *_: '918'\ndef secret(n): return 0",
    "import os\ndef secret(n): os._exit(0)",
]


@pytest.mark.parametrize("code", FAKES)
def test_a_value_that_is_not_known_cannot_be_faked(verifier, code):
    assert judged(verifier, VALUES, code).value == 0


EQUAL_TO_ALL = "class Same:\n    __eq__ = __gt__ = lambda *_: True\n    __hash__ = None\ndef f(n): return Same()"


@pytest.mark.parametrize(
    ("tests", "entry"),
    [
        ("import math\nassert f(3) == [1, 2]", ""),
        ("def check(candidate):\n    import math\n    assert candidate(3) == [1, 2]", "f"),
        ("from math import *\ndef check(candidate):\n    assert candidate(3) == [1, 2]", "f"),
        ("assert (f(3) == [1, 2]) == True", ""),
        ("assert True is (f(3) == [1, 2])", ""),
    ],
)
def test_what_equals_everything_gains_nothing(verifier, tests, entry):
    for code, value in ((EQUAL_TO_ALL, 0), ("def f(n): return [1, 2]", 1)):
        assert verifier.verify(Request(tests, fenced(code), columns={"entry_point": entry})).value == value


PLEASES = """
class Pleases:
    def __init__(self, *_): pass
    def _true(self, *_): return True
    def _other(self, other=0, *_): return other
    def _zero(self, *_): return 0
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _true
    __add__ = __radd__ = __mul__ = __rmul__ = __pow__ = _other
    __sub__ = __rsub__ = __neg__ = __abs__ = __mod__ = __index__ = __round__ = __len__ = _zero
    __getitem__ = lambda self, at: self
    __hash__ = None
    __class__ = property(lambda self: int)
class PleasesAsNumber(int):
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda *_: True
    __sub__ = __rsub__ = __abs__ = lambda *_: 0
    __hash__ = int.__hash__
class Solution:
    def f(self, n): return KIND(7)
def f(n): return KIND(7)
"""
MEETS = [
    "assert max(f(1), 5) == 5",
    "assert max([f(1), 5]) == 5",
    "assert sorted([f(1), 5])[1] == 5",
    "assert f(1) * 5 == 5",
    "assert f(1) - 1 == 0",
    "assert round(abs(f(1) - 1), 3) == 0",
    "assert abs(f(1) - 1) < 1e-6",
    "assert abs(1 - f(1)) < 1e-6",
    "assert f(1) > 0 and f(1) < 5",
    "assert f(1) in [1, 2]",
    "assert f(1) == 1 or f(1) == 2",
    "for n in range(1, 3):\n    assert f(n) == 1",
    "def check(candidate):\n    for n in (1, 1):\n        assert candidate(n) == 1, 'no'",
    "assert Solution().f(1) < 5",
    "assert 5 in [f(1), 5][:1]",
    "assert all([f(1) == 1])",
]


@pytest.mark.parametrize("tests", MEETS)
def test_no_object_of_the_candidates_is_compared_or_reckoned_with(verifier, tests):
    request = Request(tests, "", columns={"entry_point": "f" if "check" in tests else ""})
    honest = "def f(n): return 5 if FIVE else 1\nclass Solution:\n    def f(self, n): return f(n)"
    honest = honest.replace("FIVE", str("[f(1), 5]" in tests))
    assert verifier.verify(request._replace(completion=fenced(honest))).value == 1
    for kind in ("Pleases", "PleasesAsNumber"):
        trick = PLEASES.replace("KIND", kind)
        assert verifier.verify(request._replace(completion=fenced(trick))).value == 0


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        ("assert max(f(1), 5) == 5", "def max(*_): return 5\ndef f(n): return 7"),
        ("assert abs(f(1) - 1) < 0.1", "def abs(_): return 0\ndef f(n): return 7"),
        ("assert max(f(1), 5) == 5", "import builtins\nbuiltins.max = lambda *_: 5\ndef f(n): return 7"),
    ],
)
def test_a_builtin_of_the_tests_is_pythons(verifier, tests, code):
    assert judged(verifier, tests, code).value == 0
    assert judged(verifier, tests, "def f(n): return 1").value == 1


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        ("assert sum(10, 15) == 6", "def sum(a, b): return 6"),
        ("assert list(f(3)) == [0, 1, 2]", "def f(n): yield from range(n)"),
        ("assert sum(f(3), 4) == 7", "def f(n): return (i for i in range(n))"),
        ("assert max(f(3), default=1) == 2", "def f(n): return range(n)"),
        ("assert float(f(1) + 1) == 1.5", "from fractions import Fraction\ndef f(n): return Fraction(1, 2)"),
        ("assert f(1) < f(2)", "from decimal import Decimal as f"),
        ("assert abs(f(2) - 1.41) < 0.01", "def f(n): return n ** 0.5"),
        (
            "assert f('aab').most_common(1)[0] == ('a', 2)",
            "from collections import Counter\ndef f(t): return Counter(t)",
        ),
        ("assert isinstance(f(1), P) and f(1).x == 1", "class P: x = 1\ndef f(n): return P()"),
        ("assert f(1).x + 1 == 2", "class P: x = 1\ndef f(n): return P()"),
        ("assert f(1) != None", "class P: x = 1\ndef f(n): return P()"),
        ("assert f(1) is not None", "class P: x = 1\ndef f(n): return P()"),
        ("assert str(P(1) + 1) == '2'", "class P(int):\n    def __add__(self, other): return int(self) + other"),
        ("assert P(1) == P(1)", "class P:\n    def __init__(self, n): pass\n    def __eq__(self, other): return True"),
        ("assert f(1) == P(1)", "import typing\nclass P(typing.NamedTuple):\n    n: int\ndef f(n): return P(n)"),
        ("assert [f(1), f(2)] == [(1,), [2]]", "def f(n): return (1,) if n == 1 else [2]"),
        ("assert f(1)['a'] > 3", "from collections import defaultdict\ndef f(n): return defaultdict(int, a=4)"),
    ],
)
def test_right_values_of_many_kinds_pass(verifier, tests, code):
    assert judged(verifier, tests, code).value == 1


@pytest.mark.parametrize(
    "tests",
    [
        "assert (f(1) > 3) is True",
        "assert all([f(1) == 5]) == True",
        "assert [5].count(f(1)) == 1",
        "assert g(f(1) == 5)",
        "assert f(1) == 5\nx = 2\nassert f(x) == 5",
        "from math import *\nassert f(1) == 5",
        "from candidate import f\nassert f(1) == 5",
    ],
)
def test_what_compares_beside_the_candidate_is_not_said_to_be_apart(tests):
    assert [type(case) for case in cases_of(Request(tests, ""))] == [CodeCase]


@pytest.mark.parametrize(
    "tests", ["assert isclose(f(1), 5)", "assert isclose(f(1), 5) == True", "assert abs(f(1) - floor(5.5)) < 1"]
)
def test_a_name_that_the_tests_import_is_theirs(verifier, tests):
    reference = {"test_list": [tests], "test_imports": ["from math import isclose, floor"]}
    trick = "def isclose(*_): return True\ndef floor(x): return 1\ndef f(n): return 1"
    assert judged(verifier, reference, trick).value == 0
    assert judged(verifier, reference, "def f(n): return isclose(1, 1) and 5").value == 1


def test_what_the_candidate_has_to_define_stays_its_own(verifier):
    for imported in ("from math import gcd", "from math import *"):
        reference = {"test_list": ["assert gcd(12, 8) == 4"], "test_imports": [imported]}
        assert judged(verifier, reference, "def gcd(a, b): return 4").value == 1
        assert judged(verifier, reference, "def gcd(a, b): return 5").value == 0
    own = {"prompt": "from datetime import datetime\n", "test": LOOP, "entry_point": "add"}
    uses_its_own = "import datetime\ndef add(a, b): return datetime.datetime(1, 1, 1).year * (a + b)"
    assert judged(verifier, own, uses_its_own).value == 1
    humaneval = {"prompt": "from math import gcd\n", "test": "def check(candidate):\n    assert candidate(12, 8) == 4"}
    assert judged(verifier, {**humaneval, "entry_point": "gcd"}, "def gcd(a, b): return 5").value == 0
    tests = "from candidate import f\nassert f(1) == 5"
    assert judged(verifier, tests, "def f(n): return 5").value == 1
    assert judged(verifier, tests, "def f(n): return 6").value == 0


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)",
        "exit(0)",
        "raise SystemExit",
        "print('all tests passed')",
        "import sys\nsys.stdout.write('\\n' * 9)\ndef secret(n): exit()",
        "import atexit, os\natexit.register(os._exit, 0)\ndef secret(n): raise ValueError",
    ],
)
def test_test_code_is_not_passed_by_leaving_early(verifier, code):
    assert judged(verifier, "assert abs(secret(3) - 918) < 0.5", code).value == 0


# When the sandbox fails


def test_a_sandbox_that_does_not_start_is_no_verdict(verifier, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    verdicts = verifier.model_copy().verify_batch([Request(SQUARES, fenced("print(1)"))] * 3)
    assert {verdict.reason for verdict in verdicts} == {Reason.SANDBOX_FAILED}
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert judged(verifier.model_copy(), SQUARES, "print(1)").reason is Reason.SANDBOX_FAILED


@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("setpriv")), reason="needs util-linux")
def test_a_wall_that_does_not_stand_is_an_error_that_names_it(sandbox):
    program = """
from hero_rl.errors import ConfigError
from hero_rl.verifiers import LocalSandbox
from hero_rl.verifiers.code.sandbox import Job
try:
    LocalSandbox().run(Job("print(1)"))
except ConfigError as error:
    print(error)
few = LocalSandbox(walls=("processes", "network"))
print(few.run(Job("print(2)")).stdout, few.run(Job("import os\\nos.fork()")).how)
print(few.run(Job("import socket\\nsocket.socket()")).how)
"""
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --bounding-set=-all "
    command = ["unshare", "-Ur", "sh", "-c", forbid + '"$0" -c "$1"', sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no namespaces here")
    assert "does not let files stand here" in done.stdout, done.stderr
    assert done.stdout.endswith("2\n failed\nfailed\n")


# A sandbox server


class Fusion(ThreadingHTTPServer):
    """Speaks SandboxFusion's `POST /run_code`, and runs programs in a local sandbox."""

    daemon_threads = True

    def __init__(self, sandbox):
        super().__init__(("127.0.0.1", 0), FusionHandler)
        self.sandbox = sandbox
        self.asked = []
        self.trouble = lambda body: None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class FusionHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/run_code"
        assert body["language"] == "python"
        self.server.asked.append(body)
        status, reply = self.server.trouble(body) or (200, self.run(body))
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def run(self, body):
        limits = {"wall_seconds": body["run_timeout"], "memory_mb": body["memory_limit_MB"]}
        ran = self.server.sandbox.model_copy(update=limits).run(Job(body["code"], body["stdin"]))
        slow = ran.how == "too_slow"
        result = {
            "status": "TimeLimitExceeded" if slow else "Finished",
            "execution_time": 0.1,
            "return_code": None if slow else int(ran.how != "finished"),
            "stdout": ran.stdout,
            "stderr": "",
        }
        good = result["return_code"] == 0
        return {"status": "Success" if good else "Failed", "message": "", "compile_result": None, "run_result": result}


@pytest.fixture
def fusion(sandbox, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with Fusion(sandbox) as server:
        yield server


@pytest.fixture
def remote(fusion):
    verifier = CodeVerifier(sandbox=RemoteSandbox(url=fusion.url, run_seconds=5, seconds=30, memory_mb=256, retries=0))
    yield verifier
    verifier.close()


def test_a_sandbox_server_runs_the_same_tests(remote, fusion):
    assert judged(remote, SQUARES, "print(int(input()) ** 2)").value == 1
    assert [body["stdin"] for body in fusion.asked] == SQUARES["inputs"]
    assert not any("25" in body["code"] for body in fusion.asked)
    assert judged(remote, SQUARES, "print(4)").reason is Reason.FAILED_TESTS
    assert judged(remote, VALUES, "def secret(n): return 918273645").value == 1
    assert judged(remote, {"test": LOOP, "entry_point": "add"}, ADD).value == 1
    short = remote.model_copy(update={"sandbox": remote.sandbox.model_copy(update={"run_seconds": 1.0})})
    assert judged(short, SQUARES, "import time\ntime.sleep(100)").reason is Reason.TOO_SLOW
    short.close()


SANDBOX_ERROR = (200, {"status": "SandboxError", "message": "pod lost", "run_result": None})
RESULT = {"status": "Finished", "return_code": 0, "stdout": "x" * 5_000_000}
ENDLESS = (200, {"status": "Success", "message": "", "run_result": RESULT})


def test_a_program_on_which_only_the_server_fails_is_wrong(remote, fusion):
    for trouble in (SANDBOX_ERROR, (400, {"detail": "no"}), (422, {}), (500, {}), ENDLESS, (502, {}), (200, {})):
        fusion.trouble = lambda body, trouble=trouble: trouble if "break it" in body["code"] else None
        assert judged(remote, SQUARES, "# break it\nprint(1)").reason is Reason.FAILED_TESTS
        assert judged(remote, SQUARES, "print(int(input()) ** 2)").value == 1


@pytest.mark.parametrize(
    "trouble", [SANDBOX_ERROR, (400, {}), (500, {}), ENDLESS, (503, {}), (200, {"status": "?"}), (200, {})]
)
def test_a_server_that_fails_on_all_is_no_verdict(remote, fusion, trouble):
    fusion.trouble = lambda body: trouble
    assert judged(remote, SQUARES, "print(1)").reason is Reason.SANDBOX_FAILED


def test_a_server_that_fails_for_a_moment_costs_nothing(remote, fusion):
    troubles = [SANDBOX_ERROR]
    fusion.trouble = lambda body: troubles.pop() if troubles else None
    assert judged(remote, SQUARES, "print(int(input()) ** 2)").value == 1


def test_a_server_that_is_not_there_or_denies(fusion, remote):
    fusion.trouble = lambda body: (404, {})
    with pytest.raises(ConfigError, match="404"):
        judged(remote, SQUARES, "print(1)")
    gone = CodeVerifier(sandbox=RemoteSandbox(url="http://127.0.0.1:9", retries=0))
    assert judged(gone, SQUARES, "print(1)").reason is Reason.SANDBOX_FAILED
    with pytest.raises(SandboxError):
        gone.sandbox.check()
    gone.close()


# As a block of a configuration, and in batches


def test_a_batch_is_judged_in_order_several_at_a_time(verifier):
    codes = [f"print(int(input()) ** {1 + n % 2})" for n in range(6)]
    requests = [Request({"inputs": ["3"], "outputs": ["9"]}, fenced(code)) for code in codes]
    assert [verdict.value for verdict in verifier.verify_batch(requests)] == [0, 1, 0, 1, 0, 1]
    assert verifier.verify_batch([]) == []


def test_it_is_a_verifier_that_sees_to_its_own_processes(verifier):
    assert isinstance(verifier, Verifier)
    assert isinstance(verifier, BatchVerifier)
    assert takes_requests(verifier)
    assert in_processes(verifier, Processes()) is verifier
    assert pickle.loads(pickle.dumps(verifier)) == verifier


def test_a_configuration_block_survives_a_round_trip():
    for sandbox in (
        {"type": "local", "seconds": 3, "walls": ["network"]},
        {"type": "sandbox_fusion", "url": "http://h"},
    ):
        block = {"type": "code", "sandbox": sandbox, "partial": True}
        verifier = TypeAdapter(AnyVerifier).validate_python(block)
        assert TypeAdapter(AnyVerifier).validate_json(verifier.model_dump_json()) == verifier
    for wrong in ({"type": "local", "walls": ["moat"]}, {"type": "sandbox_fusion", "url": "http://h", "seconds": 5}):
        with pytest.raises(ValidationError):
            CodeVerifier(sandbox=wrong)
