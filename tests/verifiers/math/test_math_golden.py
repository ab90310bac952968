"""Golden tables: for each kind of reference, answers that a mathematician accepts and twins that none would."""

import pytest

from hero_rl.verifiers import verify_math

# kind -> (pairs that are right, pairs that are wrong); a pair is the reference and what stands in the box.
TABLES = {
    "items with names": (
        [
            ("AB=4, CD=5", "4, 5"),
            ("AB=4, CD=5", "CD = 5, AB = 4"),
            ("12 boys, 8 girls", "12, 8"),
            ("12 boys, 8 girls", r"8\text{ girls}, 12\text{ boys}"),
            (r"\angle A = 30^\circ, \angle B=60^\circ", r"30^\circ, 60^\circ"),
            ("f(1)=2, f(2)=3", "2, 3"),
            ("x_1=4, x_2=9", "9, 4"),
            ("7, 14, 18", "Paolo: 18, Qing: 14, Rayna: 7"),
            ("Minimum: 1, maximum: 3", "1, 3"),
        ],
        [
            ("AB=4, CD=5", "5, 4"),
            ("AB=4, CD=5", r"\{5, 4\}"),
            ("AB=4, AC=5", "5,4"),
            ("12 boys, 8 girls", "8, 12"),
            ("12 boys, 8 girls", "8 boys, 12 girls"),
            (r"\angle A = 30^\circ, \angle B=60^\circ", r"60^\circ, 30^\circ"),
            ("Minimum: 1, maximum: 3", "3, 1"),
            ("S_1=4, S_2=9", "9, 4"),
            ("f(1)=2, f(2)=3", "3, 2"),
            ("10 and 20, respectively", "20 and 10"),
        ],
    ),
    "functions that part far out": (
        [
            ("n", r"\max(n, -n)+\min(n,-n)+n"),
            (r"|x|", r"\max(x,-x)"),
            (r"\min(n,10^6)", r"10^6-\max(10^6-n,0)"),
            (r"|x-5000|", r"|5000-x|"),
            (r"\max(x, 7)", r"\frac{x+7+|x-7|}{2}"),
        ],
        [
            ("n", r"\min(n,10^6)"),
            ("x", r"\max(x,-10^9)"),
            (r"\frac{x-1000003}{|x-1000003|}", "-1"),
            (r"\max(n, 5000000)", "5000000"),
            ("n", r"n \bmod 1000003"),
            (r"|x-5000000|", "5000000-x"),
        ],
    ),
    "ties": (
        [(r"\frac{5}{16}", "0.313"), (r"-\frac{5}{16}", "-0.313"), (r"\frac{1}{32}", "0.0313"), ("0.125", r"\frac18"),
         (r"\frac{1}{16}", "0.0625")],
        [(r"\frac{5}{16}", "0.312"), (r"-\frac{5}{16}", "-0.312"), (r"\frac{1}{32}", "0.0312"), ("0.125", "0.13"),
         (r"\frac{1}{16}", "0.0624")],
    ),
}  # fmt: skip

RIGHT = [(kind, *pair) for kind, (right, _) in TABLES.items() for pair in right]
WRONG = [(kind, *pair) for kind, (_, wrong) in TABLES.items() for pair in wrong]


@pytest.mark.parametrize(("kind", "reference", "answer"), RIGHT)
def test_right(kind, reference, answer):
    assert verify_math(reference, rf"\boxed{{{answer}}}") is True


@pytest.mark.parametrize(("kind", "reference", "answer"), WRONG)
def test_wrong(kind, reference, answer):
    assert verify_math(reference, rf"\boxed{{{answer}}}") is False


@pytest.mark.parametrize("reference", sorted({pair[1] for pair in RIGHT + WRONG}))
def test_a_reference_is_right_by_itself(reference):
    assert verify_math(reference, rf"\boxed{{{reference}}}") is True
