r"""What of a completion was said to the reader: its own turn, without the thinking.

A thought is what stands between a pair of marks that reasoning models write. One that never closes swallows the rest,
so a completion that was cut off in the middle of thinking says nothing, whatever it says.
"""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.boxes import find_frames
from hero_rl.verifiers.math.text.doubts import HESITATES

__all__ = [
    "after_thinking",
    "before_next_problem",
    "in_thought_text",
    "leaves_in_thought",
    "own_turn",
    "thinks_to_the_end",
]

_THOUGHT = "<think>"

# As Qwen, DeepSeek, GLM and Phi write them; Seed; Magistral; Kimi; Sky-T1 and OpenThinker; Command A; and prompts that
# ask for such tags.
_PAIRS = (
    (_THOUGHT, "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
_THINKS = ("think", "THINK", "thought", "reasoning>", "scratchpad>")  # one of which is in each of them
# gpt-oss: one message a channel; without its control tokens, their names run into the text.
_CHANNEL, _FINAL_CHANNEL = "<|channel|>", re.compile(r"<\|channel\|>final[^<]{0,40}<\|message\|>")
_ANALYSIS, _FINAL = re.compile(r"\s*analysis(?=[A-Z])"), "assistantfinal"

_ASSISTANT = (
    r"<\|im_start\|>\s{0,4}assistant|<\|start_header_id\|>\s{0,4}assistant\s{0,4}<\|end_header_id\|>|<\|start\|>assistant"
    r"|<start_of_turn>model|<[|｜](?:[Aa]ssistant|CHATBOT_TOKEN)[|｜]>|\[/INST\]"
)
_OPENING = re.compile(
    rf"\s{{0,20}}(?:(?:{_ASSISTANT}|<[|｜]begin[_▁ ]of[_▁ ](?:text|sentence)[|｜]>|<s>|<bos>)\s{{0,20}}){{1,4}}"
)
_ASSISTANT_TURN = re.compile(rf"(?:{_ASSISTANT}|(?:^|\n)Assistant:)")
# Control tokens end a turn, except those that begin a part of it. DeepSeek's "▁" is a space once its text was cleaned.
_CLOSING = re.compile(
    r"<(?:[|｜](?!(?:begin|start|START)[_▁]|end_of_box|message|channel)"
    r"(?:[A-Za-z_▁]{3,40}|end of (?:sentence|text|turn))[|｜]>"
    r"|/s>|(?:eos|EOS|pad|PAD|end_of_turn|start_of_turn|turn\|)>)"
    r"|\[(?:EOS|EOT|PAD|\|endofturn\|)\]"
)
_OTHERS_TURN = re.compile(r"\n(?:Human|User):")
# Roles as bare lines, whose control tokens were left out.
_BARE_TURN, _BARE_REPLY = re.compile(r"\n(?:user|human)\n"), ("\nassistant\n", "\nmodel\n")
# A model that was not taught to stop goes on with a problem of its own, as examples in a prompt follow each other.
_NEXT_PROBLEM = re.compile(
    r"\n[ \t]{0,4}(?:#{1,4}[ \t]?|\*\*)?(?:Question|Problem|Q|Exercise|Instruction|题目|问题)"
    r"[ \t]{0,2}(?P<number>\d{1,3})?[ \t]{0,2}(?:\*\*)?[ \t]{0,2}(?:[:：]|\n)"
)
_ITS_ANSWER = re.compile(
    r"\?|\n####|\n[ \t]{0,4}(?:#{1,4}[ \t]?|\*\*)?(?:Answer|Solution|Response|A|答案|解答?)"
    r"(?:\*\*)?[ \t]{0,2}(?:[:：]|\n)"
)
_STATES = re.compile(
    r"\\boxed\s*\{|####[ \t]*\S|\banswer(?:\s+is\b|\s*:)[\s*]*(?:[$\\(\[]*[-−]?\d|[$\\]|(?-i:\(?[A-J]\b))",
    re.IGNORECASE,
)
_NUMBERED_PART = re.compile(
    r"(?:^|\n)[ \t*#(]{0,6}(?:Part|Question|Problem|Q|Exercise|[1-9a-h][.)]|\(?[ivx]{1,4}\))[ \t]?[(\d]?", re.IGNORECASE
)
_RECONSIDERS = re.compile(
    rf"\b(?:{HESITATES}|but|however|alternatively|let me|let's|let us|double[- ]check|check|verify|maybe)\b",
    re.IGNORECASE,
)


def after_thinking(completion: str) -> str | None:
    """What follows the last thought; None where a thought never ends, or nothing but thinking was written."""
    if _CHANNEL in completion:
        return _last_message(completion)
    if _ANALYSIS.match(completion):
        return completion.rpartition(_FINAL)[2] if _FINAL in completion else None
    if not any(word in completion for word in _THINKS):
        return completion
    ends = (at + len(close) for _, close in _PAIRS if (at := completion.rfind(close)) >= 0)
    said = completion[max(ends, default=0) :]
    return None if any(opening in said for opening, _ in _PAIRS) else said


def _last_message(completion: str) -> str | None:
    ends = [match.end() for match in _FINAL_CHANNEL.finditer(completion)]
    return completion[ends[-1] :] if ends else None


def own_turn(text: str) -> str:
    """Up to the token that ends the turn, without those that began it."""
    opening = _OPENING.match(text)
    text = text[opening.end() if opening else 0 :]
    closing = _CLOSING.search(text)
    text = text[: closing.start()] if closing else text
    others = _OTHERS_TURN.search(text) or _BARE_TURN.search(text)
    if others is None:
        return text
    is_turn = others.re is _OTHERS_TURN or max(map(text.rfind, _BARE_REPLY)) > others.start()
    return text[: others.start()] if is_turn else text


def before_next_problem(text: str) -> str:
    """Up to another problem with its answer, where that stands behind an answer; else all of it.

    A problem that is said again before it is solved is no other one, and neither is a numbered one in a text that has
    numbered parts before: what such a text says last is its answer.
    """
    stated = _STATES.search(text)
    following = _NEXT_PROBLEM.search(text, stated.end()) if stated else None
    if stated is None or following is None or not _ITS_ANSWER.search(text, following.end() - 1):
        return text
    if following["number"] and _NUMBERED_PART.search(text, 0, stated.start()):
        return text
    return text[: following.start()]


def leaves_in_thought(prompt: str) -> bool:
    """Whether a prompt ends inside of a thought that the completion goes on with, as some chat templates have it."""
    if prompt.rstrip().endswith(tuple(opening for opening, _ in _PAIRS)):
        return True
    turns = list(_ASSISTANT_TURN.finditer(prompt))
    return bool(turns) and after_thinking(prompt[turns[-1].end() :]) is None


def in_thought_text(completion: str, began_in_thought: bool) -> str:
    """The completion with the opening of its thought in front, if that stood at the end of its prompt."""
    return _THOUGHT + completion if began_in_thought else completion


def thinks_to_the_end(completion: str) -> bool:
    """Whether a text that was cut off, and shows no end of a thought, breaks off while it weighs its answer.

    Where the prompt is not known, its chat template may have opened a thought. A text that goes on after its last box
    with "wait", "let me check" and the like, or ends so without a box, had not come to its final answer.
    """
    if any(close in completion for _, close in _PAIRS):
        return False
    frames, _ = find_frames(completion[-_LONGEST_ENDING:])
    ending = completion[-_LONGEST_ENDING:][frames[-1].end :] if frames else completion[-_LAST_WORDS:]
    return bool(_RECONSIDERS.search(ending))


_LONGEST_ENDING = 20_000
_LAST_WORDS = 600
