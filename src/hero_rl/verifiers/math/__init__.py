"""Mathematics as an answer: where it is stated, how it is read, when two are equal."""

from hero_rl.verifiers.math.verifier import MathVerifier, verify_math

__all__ = ["MathVerifier", "verify_math"]
