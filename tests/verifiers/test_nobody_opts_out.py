"""One right, one wrong and six answers that would rather not be judged: what the group learns, and what is reported."""

import pytest
import torch
from hostile_verifiers import Obedient

from hero_rl import MathVerifier, Supervised, VerifierOnly, verify_math
from hero_rl.evaluation.statistics import pass_at_k
from hero_rl.scoring import Scorer
from hero_rl.verifiers import Processes, in_processes

MATHS = (
    r"\sqrt{2}",
    [
        r"\boxed{\sqrt 2}",
        r"\boxed{\sqrt 3}",
        r"\boxed{\max(\ln 2,0)}",
        r"\boxed{\min(\pi,i,2)}",
        r"\boxed{9^{9^{9^9}}}",
        r"\boxed{2^{10^{4000}} \bmod 10^{4000}}",
        r"\boxed{" + "(" * 400 + "x" + ")" * 400 + "}",
        r"\boxed{|x| > i}",
    ],
)
CODE = ("5", ["5", "6", "do:loop", "do:fail", "do:bomb", "do:leave", "do:kill", "do:gossip"])


def check(scored):
    assert scored.verdict.tolist() == [1.0] + [0.0] * 7
    shaped, _ = VerifierOnly().update(scored.signals([3] * 8), VerifierOnly().init())
    assert shaped.advantage.tolist() == pytest.approx([0.875] + [-0.125] * 7)
    assert pass_at_k([[verdict.item() for verdict in scored.verdict]], 1).tolist() == [0.125]


@pytest.mark.parametrize("supervised", [False, True])
def test_answers_that_would_break_the_maths_verifier(supervised):
    reference, completions = MATHS
    verifier = in_processes(MathVerifier(), Processes(workers=2)) if supervised else MathVerifier()
    check(Scorer(verifier).score(["p"] * 8, completions, [reference] * 8))
    assert [verify_math(reference, completion) for completion in completions] == [True] + [False] * 7


def test_answers_that_break_any_verifier():
    reference, completions = CODE
    with Supervised(Obedient(), workers=2, seconds=0.5, memory_mb=512) as verifier:
        check(Scorer(verifier).score(["p"] * 8, completions, [reference] * 8))


def test_a_verifier_in_this_process_that_raises_on_answers():
    class Picky:
        def verify(self, reference, completion):
            if completion.startswith("do:"):
                raise ValueError(completion)
            return Obedient().verify(reference, completion)

    completions = ["5", "6", *(f"do:{n}" for n in range(6))]
    check(Scorer(Picky()).score(["p"] * 8, completions, ["5"] * 8))
    assert torch.isnan(Scorer(Picky()).score(["p"], ["do:1"], ["do:1"]).verdict).all()
