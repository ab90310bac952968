"""From chat messages to the token ids that a reward model reads.

    tokens, truncated = Renderer(AutoTokenizer.from_pretrained("nvidia/AceMath-7B-RM")).tokenize(conversations)

What a policy writes is data. Spelled in a message, a control token ("<|im_end|>") stays the characters that it is
spelled with, since as a token it would let a completion end its turn and praise itself in another. Every other text
gets exactly the ids of `tokenizer.apply_chat_template(..., tokenize=True)`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hero_rl.errors import ConfigError
from hero_rl.files.messages import foreign_parts, plain_message, text_of_content
from hero_rl.files.rows import short
from hero_rl.foreign import rendered
from hero_rl.reward_models.base import Conversation

__all__ = ["OtherParts", "Renderer", "Tokens", "own_limit"]

OtherParts = Literal["refuse", "leave_out"]
"""What becomes of a message's parts that are no text."""

_logger = logging.getLogger(__name__)

# Tokenizers without a limit of their own carry a huge placeholder instead.
_NO_LIMIT = 10**9

# Of the private use area: no text means anything by it.
_MARK = "\ue000"
_MARK_IN_PARTS = [{"type": "text", "text": _MARK}]

# Their positions count from after the padding's, so that fewer are left than there are.
_OFFSET_POSITIONS = {
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "roberta-prelayernorm",
    "mpnet",
    "longformer",
}

Tokens = list[int]


