"""Texts from a causal language model in this process, by transformers.

    generator = TransformersGeneratorConfig(path="Qwen/Qwen3-4B-Base").build(Sampling(temperature=0.6))
    texts = {made.key: made.text for made in generator.generate(requests)}

Each completion is drawn with random numbers of its own, which its request's seed gives, the same on every device and
in every batch. The logits that they are held against depend on the batch in their last bits, as padding changes the
order of sums: now and then, where a draw falls on the border between two tokens, another batch writes another text. In
float32 that is rare, in bfloat16 it is not; batches of one have it never.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from hero_rl.checkpoints import Checkpoint
from hero_rl.errors import ConfigError
from hero_rl.files.rows import Text
from hero_rl.foreign import loading, rendered
from hero_rl.generation.base import Generated, GenerationRequest, Sampling
from hero_rl.generation.common_starts import starts_shared
from hero_rl.verifiers.math.text.thinking import in_thought_text, leaves_in_thought

__all__ = ["TransformersGenerator", "TransformersGeneratorConfig", "contiguous_head"]

_OURS = {"conversation", "chat_template", "tokenize", "add_generation_prompt", "continue_final_message"}


class TransformersGeneratorConfig(Checkpoint):
    """Where a model comes from and how it runs.

    Attributes:
        path: folder, or name on the Hugging Face hub, of a causal language model.
        batch_size: completions that are written at one time; halved for good where memory runs out.
        chat: put the prompt through the model's chat template, a text as a user's message; else the text as it stands.
        chat_template: a Jinja template in the place of the tokenizer's own.
        chat_template_kwargs: what the template is told beside the messages, by the name of TRL's setting, such as
            `{"enable_thinking": false}` for Qwen3.
    """

    type: Literal["transformers"] = "transformers"
    batch_size: Annotated[int, Field(gt=0)] = 16
    chat: bool = True
    chat_template: str | None = None
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)

    @field_validator("chat_template_kwargs")
    @classmethod
    def _not_ours(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        if ours := sorted(_OURS & kwargs.keys()):
            raise ValueError(f"{', '.join(ours)}: set by the generator itself")
        return kwargs

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that the texts depend on, but for last bits."""
        return self.model_dump(mode="json", exclude={"device", "attention", "batch_size", "trust_remote_code"})

    def build(self, sampling: Sampling) -> TransformersGenerator:
        """Load model and tokenizer.

        Raises:
            ConfigError: there is no such model, or no chat template for `chat`.
        """
        from transformers import AutoModelForCausalLM

        model, tokenizer = self._load(AutoModelForCausalLM, "causal language model", "generator.")
        if self.chat_template is not None:
            tokenizer.chat_template = self.chat_template
        return TransformersGenerator(
            model, tokenizer, sampling, self.path, self.batch_size, self.chat, self.chat_template_kwargs
        )


