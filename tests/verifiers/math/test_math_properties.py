"""Laws of the maths verifier, on formulas and texts that nobody chose."""

import math
import pickle
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hero_rl.verifiers import MathVerifier, Reason, StagedVerifier, Verdict
from hero_rl.verifiers.math.text.spelling import respell
from hero_rl.verifiers.math.tree.parser import parse
from hero_rl.verifiers.math.values.evaluation import Point, Undefined, evaluate

VERIFIERS = [MathVerifier(), MathVerifier(rounding_digits=None, order="kept", units="required")]

integers = st.integers(-(10**6), 10**6)
fractions = st.fractions(max_denominator=10**4)
variables = st.sampled_from(["x", "y", "n", "a", r"\alpha", "x_1"])


def judged(reference, answer):
    return MathVerifier().judge(reference, answer).value


# Formulas


def wrapped(formula):
    return rf"\left({formula}\right)"


def combined(formulas):
    pairs = st.tuples(formulas, formulas)
    return st.one_of(
        pairs.map(lambda pair: f"{pair[0]} + {wrapped(pair[1])}"),
        pairs.map(lambda pair: f"{pair[0]} - {wrapped(pair[1])}"),
        pairs.map(lambda pair: rf"{wrapped(pair[0])} \cdot {wrapped(pair[1])}"),
        pairs.map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}}}"),
        formulas.map(lambda formula: rf"\sqrt{{{formula}}}"),
        formulas.map(lambda formula: rf"\sin{wrapped(formula)}"),
        formulas.map(lambda formula: f"{wrapped(formula)}^2"),
        formulas.map(lambda formula: f"-{wrapped(formula)}"),
    )


formulas = st.recursive(st.one_of(st.integers(0, 99).map(str), variables), combined, max_leaves=6)
structures = st.one_of(
    formulas,
    st.lists(formulas, min_size=2, max_size=4).map(", ".join),
    st.lists(formulas, min_size=2, max_size=4).map(lambda items: f"({', '.join(items)})"),
    st.lists(formulas, min_size=1, max_size=4).map(lambda items: rf"\{{{', '.join(items)}\}}"),
    st.tuples(formulas, formulas).map(" = ".join),
    st.tuples(formulas, formulas).map(r" \le ".join),
    formulas.map(lambda formula: rf"{formula} \text{{ cm}}"),
)


@settings(max_examples=150)
@given(structures)
def test_every_answer_is_its_own_reference(text):
    assert judged(text, text) == 1.0
    assert MathVerifier().verify(text, rf"So it is $\boxed{{{text}}}$.").value == 1.0
    assert MathVerifier().verify(rf"Hence \boxed{{{text}}}", rf"\boxed{{{text}}}").value == 1.0


@settings(max_examples=150)
@given(formulas)
def test_spelling_does_not_count(formula):
    for other in (
        formula.replace(r"\left", "").replace(r"\right", ""),
        formula.replace(r"\frac", r"\dfrac"),
        formula.replace(" ", "  "),
        formula.replace(r"\cdot", r"\times"),
        f" ${formula}$ ",
        rf"\displaystyle {formula}",
        rf"\left({formula}\right)",
    ):
        # Where a formula has no value (0/0), only its own text says that it is the same.
        assert judged(formula, other) == 1.0 or not has_value(formula), other
        assert judged(other, formula) == 1.0 or not has_value(formula), other


def has_value(formula):
    """Whether a formula is defined at many points, so that it can be compared by its values."""
    names = ["x", "y", "n", "a", "alpha", "x_1"]
    defined = 0
    for place in range(1, 9):
        values = {name: Fraction(place * 3 + index, 7) for index, name in enumerate(names)}
        try:
            evaluate(parse(respell(formula)), Point(values))
            defined += 1
        except Undefined:
            pass
    return defined == 8


