"""Words with which a text denies an answer, doubts it or takes it back, for the patterns of all places where it may.

Alternatives of a regular expression, to stand between word borders. Which of them count depends on the place: "but"
behind a bare value is a second thought, "but" in a long solution is not.
"""

from __future__ import annotations

import re

__all__ = ["HEDGES", "HESITATES", "INTERRUPTS", "SUPPOSES", "TAKES_BACK", "WRONG"]

HESITATES = r"wait|hmm+|actually|hold\s+on"
INTERRUPTS = rf"{HESITATES}|oops|sorry"
"""A writer interrupts himself; an apology is a second thought only where an answer stands beside it."""
WRONG = r"wrong|incorrect"
SUPPOSES = r"suppose|supposing|assume|assuming"
HEDGES = r"guess|maybe|perhaps"

TAKES_BACK = re.compile(
    rf"\b(?:not|never|cannot|neither|nor|no|except|but|impossible|false|{WRONG}|{SUPPOSES}|unless|contradiction|{HEDGES}"
    r"|unlikely|(?:answer|value|result|it)\s+(?:might|may(?=(?:\s+be)?\s*(?:$|\W{0,3}\d)))|mistake\s+(?:gives|is|would)"
    r"|(?:must|should|can|we)\s+(?:exclude|eliminate|reject|rule\s+out)|is\s+(?:excluded|eliminated|rejected|ruled\s+out)"
    r"|(?:reals?|numbers?|values?|integers?)\s+excluding)\b|n't\b|\bcould be(?=\s+\S+$)",
    re.IGNORECASE,
)
"""In the sentence that states a value, or in its part before the value."""