class TransformersGenerator:
    """Writes with a model of transformers; see `hero_rl.generation.base.Generator`.

    A prompt that leaves no room for a token in the model's context, and one that does not fit in memory even alone, are
    failures. A completion ends at the model's context where that comes before `max_tokens`. Of the model's own
    generation settings the tokens that end a text are taken, and nothing else: no penalty, no top-k.

    Attributes:
        model: the name that was given.
        sampling: how tokens are drawn.
        batch_size: completions at one time.
        chat: whether prompts go through the chat template.
        chat_template_kwargs: what the template is told beside the messages.

    Raises:
        ConfigError: no chat template, where `chat` is on.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        sampling: Sampling,
        name: str,
        batch_size: int = 16,
        chat: bool = True,
        chat_template_kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        if chat and not tokenizer.chat_template:
            raise ConfigError(
                f"generator.chat: {name} has no chat template; give generator.chat_template or set generator.chat false"
            )
        self.model = name
        self.sampling = sampling
        self.batch_size = batch_size
        self.chat = chat
        self.chat_template_kwargs = dict(chat_template_kwargs)
        self._model: Any = model.eval()
        contiguous_head(model)
        self._tokenizer = tokenizer
        self._eos = _ends_of(model, tokenizer)
        self._pad = _padding(tokenizer, self._eos)
        self._context = getattr(model.config, "max_position_embeddings", None)
        self._opens_thought = chat and self._template_opens_thought()
        _own_settings(model, self._eos, self._pad)

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generated]:
        """One result a request, batch by batch in the order given."""
        queue = iter(requests)
        while batch := list(islice(queue, self.batch_size)):
            yield from self._batch(batch)

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def __enter__(self) -> TransformersGenerator:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _batch(self, batch: Sequence[GenerationRequest]) -> Iterator[Generated]:
        fitting: list[tuple[GenerationRequest, list[int]]] = []
        for request in batch:
            tokens = self._tokens(request.prompt)
            if tokens and self._room(tokens) > 0:
                fitting.append((request, tokens))
            else:
                said = f"{len(tokens)} tokens leave no room in a context of {self._context}" if tokens else "is empty"
                yield Generated(request.key, None, failure=f"the prompt {said}")
        if fitting:
            yield from self._written(fitting)

    def _written(self, rows: Sequence[tuple[GenerationRequest, list[int]]]) -> Iterator[Generated]:
        import torch

        start = time.monotonic()
        try:
            written = self._write([tokens for _, tokens in rows], [request.seed for request, _ in rows])
        except torch.cuda.OutOfMemoryError:
            written = None  # outside the block, where the failed pass's tensors are let go
        if written is not None:
            seconds = time.monotonic() - start
            short: list[tuple[GenerationRequest, list[int]]] = []
            for (request, tokens), completion in zip(rows, written, strict=True):
                one = self._ended(request.key, completion, self._room(tokens), seconds)
                if one.finish_reason == "length" and one.tokens != self._room(tokens):
                    short.append((request, tokens))
                else:
                    yield one
            if short:  # again from the start, which comes out the same, without the longest prompts of this batch
                yield from self._written(short)
            return
        torch.cuda.empty_cache()
        if len(rows) == 1:
            yield Generated(rows[0][0].key, None, failure="does not fit in the device's memory")
            return
        half = len(rows) // 2
        self.batch_size = min(self.batch_size, half)
        yield from self._written(rows[:half])
        yield from self._written(rows[half:])

    def _tokens(self, prompt: Text) -> list[int]:
        if not self.chat:
            if not isinstance(prompt, str):
                raise ConfigError("generator.chat: a prompt of chat messages needs it on")
            return self._tokenizer(prompt)["input_ids"]
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        return self._tokenizer(self._rendered(messages), add_special_tokens=False)[
            "input_ids"
        ]  # the template writes its own

    def _rendered(self, messages: list[Any]) -> str:
        with loading("generator.chat_template: it fails on a prompt"):
            return rendered(self._tokenizer, messages, add_generation_prompt=True, **self.chat_template_kwargs)

    def _template_opens_thought(self) -> bool:
        """Whether the template ends its prompts with a thought's opening, which then begins what the model wrote."""
        text = self._rendered([{"role": "user", "content": "?"}])
        # A special token is left out of the text, so that a closed thought would look open.
        return "</think>" not in self._tokenizer.all_special_tokens and leaves_in_thought(text)

    def _room(self, tokens: Sequence[int]) -> int:
        """Tokens that a completion of this prompt may have."""
        left = self.sampling.max_tokens if self._context is None else self._context - len(tokens)
        return min(self.sampling.max_tokens, left)

    def _write(self, prompts: Sequence[list[int]], seeds: Sequence[int]) -> list[list[int]]:
        """The tokens of a completion for each prompt, what follows its end included.

        As many as the longest prompt has room for: padded, no row is led beyond the model's context, which some models
        have no positions for. A row that is not at its end by then is short.
        """
        import torch

        longest = max(map(len, prompts))
        ids = torch.tensor([[self._pad] * (longest - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        steps = min(map(self._room, prompts))
        stop: dict[str, Any] = {}
        if self.sampling.stop:
            stop = {"stop_strings": list(self.sampling.stop), "tokenizer": self._tokenizer}
        with torch.inference_mode(), starts_shared(self._model):
            made = self._model.generate(
                input_ids=ids.to(self._model.device),
                attention_mask=mask.to(self._model.device),
                max_new_tokens=steps,
                logits_processor=self._drawing(seeds, steps),
                **stop,
            )
        return made[:, longest:].tolist()

    def _drawing(self, seeds: Sequence[int], steps: int) -> Any:
        from transformers import LogitsProcessorList

        if self.sampling.temperature == 0:
            return LogitsProcessorList()
        from hero_rl.generation.drawing import SeededDraw

        return LogitsProcessorList([SeededDraw(seeds, steps, self.sampling.temperature, self.sampling.top_p)])

    def _ended(self, key: str, tokens: list[int], room: int, seconds: float) -> Generated:
        """A completion up to its end: a token that ends it, a text that does, or the length."""
        tokens = tokens[:room]
        end = next((at for at, token in enumerate(tokens) if token in self._eos), None)
        if end is not None:
            tokens = tokens[: end + 1]
        stopped = self._has_stop(tokens)
        if stopped:  # with the first token that completes it
            tokens = tokens[: 1 + bisect_left(range(len(tokens)), True, key=lambda n: self._has_stop(tokens[: n + 1]))]
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        places = [at for at in map(text.find, self.sampling.stop) if at >= 0]
        reason = "stop" if stopped or end is not None else "length"
        text = in_thought_text(text[: min(places, default=len(text))], self._opens_thought)
        return Generated(key, text, reason, len(tokens), seconds)

    def _has_stop(self, tokens: list[int]) -> bool:
        """Whether a text that ends a completion is in it; it may be that of a special token."""
        text = self._tokenizer.decode(tokens) if self.sampling.stop else ""
        return any(stop in text for stop in self.sampling.stop)


def contiguous_head(model: Any) -> None:
    """Have a model's head read contiguous input, however often this is called.

    Of a prompt only the last position reaches the head, as a slice. Without gradients torch on the CPU then copies the
    head's weights for each row of the batch: 3.6 GB for 64 rows of SmolLM2-135M in bfloat16.
    """
    head = model.get_output_embeddings()
    if head is not None and _contiguous not in head._forward_pre_hooks.values():
        head.register_forward_pre_hook(_contiguous)


def _contiguous(head: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one.contiguous() for one in given)


def _ends_of(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a text, by the model's generation settings and by its tokenizer."""
    said = model.generation_config.eos_token_id
    ends = said if isinstance(said, list) else [said]
    return {end for end in [*ends, tokenizer.eos_token_id] if end is not None}


def _padding(tokenizer: Any, ends: set[int]) -> int:
    if tokenizer.pad_token_id is not None:
        return tokenizer.pad_token_id
    return min(ends) if ends else 0  # masked wherever it stands


def _own_settings(model: Any, ends: set[int], pad: int) -> None:
    """Settings of generation that draw nothing and punish nothing, in the place of the checkpoint's."""
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=sorted(ends) or None, pad_token_id=pad)
