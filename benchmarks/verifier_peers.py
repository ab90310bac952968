"""Other libraries' functions as verifiers; in a module of their own, so that worker processes can load them."""

from __future__ import annotations

import time
from typing import Any

from hero_rl.verifiers import Reason, Verdict


def bare(reference: str) -> str:
    """A gold without formula marks, for functions that compare text."""
    return reference if r"\boxed" in reference else reference.replace("$", "").strip()


def delimited(reference: str) -> str:
    """A gold between formula marks, for functions that look for them; a whole solution as it is."""
    return reference if r"\boxed" in reference else f"${bare(reference)}$"


class Peer:
    """A library's function as a verifier: `accepts` says whether it takes the completion."""

    def verify(self, reference: str, completion: str) -> Verdict:
        start = time.perf_counter()
        accepted = self.accepts(reference, completion)
        reason = Reason.MATCHED_SYMBOLICALLY if accepted else Reason.MISMATCH
        return Verdict.of(reason, seconds=time.perf_counter() - start)

    def accepts(self, reference: str, completion: str) -> bool:
        raise NotImplementedError


class MathVerifyLibrary(Peer):
    """math-verify with its defaults and a gold between dollars."""

    def accepts(self, reference: str, completion: str) -> bool:
        from math_verify import parse, verify

        return bool(verify(parse(delimited(reference)), parse(completion)))


class TrlAccuracyReward(Peer):
    """`trl.rewards.accuracy_reward`; its None (a gold that it cannot read) accepts nothing."""

    def accepts(self, reference: str, completion: str) -> bool:
        from trl.rewards import accuracy_reward

        return accuracy_reward([[{"role": "assistant", "content": completion}]], [delimited(reference)])[0] == 1.0


class VerlMathVerify(Peer):
    """`verl.utils.reward_score.math_verify`."""

    def accepts(self, reference: str, completion: str) -> bool:
        from verl.utils.reward_score import math_verify  # pyright: ignore[reportMissingImports]

        return math_verify.compute_score(completion, bare(reference)) == 1.0


class VerlMathReward(Peer):
    """`verl.utils.reward_score.math_reward`."""

    def accepts(self, reference: str, completion: str) -> bool:
        from verl.utils.reward_score import math_reward  # pyright: ignore[reportMissingImports]

        return math_reward.compute_score(completion, bare(reference)) == 1.0


class VerlPrimeMath(Peer):
    """`verl.utils.reward_score.prime_math`."""

    def accepts(self, reference: str, completion: str) -> bool:
        from verl.utils.reward_score import prime_math  # pyright: ignore[reportMissingImports]

        return bool(prime_math.compute_score(completion, bare(reference))[0])


class Unstaged:
    """A verifier without its stages, so that each pair is checked in the process, as a peer's is."""

    def __init__(self, verifier: Any) -> None:
        self.inner = verifier

    def verify(self, reference: str, completion: str) -> Verdict:
        return self.inner.verify(reference, completion)

    def warm_up(self) -> None:
        # One check, so that no library's import is in anybody's time.
        self.inner.verify("\\frac{1}{2}", "so \\boxed{0.5}")
