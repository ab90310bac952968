"""The pure parts: verdicts of problems, draws, scripts, ends of texts, questions, replies of the checker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_rl.data.checking import FAULTS, read_reply
from hero_rl.data.endings import ended
from hero_rl.data.language import check_script, script_share
from hero_rl.data.questions import rule_against
from hero_rl.data.settings import Sizes
from hero_rl.data.splitting import split_by_verdict, verdict_of
from hero_rl.errors import DataError

verdicts = st.lists(st.sampled_from([1.0, 0.0, None]), min_size=1, max_size=5)


@given(verdicts, st.sampled_from(["any", "all"]))
def test_an_abstention_is_an_unknown(said, easy_if):
    # What the verdict would be, whatever the unknown ones turned out to be.
    unknown = said.count(None)
    outcomes = set()
    for bits in range(2**unknown):
        known, left = [], bits
        for verdict in said:
            known.append(verdict if verdict is not None else float(left & 1))
            left >>= verdict is None
        outcomes.add(float((any if easy_if == "any" else all)(known)))
    assert verdict_of(said, easy_if) == (outcomes.pop() if len(outcomes) == 1 else None)


def test_the_first_solution_is_the_papers():
    assert [verdict_of(said, "first") for said in ([1.0, 0.0], [0.0, 1.0], [None, 1.0], [])] == [1.0, 0.0, None, None]


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), st.integers(0, 4), st.integers(), st.randoms())
def test_regimes_are_disjoint_where_they_must_be(easy, hard, mixed, held, seed, random):
    mixed = min(mixed, easy, hard)
    sizes = Sizes(easy=easy, hard=hard, mixed=mixed, validation=held)
    pools = [f"e{n}" for n in range(14)], [f"h{n}" for n in range(14)]
    parts = split_by_verdict(*pools, sizes, seed)
    lengths = {(regime, part): len(ids) for regime, both in parts.items() for part, ids in both.items()}
    assert lengths == {
        ("easy", "train"): easy, ("easy", "validation"): held, ("hard", "train"): hard, ("hard", "validation"): held,
        ("mixed", "train"): 2 * mixed, ("mixed", "validation"): 2 * (held // 2),
    }  # fmt: skip
    trained, kept = ({one for r in parts for one, _ in parts[r][p]} for p in ("train", "validation"))
    assert not trained & kept
    assert all(kind[0] == one[0] for r in parts for p in parts[r] for one, kind in parts[r][p])
    assert {one for one, _ in parts["mixed"]["train"]} <= trained
    for pool in pools:
        random.shuffle(pool)
    assert split_by_verdict(*pools, sizes, seed) == parts
    more = split_by_verdict(*pools, Sizes(easy=10, hard=10, mixed=mixed, validation=held), seed)
    assert more["easy"]["validation"] == parts["easy"]["validation"]
    assert more["easy"]["train"][:easy] == parts["easy"]["train"]


def test_too_few_problems_are_named():
    with pytest.raises(DataError, match=r"3 problems are hard to verify, and 3 \+ 1 for validation .*sizes.hard"):
        split_by_verdict(["a"] * 9, ["x", "y", "z"], Sizes(easy=3, hard=3, mixed=1, validation=1), 0)
    with pytest.raises(ValueError, match="mixed: more than easy or hard"):
        Sizes(easy=1, hard=3, mixed=2)


@pytest.mark.parametrize(
    ("text", "script", "share"),
    [
        ("Plain English, naïve and all.", "Latin", 1.0),
        (r"Let α = \frac{π}{2} and 𝑥 ∈ ℝ.", "Latin", 1.0),
        ("12 + 30 = 42", "Latin", 1.0),
        ("", "Latin", 1.0),
        ("ab 因此", "Latin", 0.5),
        (r"it costs \$5, 因此 \$6 ab", "Latin", 9 / 11),
        (r"$因此$ \text{ab}", "Latin", 0.5),
        (r"因此 \(x+y = \frac{ab}{c}\) 成立", "Han", 1.0),
        ("因此 so", "Han", 0.5),
        ("Итак, ответ", "Cyrillic", 1.0),
    ],
)
def test_script_shares(text, script, share):
    assert script_share(text, script) == pytest.approx(share)


def test_unknown_scripts_are_refused():
    for script in ("Klingon", "Latin}", ""):
        with pytest.raises(ValueError, match="is no script that Unicode knows"):
            check_script(script)


@given(st.text())
def test_a_script_share_is_a_share(text):
    assert 0 <= script_share(text, "Latin") <= 1


def test_long_texts_take_linear_time():
    for text in ("$" * 200_000, "\\(" * 100_000, "\\[\\" * 70_000, "<think>" * 30_000, "\\boxed{" * 30_000):
        script_share(text, "Latin")
        ended(text, None)


@pytest.mark.parametrize(
    ("text", "finish_reason", "good"),
    [
        (r"So it is \boxed{4}.", None, True),
        (r"So it is \(\boxed{4}\)", "unknown", True),
        (r"So it is \boxed{4}", None, True),
        (r"\[ x = \boxed{4} \]", None, True),
        ("所以答案是四。", None, True),
        ("So it is 4", None, False),
        ("So it is 4", "stop", True),
        (r"So it is \boxed{4}.", "length", False),
        (r"So it is \boxed{4}.", "content_filter", False),
        ("", "stop", False),
        (r"So it is \boxed{4", "stop", False),
        (r"\boxed{4}. " + "Next question. " * 30, "stop", False),
        ("<think>well, 4.", "stop", False),
        ("<think>well</think> It is 4.", None, True),
        (r"Now \[ x = 4.", None, False),
        (r"Now \begin{align} x = 4.", None, False),
        ("It costs $4.", None, False),
        (r"It costs \$4.", None, True),
        ("```python\nprint(4)", "unknown", False),
    ],
)
def test_proper_ends(text, finish_reason, good):
    assert ended(text, finish_reason) is good


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("What is the period of a pendulum of length 2 m?", "2.84 s", None),
        ("Determine how many primes are below 100.", "25", None),
        ("Find the rate. Let (x) be small.", "k[A]^2", None),
        ("x" * 101, "4", "long_question"),
        ("What is it?", "y" * 31, "long_answer"),
        ("What is it?", "a b c d e f", "long_answer"),
        ("(a) Find x. (b) Find y.", "1 and 2", "parts"),
        ("What is x? What is y?", "1, 2", "parts"),
        ("a) find x\nb) find y", "1", "parts"),
        ("Prove that 2 is prime.", "yes", "proof"),
        ("Show that x = 2.", "2", "proof"),
        ("Which of the following is right?", "x", "choice"),
        ("What is it?\nA) 1\nB) 2", "B", "choice"),
        ("What is it", "(C)", "choice"),
        ("Is 7 a prime?", "it is", "yes_no"),
        ("Decide whether f converges.", "it does", "yes_no"),
        ("Does the charge move?", "No, it rests", "yes_no"),
        ("Explain the sign.", "minus", "open"),
        ("Why does ice float?", "density", "open"),
        ("Find the current in Fig. 3.2.", "2 A", "context"),
        ("Use the previous exercise to find x.", "2", "context"),
        ("Find the mass given in the table.", "2", "context"),
        ("Find the roots.", "1; 2", "several_answers"),
    ],
)
def test_rules_on_questions(question, answer, why):
    assert rule_against(question, answer, 100, 30, 5) == why


@pytest.mark.parametrize(
    ("reply", "keep", "why"),
    [
        ("It is fine.\nDecision: keep", True, None),
        ("Fine.\n**Decision: keep**", True, None),
        ("<think>Decision: drop open</think>\nDecision: keep", True, None),
        *(("No.\nDecision: drop " + fault, False, fault) for fault in FAULTS),
        ("Decision: drop", None, "unreadable"),
        ("Decision: drop ugly", None, "unreadable"),
        ("Decision: keep\nDecision: drop open", None, "unreadable"),
        ("Decision: keep, I think", None, "unreadable"),
        ("keep", None, "unreadable"),
        ("", None, "unreadable"),
        ("<think>Decision: keep", None, "unreadable"),
    ],
)
def test_replies_are_read_strictly(reply, keep, why):
    opinion = read_reply(reply, "stop")
    assert (opinion.keep, opinion.why) == (keep, why)
    assert read_reply(reply, "length").keep is None
