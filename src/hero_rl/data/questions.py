r"""Which textbook questions have one short final answer, told by rules that read the text alone.

>>> rule_against("Prove that 2 is prime.", "2", 2000, 200, 25), rule_against("What is 2 + 2?", "4", 2000, 200, 25)
('proof', None)

Rules are made to leave out too much rather than too little: there are many more questions than are wanted.
"""

from __future__ import annotations

import re

__all__ = ["RULES", "rule_against"]

RULES = {
    "long_question": "the question is too long",
    "long_answer": "the answer is too long to be compared",
    "parts": "several questions in one",
    "proof": "asks for a proof",
    "open": "asks for an explanation or an opinion",
    "choice": "multiple choice",
    "yes_no": "yes or no, right half of the time by chance",
    "context": "refers to what is not there: a figure, an earlier exercise",
    "several_answers": "several answers",
}
"""Why a rule leaves a question out."""

_PARTS = re.compile(
    r"\((?:a|i)\)[^()]*(?:\([^()]*\)[^()]*)*?\((?:b|ii)\)|^\s*(?-i:a|i)[.)]\s.*?^\s*(?-i:b|ii)[.)]\s",
    re.I | re.M | re.S,
)
_PROOF = re.compile(
    r"\b(?:prove|proof|disprove|(?:show|demonstrate|verify|establish|deduce) that)\b",
    re.I,
)
_OPEN = re.compile(
    r"\b(?:explain|discuss|describe|justify|comment on|compare and contrast|outline|summari[sz]e|sketch|draw|plot|"
    r"give an example|in your own words|what do you think|why (?:is|are|do|does|did|was|were|can|should)|suggest)\b",
    re.I,
)
_CHOICE = re.compile(
    r"\bwhich (?:one )?of the (?:following|above|below)\b|\b(?:multiple|correct) choice\b|\ball of the above\b|"
    r"^\s*\(?(?-i:A)[.)]\s.*?^\s*\(?(?-i:B)[.)]\s",
    re.I | re.M | re.S,
)
_CHOSEN = re.compile(r"\s*\(?[A-E][.)]?\s*")
_YES_NO = re.compile(r"\s*(?:yes|no|true|false)\b", re.I)
_ASKS_YES_NO = re.compile(
    r"^\s*(?:is|are|was|were|does|do|did|can|could|will|would|has|have|should)\b|\btrue or false\b|\bwhether\b",
    re.I,
)
_PLACE = (
    r"(?:fig(?:ure|\.)|table|diagram|graph|chart|exercise|example|problem|section|chapter|theorem|lemma|equation|eq\.)"
)
_CONTEXT = re.compile(
    rf"\b{_PLACE}\s*(?:\(?\d|shown|below|above)"
    rf"|\b(?:previous|preceding|above|earlier) (?:{_PLACE}|part|question|result)"
    r"|\b(?:shown|given|listed|pictured) (?:in the|below|above)\b"
    r"|\b(?:according to|in|from) the (?:text|passage|chapter|author|figure|table|diagram|graph)\b",
    re.I,
)
_SEVERAL = re.compile(r";|\n\s*\S|\b(?:first|firstly|second|secondly)[,:]", re.I)


def rule_against(question: str, answer: str, max_question: int, max_answer: int, max_words: int) -> str | None:
    """The first of `RULES` that speaks against a question; None where none does.

    Args:
        question: the question.
        answer: its reference answer.
        max_question: characters of a question.
        max_answer: characters of an answer.
        max_words: words of an answer.
    """
    if len(question) > max_question:
        return "long_question"
    if len(answer) > max_answer or len(answer.split()) > max_words:
        return "long_answer"
    if _PARTS.search(question) or question.count("?") > 1:
        return "parts"
    if _PROOF.search(question):
        return "proof"
    if _CHOICE.search(question) or _CHOSEN.fullmatch(answer):
        return "choice"
    if _YES_NO.match(answer) or (_ASKS_YES_NO.search(question) and "how" not in question.lower()):
        return "yes_no"
    if _OPEN.search(question):
        return "open"
    if _CONTEXT.search(question):
        return "context"
    return "several_answers" if _SEVERAL.search(answer) else None