@settings(max_examples=80)
@given(st.lists(formulas, min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_terms_and_factors_does_not_count(parts, random):
    mixed = list(parts)
    random.shuffle(mixed)
    for sign in ("+", r"\cdot"):
        one, other = (sign.join(map(wrapped, texts)) for texts in (parts, mixed))
        assert judged(one, other) == 1.0 or not has_value(one)


@given(st.lists(integers, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_a_list_has_no_order_and_a_tuple_has_one(numbers, random):
    mixed = list(numbers)
    random.shuffle(mixed)
    one, other = (", ".join(map(str, items)) for items in (numbers, mixed))
    assert judged(one, other) == 1.0
    assert judged(rf"\{{{one}\}}", rf"\{{{other}\}}") == 1.0
    assume(len(numbers) > 1)
    assert judged(f"({one})", f"({other})") == float(numbers == mixed)


@given(st.lists(integers, min_size=2, max_size=5), st.data())
def test_a_list_with_one_number_too_few_or_too_many_is_wrong(numbers, data):
    left_out = data.draw(st.integers(0, len(numbers) - 1))
    fewer = [number for index, number in enumerate(numbers) if index != left_out]
    reference, answer = (", ".join(map(str, items)) for items in (numbers, fewer))
    assert judged(reference, answer) == 0.0
    assert judged(answer, reference) == 0.0


# Numbers


@given(fractions, st.integers(2, 50))
def test_a_fraction_need_not_be_reduced(value, factor):
    top, bottom = value.numerator, value.denominator
    reference = rf"\frac{{{top}}}{{{bottom}}}"
    for answer in (
        rf"\frac{{{top * factor}}}{{{bottom * factor}}}",
        rf"\dfrac{{{-top}}}{{{-bottom}}}",
        f"{top}/{bottom}",
        rf"{top} \div {bottom}",
    ):
        assert judged(reference, answer) == 1.0
        assert judged(answer, reference) == 1.0


@given(integers | st.integers(-(10**30), 10**30), st.integers(-99, 99).filter(bool))
def test_a_changed_integer_is_always_rejected(number, change):
    for form in ("{}", "x = {}", r"{}\text{{ cm}}", r"{}\%", "({}, 1)", r"\frac{{{}}}{{7}}", "{}x", r"\sqrt{{2}} + {}"):
        assert judged(form.format(number), form.format(number + change)) == 0.0
    assert judged(str(number), f"{number + change:,}") == 0.0
    assert judged(str(number), rf"\frac{{{number + change}}}{{1}}") == 0.0


@given(integers.filter(bool))
def test_a_changed_sign_is_always_rejected(number):
    assert judged(str(number), str(-number)) == 0.0
    assert judged(rf"\frac{{{number}}}{{7}}", rf"\frac{{{-number}}}{{7}}") == 0.0
    assert judged(rf"{number}\sqrt{{2}}", rf"{-number}\sqrt{{2}}") == 0.0


@given(integers)
def test_an_integer_in_all_its_formats(number):
    for answer in (f"{number:,}", f"{number}.0", f"+{number}" if number >= 0 else f"- {-number}", f"{number}."):
        assert judged(str(number), answer) == 1.0
        assert judged(answer, str(number)) == 1.0


@given(st.fractions(0, 100, max_denominator=10**3), st.integers(3, 8))
def test_the_correct_rounding_is_accepted_and_its_neighbours_are_not(value, places):
    assume(value.denominator != 1 and value >= 1)
    rounded = math.floor(value * 10**places + Fraction(1, 2))  # a tie goes up
    exact = Fraction(rounded, 10**places) == value
    reference = rf"\frac{{{value.numerator}}}{{{value.denominator}}}"

    def decimal(digits):
        return f"{digits // 10**places}.{digits % 10**places:0{places}d}"

    assert judged(reference, decimal(rounded)) == 1.0
    assert exact or judged(reference, decimal(rounded + 1)) == 0.0
    assert exact or judged(reference, decimal(rounded - 1)) == 0.0
    assert judged(reference, decimal(rounded + 2)) == 0.0


@given(st.integers(-50, 50), st.integers(1, 50), st.booleans(), st.booleans())
def test_the_brackets_of_an_interval_count(low, width, left, right):
    def interval(left, right):
        return f"{'[' if left else '('}{low}, {low + width}{']' if right else ')'}"

    def inequality(left, right):
        first, second = (r"\le" if closed else "<" for closed in (left, right))
        return f"{low} {first} x {second} {low + width}"

    for spelled in (interval, inequality):
        assert judged(interval(left, right), spelled(left, right)) == 1.0
        assert judged(spelled(left, right), interval(left, right)) == 1.0
        assert judged(interval(left, right), spelled(not left, right)) == 0.0
        assert judged(interval(left, right), spelled(left, not right)) == 0.0


# Arithmetic: a tree gives its LaTeX and, computed apart from it, its value.


@dataclass(frozen=True)
class Arithmetic:
    text: str
    value: Fraction | None
    """None where there is none: a division by zero."""


def computed(text, work, *parts):
    try:
        return Arithmetic(text, None if any(part.value is None for part in parts) else Fraction(work()))
    except ZeroDivisionError:
        return Arithmetic(text, None)


def add(one, other):
    return computed(f"({one.text} + {other.text})", lambda: one.value + other.value, one, other)


def subtract(one, other):
    return computed(rf"\left({one.text} - {other.text}\right)", lambda: one.value - other.value, one, other)


def multiply(one, other):
    return computed(rf"{one.text} \cdot {other.text}", lambda: one.value * other.value, one, other)


def divide(one, other):
    return computed(rf"\frac{{{one.text}}}{{{other.text}}}", lambda: one.value / other.value, one, other)


def slash(one, other):
    return computed(f"({one.text}/({other.text}))", lambda: one.value / other.value, one, other)


def negate(one):
    return computed(f"(-{one.text})", lambda: -one.value, one)


def absolute(one):
    return computed(rf"\left|{one.text}\right|", lambda: abs(one.value), one)


def floor(one):
    return computed(rf"\lfloor {one.text} \rfloor", lambda: math.floor(one.value), one)


def raise_to(one, exponent):
    return computed(f"({one.text})^{{{exponent}}}", lambda: one.value**exponent, one)


def grown(trees):
    pairs = st.tuples(trees, trees)
    return st.one_of(
        *(pairs.map(lambda pair, work=work: work(*pair)) for work in (add, subtract, multiply, divide, slash)),
        *(trees.map(work) for work in (negate, absolute, floor)),
        st.tuples(trees, st.integers(-3, 3).filter(bool)).map(lambda pair: raise_to(*pair)),
    )


leaves = st.one_of(
    st.integers(0, 30).map(lambda number: Arithmetic(str(number), Fraction(number))),
    st.integers(0, 999).map(lambda number: Arithmetic(f"{number / 100:.2f}", Fraction(number, 100))),
    st.tuples(st.integers(0, 9), st.integers(1, 9)).map(
        lambda pair: Arithmetic(rf"\frac{{{pair[0]}}}{{{pair[1]}}}", Fraction(*pair))
    ),
)
arithmetic = st.recursive(leaves, grown, max_leaves=12)


@settings(max_examples=300)
@given(arithmetic)
def test_arithmetic_is_exact(tree):
    assume(tree.value is None or max(abs(tree.value.numerator), tree.value.denominator) < 10**300)
    node = parse(respell(tree.text))
    if tree.value is None:
        with pytest.raises(Undefined):
            evaluate(node, Point({}))
    else:
        assert evaluate(node, Point({})) == tree.value


@settings(max_examples=100)
@given(arithmetic)
def test_arithmetic_equals_its_value_and_no_other(tree):
    assume(tree.value is not None and max(abs(tree.value.numerator), tree.value.denominator) < 10**300)
    top, bottom = tree.value.numerator, tree.value.denominator
    assert judged(rf"\frac{{{top}}}{{{bottom}}}", tree.text) == 1.0
    assert judged(rf"\frac{{{top + 1}}}{{{bottom}}}", tree.text) == 0.0


# Any text whatever

ALPHABET = [
    *r"{}()[]|^_+-*/=<>!,;:.%&'$ 0123456789xyzeiEA",
    *(r"\frac", r"\sqrt", r"\boxed{", r"\text{", r"\left", r"\right", r"\pm", r"\pi", r"\infty", r"\cup", r"\in"),
    *(r"\{", r"\}", r"\\", r"\le", r"\ne", r"\sin", r"\log", r"\sum", r"\begin{pmatrix}", r"\end{pmatrix}", r"\circ"),
    *(r"\overline", r"\lfloor", r"\rfloor", r"\binom", r"\cdot", r"\mid", r"\%", r"\mathbb{R}", r"\emptyset", r"\,"),
    *("the answer is ", " and ", " or ", "</think>", "<think>", "####", "\n\n", " cm", "½", "²", "√", "∞", "≤", "°"),
]
latex = st.lists(st.sampled_from(ALPHABET), max_size=25).map("".join)
texts = latex | st.text(max_size=60)


def assert_consistent(verdict, reference):
    assert isinstance(verdict, Verdict)
    assert verdict.seconds >= 0
    assert verdict.abstained == (verdict.reason is Reason.REFERENCE_UNREADABLE)
    assert verdict.value in (0.0, 1.0) or verdict.abstained
    if verdict.reason is Reason.NO_ANSWER:
        assert not verdict.answer or not respell(verdict.answer)


@settings(max_examples=300)
@given(reference=texts, completion=texts)
@example(reference="5", completion="\ud800")
@example(reference="\ud800", completion="5\0")
@example(reference="5", completion="\\boxed{\u202e5}")
def test_never_raises_whatever_the_texts(reference, completion):
    for verifier in VERIFIERS:
        for said in (completion, rf"\boxed{{{completion}}}"):
            verdict = verifier.verify(reference, said)
            assert_consistent(verdict, reference)
            assert verdict.answer == verifier.extract(said)
            judged_alone = verifier.judge(reference, verifier.extract(said))
            assert (judged_alone.reason, judged_alone.answer) == (verdict.reason, verdict.answer)
        assert_consistent(verifier.judge(reference, completion), reference)


@settings(max_examples=300)
@given(reference=texts | st.fractions(max_denominator=99).map(str), answer=texts | fractions.map(str) | st.none())
def test_a_quick_verdict_is_the_verdict(reference, answer):
    for verifier in VERIFIERS:
        quick = verifier.judge_quickly(reference, answer)
        assert quick is None or quick.reason is verifier.judge(reference, answer).reason


@settings(max_examples=100)
@given(reference=texts, completion=texts)
def test_a_pickled_verifier_judges_alike(reference, completion):
    for verifier in VERIFIERS:
        copy = pickle.loads(pickle.dumps(verifier))
        assert copy == verifier
        verdict = verifier.verify(reference, completion)
        assert copy.verify(reference, completion).reason is verdict.reason
        again = pickle.loads(pickle.dumps(verdict))
        assert (again.reason, again.answer, again.seconds) == (verdict.reason, verdict.answer, verdict.seconds)


@settings(max_examples=100)
@given(reference=latex, answer=latex)
def test_texts_that_are_one_are_equal_and_no_other_setting_accepts_more_than_the_default(reference, answer):
    lenient, strict = (verifier.judge(reference, answer) for verifier in VERIFIERS)
    assert strict.value != 1.0 or lenient.value == 1.0
    same = MathVerifier().judge(reference, reference)
    assert same.value == 1.0 or same.abstained


def test_it_works_in_stages():
    assert isinstance(MathVerifier(), StagedVerifier)
    assert MathVerifier().judge_quickly("5", "6").reason is Reason.MISMATCH
    assert MathVerifier().judge_quickly("2x", "x+x") is None
    MathVerifier().warm_up()
