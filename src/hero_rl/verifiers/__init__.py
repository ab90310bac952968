"""Verifiers: is a completion's final answer the reference? Yes (1), no (0) or no opinion (NaN)."""

from typing import Annotated

from pydantic import Field

from hero_rl.verifiers.base import BatchVerifier, Pair, Reason, StagedVerifier, Verdict, Verifier
from hero_rl.verifiers.exact import ExactVerifier
from hero_rl.verifiers.math import MathVerifier, verify_math
from hero_rl.verifiers.math_verify import MathVerify

__all__ = [
    "AnyVerifier",
    "BatchVerifier",
    "ExactVerifier",
    "MathVerifier",
    "MathVerify",
    "Pair",
    "Reason",
    "StagedVerifier",
    "Verdict",
    "Verifier",
    "verify_math",
]

AnyVerifier = Annotated[ExactVerifier | MathVerifier | MathVerify, Field(discriminator="type")]
"""Any verifier as a block of a configuration file, told apart by its `type`."""
