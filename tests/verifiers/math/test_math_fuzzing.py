"""No answer keeps the maths verifier from a verdict: answers from the grammar, and those that once did."""

import inspect
import sys
import time
from itertools import islice

import pytest
from fuzzing import SPELLED, Writer, fault_of, kinds_of_nodes, pairs, rows_of

from hero_rl.verifiers import MathVerifier, Reason, verify_math
from hero_rl.verifiers.math import verifier as module
from hero_rl.verifiers.math.readings import respelled
from hero_rl.verifiers.math.tree import formulas, parser, tokens
from hero_rl.verifiers.math.tree.lists import Lists

REFERENCES = ["7", r"\sqrt{2}", "x^2+1", r"\frac{1}{2}", r"(-\infty,2]", r"\{1,2\}", "x=3", "n+k", r"\pm 2", "12 345"]


@pytest.mark.parametrize("seed", range(4))
def test_nothing_but_a_verdict_comes_out(seed):
    verifier, end = MathVerifier(), time.thread_time() + 2.0
    for reference, answer in pairs(seed):
        assert fault_of(verifier, reference, answer) is None, (reference, answer)
        if time.thread_time() > end:
            break


def test_every_kind_of_node_can_be_written():
    writer = Writer(0)
    assert {name for name in kinds_of_nodes() if not callable(getattr(writer, name.lower(), None))} == set()


def parser_methods():
    return {name for kind in Lists.__mro__ for name, part in vars(kind).items() if inspect.isfunction(part)}


def test_every_method_of_the_parser_and_every_kind_of_token_is_reached():
    called, kinds, nodes = set(), set(), set()

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(parser.__file__.rpartition("/")[0]):
            called.add(frame.f_code.co_name)

    for one, other in islice(pairs(0), 30_000):
        if not (parser_methods() - called or set(kinds_of_nodes()) - nodes or set(tokens._PATTERN.groupindex) - kinds):
            break
        for text in map(respelled, (one, other)):
            sys.setprofile(note)
            try:
                kinds |= {match.lastgroup for match in tokens._PATTERN.finditer(text)}
                nodes |= {type(part).__name__ for part in formulas.walk(parser.parse(text))}
            except tokens.Unreadable:
                pass
            finally:
                sys.setprofile(None)
    assert parser_methods() - called == set()
    assert set(tokens._PATTERN.groupindex) - kinds == set()
    assert set(kinds_of_nodes()) - nodes == set()
    assert {"frac", "cup", "pm", "<=", "thousand"} <= set(SPELLED)


@pytest.mark.slow
def test_no_row_of_the_data_keeps_another_from_its_verdict(shared):
    verifier = MathVerifier()
    for reference, answer in islice(rows_of(shared / "data", others=3), 0, None, 40):
        assert fault_of(verifier, reference, answer) is None, (reference, answer)


# Each of these once raised, or took seconds.
ONCE_RAISED = [
    r"\max(\ln 2,0)",
    r"\min(\pi, 3, \sqrt{2})",
    r"\max(i, 2)",
    r"x+\ln 2 > \frac{3}{2}",
    r"\ln 2 \cdot x < 3x - 1",
    r"|x| > i",
    r"i < |x| < 2",
    r"f(k) = \sum_{k=1}^{n} k",
    r"\sum_{n=1}^{3} n = n + 1",
    r"2^{10^{4000}} \bmod 10^{4000}",
    r"7^{10^{900}-1} \bmod (10^{900}+7)",
]


@pytest.mark.parametrize("answer", ONCE_RAISED)
@pytest.mark.parametrize("reference", REFERENCES)
def test_what_once_raised_is_judged_in_little_time(reference, answer):
    start = time.thread_time()
    assert MathVerifier()._decide(reference, answer).value_of_verdict in (0.0, 1.0)
    assert time.thread_time() - start < 0.5


def test_maxima_of_fractions_and_irrationals_have_values():
    assert verify_math(r"\ln 2", r"\boxed{\max(\ln 2, 0)}")
    assert verify_math(r"\sqrt{2}", r"\boxed{\min(\sqrt{2}, 3, \pi)}")
    assert verify_math("3", r"\boxed{\max(3, \sqrt{2})}")
    # Of two fractions the larger, however little it is: no precision is lost.
    assert verify_math("10^{200}+1", r"\boxed{\max(10^{200}+1, 10^{200})}")
    assert not verify_math("10^{200}+1", r"\boxed{\max(10^{200}, 10^{200}-1)}")


def test_the_variable_of_a_sum_is_its_own():
    assert verify_math(r"f(n) = \sum_{k=1}^{n} k", r"\boxed{f(m) = \sum_{k=1}^{m} k}")
    assert verify_math(r"f(n) = \sum_{k=1}^{n} k", r"\boxed{f(k) = \sum_{n=1}^{k} n}")
    assert verify_math(r"f(n) = \sum_{k=1}^{n} kn", r"\boxed{f(k) = \sum_{m=1}^{k} mk}")
    assert not verify_math(r"f(n) = \sum_{k=1}^{n} k^2", r"\boxed{f(k) = \sum_{n=1}^{k} nk}")


def test_modular_powers_of_an_ordinary_size_are_worked_out():
    assert verify_math("1", r"\boxed{3^{10^{30}} \bmod 2}")
    assert verify_math(str(pow(7, 10**20, 10**30 + 57)), r"\boxed{7^{10^{20}} \bmod (10^{30}+57)}")


class Failing(MathVerifier):
    """Raises on a text, wherever it stands; or only where it is the answer."""

    text: str = "9"
    in_reference: bool = True
    error: str = "KeyError"

    def _reason(self, reference, answer):
        if self.text in answer or (self.in_reference and self.text in reference):
            raise {"KeyError": KeyError, "TooSlow": module.TooSlow, "RecursionError": RecursionError}[self.error]
        return super()._reason(reference, answer)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("KeyError", Reason.UNREADABLE_ANSWER),
        ("TooSlow", Reason.TOO_SLOW),
        ("RecursionError", Reason.TOO_LARGE),
    ],
)
def test_an_answer_that_makes_the_rules_fail_is_wrong(error, reason):
    verdict = Failing(error=error).verify(r"\sqrt{2}", r"\boxed{x+9}")
    assert (verdict.value, verdict.reason) == (0.0, reason)


def test_a_reference_that_makes_the_rules_fail_is_nobodys_fault():
    assert Failing().verify(r"\sqrt{9}", r"\boxed{x+9}").abstained
    assert Failing().verify(r"\sqrt{9}", r"\boxed{\sqrt{9}}").value == 1.0


def test_a_check_has_a_limit_of_processor_time(monkeypatch):
    monkeypatch.setattr(module, "_MOST_SECONDS", 0.05)
    slow = r"\prod_{k=1}^{200} \sin(k+x)^{k} + \prod_{k=1}^{200} \cos(k+x)^{k} + \prod_{k=1}^{200} \tan(k+x)^{k}"
    MathVerifier().warm_up()
    assert MathVerifier().verify(r"x^2+\sqrt{2}", rf"\boxed{{{slow}}}").reason is Reason.TOO_SLOW
    assert MathVerifier().verify(r"x^2+\sqrt{2}", r"\boxed{\sqrt{2}+x^2}").value == 1.0
