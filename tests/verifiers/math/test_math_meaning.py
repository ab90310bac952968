"""What words and signs around numbers mean: laws that hold for any numbers, not for single pairs."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hero_rl.verifiers import MathVerifier


def accepts(reference, answer):
    return MathVerifier().judge(reference, answer).value == 1.0


def accepts_text(reference, completion):
    return MathVerifier().verify(reference, completion).value == 1.0


# Division with a remainder

DIVISIONS = (
    "{0} R {1}",
    r"{0}\text{{ R }}{1}",
    "{0} remainder {1}",
    r"{0}\text{{ with a remainder of }}{1}",
    "quotient {0}, remainder {1}",
    r"\text{{quotient: }}{0},\ \text{{remainder: }}{1}",
    r"\text{{remainder }}{1} \text{{ and quotient }}{0}",
)
divisions = st.sampled_from(DIVISIONS)
small = st.integers(0, 60)


@settings(max_examples=60)
@given(divisions, divisions, small, small)
def test_a_division_is_its_quotient_and_its_remainder(one, other, quotient, remainder):
    reference = one.format(quotient, remainder)
    assert accepts(reference, other.format(quotient, remainder))
    assert not accepts(reference, other.format(quotient, remainder + 1))
    assert not accepts(reference, str(quotient))
    if quotient != remainder:
        assert not accepts(reference, other.format(remainder, quotient))


# Extremes

MAXIMA = (
    r"\text{{max}} = {}",
    "maximum: {}",
    r"\text{{maximum value }} {}",
    r"\text{{The greatest value is }} {}",
    "max {}",
)
MINIMA = (
    r"\text{{min}} = {}",
    "minimum: {}",
    r"\text{{minimum value }} {}",
    r"\text{{The least value is }} {}",
    "min {}",
)
CLOSINGS = (
    "So the function has {}: {}",
    "Therefore, the {} is {}.",
    "Hence the {} value is ${}$.",
    "The {} of it equals {}.",
)
numbers = st.integers(-50, 50)


@settings(max_examples=60)
@given(st.sampled_from(MAXIMA), st.sampled_from(MAXIMA), st.sampled_from(MINIMA), numbers)
def test_a_maximum_is_no_minimum(one, other, opposite, number):
    assert accepts(one.format(number), other.format(number))
    assert accepts(one.format(number), str(number))
    assert accepts(str(number), other.format(number))
    assert not accepts(one.format(number), opposite.format(number))
    assert not accepts(one.format(number), other.format(number + 1))


@settings(max_examples=40)
@given(st.sampled_from(MAXIMA), st.sampled_from(CLOSINGS), numbers)
def test_a_closing_sentence_says_which_end_its_value_is(maximum, closing, number):
    assert accepts_text(maximum.format(number), closing.format("maximum", number))
    assert accepts_text(str(number), closing.format("minimum", number))
    assert accepts_text(f"m = {number}", closing.format("minimum", number))
    assert not accepts_text(maximum.format(number), closing.format("minimum", number))


# And, or

letters = st.lists(st.sampled_from("pqrst"), min_size=2, max_size=4, unique=True)


@settings(max_examples=40)
@given(letters, st.randoms(use_true_random=False))
def test_and_is_not_or_between_letters(names, draw):
    other = draw.sample(names, len(names))
    for one, two in ((r" \wedge ", r" \vee "), (r"\text{ and }", r"\text{ or }")):
        assert accepts(one.join(names), one.join(other))
        assert not accepts(one.join(names), two.join(other))
        assert not accepts(two.join(names), one.join(other))


@pytest.mark.parametrize("join", [r"\text{ and }", r"\text{ or }", ", "])
def test_and_is_or_between_values_of_an_unknown(join):
    assert accepts(r"x = 1 \text{ or } x = 2", join.join(("x = 2", "x = 1")))


# Units

WORTH = [
    (r"\text{ km}", r"\text{ m}", 1000),
    ("m", "cm", 100),
    (r"\text{ ft}", r"\text{ in}", 12),
    (" yards", " feet", 3),
    (r"\text{ miles}", r"\text{ yards}", 1760),
    (r"\text{ m}^2", r"\text{ cm}^2", 10_000),
    (r"\text{ m}^3", r"\text{ L}", 1000),
    (r"\text{ kg}", " grams", 1000),
    (r"\text{ lb}", r"\text{ oz}", 16),
    (r"\text{ hours}", r"\text{ min}", 60),
    (r"\text{ m/s}", r"\,\mathrm{km/h}", Fraction(18, 5)),
    (r"\text{ g/cm}^3", r"\text{ kg/m}^3", 1000),
    (r"\text{ kN}", r"\text{ N}", 1000),
    (r"\text{ MW}", r"\text{ kW}", 1000),
    (r"\text{ W}", r"\text{ J/s}", 1),
    (r"\text{ A}", r"\text{ mA}", 1000),
    (r"\text{ k}\Omega", r"\ \Omega", 1000),
    (r"\text{ F}", r"\ \mu\text{F}", 10**6),
    (r"\text{ m}", r"\,\mathrm{\mu m}", 10**6),
    (" dollars", " cents", 100),
    (r"\text{ kWh}", r"\text{ MJ}", Fraction(18, 5)),
]


@pytest.mark.parametrize(("larger", "smaller", "worth"), WORTH)
@settings(max_examples=8)
@given(number=st.integers(2, 400))
def test_a_measure_is_the_same_in_another_unit_of_its_kind(larger, smaller, worth, number):
    one, other = f"{number}{larger}", f"{decimal(number * Fraction(worth))}{smaller}"
    assert accepts(one, other)
    assert accepts(other, one)
    assert not accepts(one, f"{decimal((number + 1) * Fraction(worth))}{smaller}")
    if worth != 1:
        assert not accepts(one, f"{number}{smaller}")
        assert not accepts(one, f"{decimal(number / Fraction(worth))}{smaller}")


def decimal(value):
    """The very value, as a decimal where that ends soon."""
    value = Fraction(value)
    text = f"{float(value):.9f}".rstrip("0").rstrip(".")
    return text if Fraction(text) == value else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


@pytest.mark.parametrize(("larger", "smaller", "worth"), WORTH)
@pytest.mark.parametrize("other", [r"\text{ K}", r"\text{ mol}", r"\text{ m}^4", " people"])
def test_measures_of_different_kinds_never_agree(larger, smaller, worth, other):
    for unit in (larger, smaller):
        for number in (1, worth, 7 * worth):
            assert not accepts(f"7{unit}", f"{decimal(number)}{other}")


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 11))
def test_feet_and_inches_are_one_length(feet, inches):
    reference = f"{feet} feet {inches} inches"
    for said in (f"{feet}'{inches}\"", rf"{feet}\text{{ ft }}{inches}\text{{ in}}", f"{12 * feet + inches} inches"):
        assert accepts(reference, said)
        assert accepts(said, reference)
    if inches >= 5:  # 10 feet 1 inch are 10.1 feet, rounded
        assert not accepts(reference, f"{feet}.{inches} feet")
    assert not accepts(reference, f"{12 * feet + inches + 1} inches")
    assert not accepts(reference, f"{feet} inches")


# Logic, sets and figures

propositions = st.recursive(
    st.sampled_from(["p", "q", "r", r"\neg p", r"\neg s"]),
    lambda inner: st.tuples(st.sampled_from([r"\wedge", r"\vee"]), inner, inner),
    max_leaves=4,
)


def written(node, turned=False):
    """A proposition with all its brackets; `turned` with the sides of each sign exchanged."""
    if isinstance(node, str):
        return node
    sides = [side if isinstance(side, str) else f"({written(side, turned)})" for side in node[1:]]
    return f" {node[0]} ".join(reversed(sides) if turned else sides)


def flipped(node):
    """The proposition with its outermost sign exchanged, None where it has none."""
    return None if isinstance(node, str) else (r"\vee" if node[0] == r"\wedge" else r"\wedge", *node[1:])


@settings(max_examples=60)
@given(propositions.filter(lambda node: flipped(node) is not None))
def test_a_proposition_is_its_letters_and_their_signs(node):
    other = flipped(node)
    assert accepts(written(node), written(node, turned=True))
    assert not accepts(written(node), written(other)) or node[1] == node[2]
    assert not accepts(written(node), written(other, turned=True)) or node[1] == node[2]


names = st.permutations(["A", "B", "D"])


@settings(max_examples=30)
@given(names, names, st.sampled_from([r"\cup", r"\cap"]))
def test_unions_and_intersections_have_no_order(one, other, sign):
    assert accepts(f" {sign} ".join(one), f" {sign} ".join(other))
    opposite = r"\cap" if sign == r"\cup" else r"\cup"
    assert not accepts(f" {sign} ".join(one), f" {opposite} ".join(other))
    if one != other:
        assert not accepts(rf"{one[0]} \setminus {one[1]}", rf"{one[1]} \setminus {one[0]}")


TURNED = {r"\subseteq": r"\supseteq", r"\subset": r"\supset", r"\parallel": r"\parallel", r"\perp": r"\perp"}


@pytest.mark.parametrize("sign", TURNED)
def test_a_relation_between_things_may_be_read_from_the_other_side(sign):
    assert accepts(f"AB {sign} CD", f"CD {TURNED[sign]} AB")
    for other in (*TURNED, "=", "<"):
        if other != sign:
            assert not accepts(f"AB {sign} CD", f"AB {other} CD")
    if TURNED[sign] != sign:
        assert not accepts(f"AB {sign} CD", f"CD {sign} AB")
    assert not accepts(f"AB {sign} CD", f"AB {sign} CE")


# Functions and antiderivatives


@settings(max_examples=30)
@given(st.integers(2, 9), st.integers(1, 9), st.sampled_from("fgh"))
def test_an_inverse_function_is_named_by_its_own_label(slope, shift, name):
    label, value = f"{name}^{{-1}}(x)", rf"\frac{{x - {shift}}}{{{slope}}}"
    assert accepts(f"{label} = {value}", value)
    assert accepts(value, f"{label} = {value}")
    assert accepts(f"{label} = {value}", f"y = {value}")
    assert not accepts(f"{label} = {value}", f"{label} = {slope}x + {shift}")
    assert not accepts(f"{label} = {value}", f"{name}(x) = {value}")


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["x", "t"]))
def test_a_constant_of_integration_takes_up_numbers_and_nothing_else(number, factor, x):
    one, other = rf"{factor}\sin^2 {x} + C", rf"C - {factor}\cos^2 {x}"
    assert accepts(one, other)
    assert accepts(f"{factor}{x}^2 + C", f"{factor}{x}^2 + {number} + C")
    assert not accepts(one, rf"{factor}\cos^2 {x} + C")
    assert not accepts(f"{factor}{x}^2 + C", f"{factor}{x}^2 + {number}{x} + C")
    assert not accepts(f"{factor}{x}^2 + C", f"{factor}{x}^2 + {number}")
    assert not accepts(f"{factor}{x}^2 + C", f"{factor}{x}^2 + {number} + 2C")
    assert not accepts(f"{factor}{x}^2", f"{factor}{x}^2 + {number} + C")
    assert not accepts(f"{factor}{x}^2 + c", f"{factor}{x}^2 + {number} + c")


# Words around an answer

HAVE = ("The equation has {}", "the system of equations has {}", "There are {}", "It has {}")


@pytest.mark.parametrize("said", HAVE)
def test_a_sentence_with_an_idle_subject_says_what_its_object_says(said):
    assert accepts(r"\text{no solution}", rf"\text{{{said.format('no solutions')}}}")
    assert accepts(r"\text{infinitely many solutions}", rf"\text{{{said.format('infinitely many solutions')}}}")
    assert not accepts(r"\text{no solution}", rf"\text{{{said.format('infinitely many solutions')}}}")
    assert not accepts(r"\text{no integer solutions}", rf"\text{{{said.format('no real solutions')}}}")
    assert not accepts(r"\text{no solution}", rf"\text{{{said.format('one solution')}}}")


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        ("True", "The statement is true", "The statement is not true"),
        ("False", "It is false", "It is not false"),
        ("Yes", "Yes, it is", "Yes, it is not"),
        ("No", "No, it does not", "No, it does"),
    ],
)
def test_a_verdict_may_be_a_sentence(reference, right, wrong):
    assert accepts(rf"\text{{{reference}}}", rf"\text{{{right}}}")
    assert not accepts(rf"\text{{{reference}}}", rf"\text{{{wrong}}}")


@settings(max_examples=30)
@given(st.integers(2, 500))
def test_an_announcement_inside_of_a_frame_is_passed_over(number):
    assert accepts(str(number), rf"\text{{The answer is }}{number}")
    for said in ("The answer is not ", "The answer is less than ", "The answer is about half of "):
        assert not accepts(str(number), rf"\text{{{said}}}{number}")
    assert not accepts(str(number), rf"\text{{The answer is }}{number}\text{{ or }}{number + 1}")


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40))
def test_a_share_is_its_quotient(part, whole):
    assert accepts(rf"\frac{{{part}}}{{{whole}}}", rf"\text{{{part} in {whole}}}") is (part <= whole)
    assert accepts(rf"\frac{{{part}}}{{{whole}}}", rf"\text{{{part} out of {whole}}}") is (part <= whole)
    assert not accepts(rf"\frac{{{part}}}{{{whole}}}", rf"\text{{{part} in {whole + 1}}}")


@pytest.mark.parametrize("change", ["increase", "decrease", "profit", "loss"])
def test_a_change_in_per_cent_keeps_its_direction(change):
    reference = rf"15\%\text{{ {change}}}"
    assert accepts(reference, r"15\%")
    assert accepts(r"15\%", reference) is (change in ("increase", "profit"))
    assert accepts("15", rf"\text{{{change} of }} \$15") is (change in ("increase", "profit"))
    assert not accepts(reference, r"16\%")
    for other in {"increase", "decrease", "profit", "loss"} - {change}:
        assert not accepts(reference, rf"15\%\text{{ {other}}}")


# Numbers and arrangements


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(1, 11), st.integers(2, 12))
def test_a_mixed_number_in_words_or_per_cent(whole, top, bottom):
    said = rf"{whole}\text{{ and }}\frac{{{top}}}{{{bottom}}}"
    if top < bottom:
        assert accepts(rf"{whole}\frac{{{top}}}{{{bottom}}}", said)
        assert accepts(rf"\frac{{{whole * bottom + top}}}{{{bottom}}}\%", rf"{whole}\frac{{{top}}}{{{bottom}}}\%")
    assert not accepts(rf"\frac{{{whole * top}}}{{{bottom}}}", said) or whole * top == whole * bottom + top
    assert not accepts(str(whole), said)


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=2, max_size=3))
def test_rows_in_brackets_are_a_matrix_beside_one(rows):
    matrix = r"\begin{pmatrix}" + r"\\".join("&".join(map(str, row)) for row in rows) + r"\end{pmatrix}"
    assert accepts(matrix, str(rows))
    assert not accepts(matrix, str([row[::-1] for row in rows])) or all(row == row[::-1] for row in rows)
    assert not accepts(matrix, str([*rows, rows[0]]))
    assert not accepts_text(matrix, f"**Final Answer:** {matrix}^{{-1}}")


# Chemistry

elements = st.sampled_from(["H", "C", "N", "O", "Na", "Cl", "Fe", "Cu", "Mg", "S", "Co"])
molecules = st.lists(st.tuples(elements, st.integers(1, 12)), min_size=2, max_size=4)


@settings(max_examples=40)
@given(molecules, st.integers(1, 3), st.sampled_from("+-"))
def test_a_formula_of_chemistry_may_be_set_in_any_way(parts, charge, sign):
    counts = [(element, "" if number == 1 else str(number)) for element, number in parts]
    low = "".join(f"{element}_{{{number}}}" if number else element for element, number in counts)
    upright = "".join(rf"\text{{{element}}}" + (f"_{{{number}}}" if number else "") for element, number in counts)
    typed = rf"\ce{{{''.join(map(''.join, counts))}}}"
    for one in (low, upright, rf"\mathrm{{{low}}}"):
        assert accepts(one, typed)
        assert accepts(rf"\mathrm{{{low}}}", one)
        ion = f"^{{{charge if charge > 1 else ''}{sign}}}"
        assert accepts(one + ion, upright + ion)
        assert not accepts(one + ion, upright + ion.translate(str.maketrans("+-", "-+")))
        assert not accepts(one + ion, upright)
    more = [(element, number + 1) for element, number in parts]
    assert not accepts(low, "".join(f"{element}_{{{number}}}" for element, number in more))


# Money

CURRENCIES = [
    ("€", "euros"),
    ("£", "pounds"),
    (r"\pounds ", "pounds"),
    ("Rs. ", "rupees"),
    ("₹", "rupees"),
    ("USD ", "dollars"),
]


@pytest.mark.parametrize(("sign", "name"), CURRENCIES)
@settings(max_examples=10)
@given(amount=st.integers(1, 10_000))
def test_a_currency_before_an_amount_is_its_unit(sign, name, amount):
    assert accepts(f"{sign}{amount}", f"{amount} {name}")
    assert accepts(f"{amount} {name}", f"{sign}{amount}")
    assert accepts(f"{sign}{amount}", str(amount))
    assert accepts(f"{sign}{amount}.50", rf"{amount}.5\text{{ {name}}}")
    assert accepts(f"{sign}{amount} million", rf"{amount * 10**6}\text{{ {name}}}")
    assert not accepts(f"{sign}{amount}", f"{amount + 1} {name}")
    assert not accepts(f"{sign}{amount} million", f"{amount} {name}")
    assert not accepts(f"{sign}{amount}", f"{amount} francs")


# Verdicts with their reasons, winners, names of things


@pytest.mark.parametrize(
    ("reference", "said", "right"),
    [
        ("Yes", "Yes, it is possible", True),
        ("Yes", "Yes, since 7 is prime", True),
        ("Yes", "Yes, it is not possible", False),
        ("Yes", "Yes, if n > 2", False),
        ("Yes", "Yes, or no", False),
        ("Yes", "No, yes", False),
        ("No", "No, it is not possible", True),
        ("No", "No, unless n = 2", False),
        ("True", "True, because the sum is even", True),
        ("True", "True, but only for even n", False),
        ("False", "False: 9 is a counterexample", True),
        ("Alice", "Alice wins", True),
        ("Alice", "Alice loses", False),
        ("the first player wins", "the first player has a winning strategy", True),
        ("the first player wins", "the second player has a winning strategy", False),
        ("increasing", "The function is increasing", True),
        ("increasing", "The function is not increasing", False),
        ("a rectangle", "It is a rectangle", True),
    ],
)
def test_a_sentence_says_its_gist_and_no_more(reference, said, right):
    assert accepts(rf"\text{{{reference}}}", rf"\text{{{said}}}") is right


# Labels and counts


@settings(max_examples=20)
@given(st.integers(2, 300))
def test_words_that_only_frame_a_number(number):
    for said in (
        "exactly {}",
        "{} in total",
        "{} different arrangements",
        r"\text{{The area is }}{}",
        "{} possible values",
    ):
        assert accepts(str(number), said.format(number))
        assert not accepts(str(number), said.format(number + 1))
    for said in (
        "at least {}",
        r"\text{{Twice the area is }}{}",
        "{} different from 0",
        "{} possible",
        "not exactly {}",
    ):
        assert not accepts(str(number), said.format(number))


@pytest.mark.parametrize("label", ["f'(x)", "f''(x)", r"\frac{dy}{dx}", r"\mathbb{E}[X]", r"\lim_{n \to \infty} a_n"])
def test_a_label_before_a_reference_may_be_left_off(label):
    assert accepts(f"{label} = 2x + 1", "2x + 1")
    assert not accepts(f"{label} = 2x + 1", "2x - 1")
    if label.startswith(("f", r"\frac")):
        assert not accepts(f"{label} = 2x + 1", "f(x) = 2x + 1")


def test_an_unreadable_part_of_several_is_not_left_off():
    assert MathVerifier().judge(r"a = \int x, b = 2", "2").value != 1.0


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 9))
def test_a_ratio_in_words(one, other):
    assert accepts(f"{one}:{other}", f"{one} to {other}")
    assert accepts(rf"\text{{ratio }}{one}:{other}", rf"{one}\text{{ to }}{other}")
    assert accepts(f"{one}:{other}", f"{other} to {one}") is (one == other)


@settings(max_examples=20)
@given(st.lists(st.integers(2, 60), min_size=2, max_size=3))
def test_a_function_of_a_set_of_numbers(numbers):
    items = ", ".join(map(str, numbers))
    assert accepts(str(max(numbers)), rf"\max\{{{items}\}}")
    assert accepts(rf"\gcd({items})", rf"\gcd\{{{items}\}}")
    assert not accepts(str(max(numbers) + 1), rf"\max\{{{items}\}}")


@pytest.mark.parametrize("closing", ["Thus we get **{}**.", "The power is {}.", r"So it is \boxed{{{}}}."])
@pytest.mark.parametrize(("unit", "other"), [("kN", "N"), ("mW", "MW"), ("mA", "A"), ("nF", "pF")])
def test_a_prefix_behind_a_stated_number_belongs_to_it(closing, unit, other):
    reference = rf"7\text{{ {unit}}}"
    assert accepts_text(reference, closing.format(rf"7\text{{ {unit}}}"))
    assert not accepts_text(reference, closing.format(rf"7\text{{ {other}}}"))


@pytest.mark.parametrize("thing", ["circle", "rhombus", "regular hexagon"])
def test_an_article_says_nothing(thing):
    for reference in (thing, f"a {thing}", rf"\text{{a {thing}}}"):
        assert accepts(reference, thing)
        assert accepts(reference, rf"\text{{a {thing}}}")
        assert MathVerifier().judge(reference, r"\text{a kite}").value == 0.0
        assert MathVerifier().judge(reference, "7").value == 0.0


@settings(max_examples=20)
@given(st.integers(2, 300))
def test_a_count_with_what_is_counted(number):
    for said in ("{} real solutions", "{} valid colourings", "{} distinct real values"):
        assert accepts(str(number), said.format(number))
        assert not accepts(str(number), said.format(number + 1))


@pytest.mark.parametrize(("number", "part"), [(3, "third"), (4, "fourth"), (4, "quarter"), (2, "half"), (10, "tenth")])
def test_an_article_makes_a_part_of_an_ordinal(number, part):
    assert not accepts(str(number), f"a {part}")
    assert not accepts(str(number), rf"\text{{a {part}}}")


@pytest.mark.parametrize("family", [r"x = {}\pi", r"x = \frac{{\pi}}{{4}} + {}\pi", r"x = 30^\circ + 360^\circ {}"])
def test_a_family_of_angles_is_that_of_all_whole_numbers(family):
    reference = family.format("k")
    assert accepts(reference, family.format("n") + r", n \in \mathbb{Z}")
    assert not accepts(reference, family.format("k") + r", k \in \mathbb{N}")
    assert accepts(reference + r", k \in \mathbb{N}", family.format("k") + r", k \in \mathbb{N}")
