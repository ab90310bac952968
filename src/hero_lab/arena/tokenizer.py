"""The word-level tokenizer of the arena: every word is one token, numbers 0 to 99 included."""

from __future__ import annotations

from transformers import PreTrainedTokenizerFast

from hero_lab.arena.answers import ANSWER_WORD
from hero_lab.arena.task import EASY_TYPES, HARD_TYPES, MAX_NUMBER, PROMPT_END

__all__ = ["EOS", "MAX_TOKENS", "PAD", "UNKNOWN", "build_tokenizer"]

PAD, EOS, UNKNOWN = "<pad>", "<eos>", "<unk>"

MAX_TOKENS = 64
"""Longest sequence of the arena's models; a prompt and its completion need 22."""

_ANSWER_WORDS = ("{", "}", ",", "|", "(x", "-", ")", "/", "+", "x", "x^2", "=", "or")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A new tokenizer: splits at whitespace and around the prompt's end, pads on the left, adds no special token.

    A completion may thus follow its prompt with or without a space between them. Decoding joins words with single
    spaces, and gives back any text of known words so written.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: place for place, word in enumerate(_words())}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(PROMPT_END, "isolated")]
    )
    # No decoder: the backend then joins words with single spaces.
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        padding_side="left",
        model_max_length=MAX_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def _words() -> list[str]:
    """The vocabulary in the order of ids; the padding token is 0."""
    operations = [f"*{n}" for n in range(2, 10)] + [f"{sign}{n}" for sign in "+-" for n in range(1, 10)]
    words = [PAD, EOS, UNKNOWN, PROMPT_END, ANSWER_WORD, *EASY_TYPES, *HARD_TYPES, *_ANSWER_WORDS, *operations]
    return list(dict.fromkeys(words + [str(number) for number in range(MAX_NUMBER + 1)]))