class Renderer:
    """Renders and tokenises conversations by a tokenizer's own chat template.

    Without a template the contents are joined as they stand, nothing between them, and get the special tokens that the
    tokenizer adds to a text.

    Control tokens are the tokenizer's special ones. What is an added token and not special (Qwen3's "<think>") is part
    of what completions are made of, and stays a token. A form that only the tokenizer's normaliser would turn into a
    special token is not looked for.

    Attributes:
        tokenizer: a transformers tokenizer.
        max_tokens: a longer sequence loses its middle, so that the prompt's start and the completion's ending stay;
            None: no limit is known.
        other_parts: whether a conversation with a part that is no text, an image say, has no score, or that of its
            text.
        left_out: parts that were left out so far.

    Raises:
        ConfigError: max_tokens leaves no room for a start and an ending.
    """

    def __init__(self, tokenizer: Any, max_tokens: int | None = None, other_parts: OtherParts = "refuse") -> None:
        if max_tokens is not None and max_tokens < 2:
            raise ConfigError(f"max_tokens is {max_tokens}; it must leave room for a start and an ending")
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.other_parts = other_parts
        self.left_out = 0
        self._control = _pattern_of(tokenizer)
        self._failure_logged = False
        self._takes_parts = self._template_takes_parts()

    def tokenize(self, conversations: Sequence[Conversation]) -> tuple[list[Tokens], int]:
        """One sequence a conversation, empty where there is nothing to score, and the number of those cut to the limit.

        Nothing to score: no messages, no text but control tokens, a part that is no text, or a conversation that the
        template fails on.

        Raises:
            TypeError: something is no conversation at all.
        """
        for row, conversation in enumerate(conversations):
            if isinstance(conversation, (str, Mapping)) or not all(isinstance(said, Mapping) for said in conversation):
                raise TypeError(
                    f"conversations[{row}] must be a list of chat messages, each with role and content, the last one "
                    f"the assistant's; not {short(conversation)}"
                )
        sequences = [self._tokens(conversation) for conversation in conversations]
        cut = [self._cut(sequence) for sequence in sequences]
        return cut, sum(len(whole) != len(part) for whole, part in zip(sequences, cut, strict=True))

    def plain(self, conversation: Conversation) -> Conversation:
        """The messages with text for their contents; none where a part is no text and that is refused."""
        messages = [plain_message(message) for message in conversation]
        others = [kind for message in messages for kind in foreign_parts(message.get("content"))]
        if not others:
            return messages
        if self.other_parts == "refuse":
            said = "no score where a part is of type %r, which is no text (other_parts: leave_out scores the rest)"
            self._log_once(said, others[0])
            return []
        self.left_out += len(others)
        return [{**message, "content": text_of_content(message.get("content"))} for message in messages]

    def _log_once(self, said: str, what: object) -> None:
        if not self._failure_logged:
            _logger.warning(f"{said} (logged once)", what)
        self._failure_logged = True

    def _tokens(self, conversation: Conversation) -> Tokens:
        """The tokens of one conversation; none where anything about it fails, so that it costs no other its score."""
        try:
            conversation = self.plain(conversation)
            return self._rendered(conversation) if conversation else []
        except Exception as error:  # a template is a program with failures of its own, such as for two users in a row
            self._log_once("the reward model's template or tokenizer fails: %r", error)
            return []

    def _rendered(self, conversation: Conversation) -> Tokens:
        mark = _mark_not_in(conversation)
        if not self.tokenizer.chat_template:
            return self._bare_tokens(_whole("".join(message["content"] for message in conversation)), mark)
        if self._takes_parts:
            conversation = [{**said, "content": [{"type": "text", "text": said["content"]}]} for said in conversation]
        text = self._render([self._marked(dict(message), mark) for message in conversation])
        return self._piecewise(text, mark)  # a template writes its own special tokens, the first one too

    def _template_takes_parts(self) -> bool:
        """Whether the template writes the text of a list of parts, and not that of plain text."""
        if not self.tokenizer.chat_template:
            return False
        try:
            written = [self._render([{"role": "user", "content": form}]) for form in (_MARK, _MARK_IN_PARTS)]
        except Exception:  # such as for a conversation without an answer: most take text
            return False
        return _MARK not in written[0] and _MARK in written[1]

    def _render(self, messages: list[dict[str, Any]]) -> str:
        return rendered(self.tokenizer, messages)

    def _bare_tokens(self, text: str, mark: str) -> Tokens:
        if self._control is None or not self._control.search(text):
            return self.tokenizer(text)["input_ids"] if text else []
        if not self._control.sub("", text):
            return []
        before, after = self._added()
        return before + self._piecewise(self._marked(text, mark), mark) + after

    def _piecewise(self, text: str, mark: str) -> Tokens:
        """The ids of a text without its marks, no token spanning a place where one stood.

        Tokenizers that put a space before each text, as Llama 2's, put one there too: inside a control token spelled.
        """
        pieces = [piece for piece in text.split(mark) if piece]
        return [token for piece in pieces for token in self.tokenizer(piece, add_special_tokens=False)["input_ids"]]

    def _added(self) -> tuple[Tokens, Tokens]:
        """What the tokenizer puts before and after a text."""
        bare = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = self.tokenizer("a")["input_ids"]
        start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
        return whole[:start], whole[start + len(bare) :]

    def _marked(self, value: Any, mark: str) -> Any:
        """The value with a mark inside each control token that its strings spell."""
        if isinstance(value, str):
            value = _whole(value)
            # Again, as a token that is broken up may have covered another that overlaps with it.
            while self._control is not None and self._control.search(value):
                value = self._control.sub(lambda found: found[0][0] + mark + found[0][1:], value)
            return value
        if isinstance(value, Mapping):
            return {name: self._marked(part, mark) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._marked(part, mark) for part in value]
        return value

    def _cut(self, tokens: Tokens) -> Tokens:
        if self.max_tokens is None or len(tokens) <= self.max_tokens:
            return tokens
        head = self.max_tokens // 2
        return tokens[:head] + tokens[len(tokens) - (self.max_tokens - head) :]


def own_limit(config: Any, tokenizer: Any) -> int | None:
    """The longest sequence that model and tokenizer are made for; None if neither says.

    Args:
        config: the model's configuration, None where it is not known.
        tokenizer: its tokenizer.
    """
    positions = None
    if config is not None:
        positions = getattr(config.get_text_config(), "max_position_embeddings", None)
        if positions and config.model_type in _OFFSET_POSITIONS:
            positions -= (config.pad_token_id or 0) + 1
    known = [limit for limit in (positions, tokenizer.model_max_length) if limit and 0 < limit < _NO_LIMIT]
    return int(min(known)) if known else None


def _pattern_of(tokenizer: Any) -> re.Pattern[str] | None:
    """What finds the tokenizer's special tokens in a text, the longest first; one of a single sign cannot be broken."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    special = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
    spelled = sorted((token for token in special if len(token) > 1), key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, spelled))) if spelled else None


def _whole(text: str) -> str:
    """The text with a replacement character where half of a surrogate pair stands, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _mark_not_in(conversation: Conversation) -> str:
    mark, said = _MARK, ascii(conversation)
    while ascii(mark)[1:-1] in said:
        mark += _MARK
    return mark
