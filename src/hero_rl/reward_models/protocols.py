"""How servers of reward models are asked for scores, and what they reply.

protocol = PROTOCOLS["vllm_classify"]
reply = await engine.fetch(HttpRequest("POST", url + protocol.path, {"input": ids, **protocol.options}), protocol.reply)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Strict

from hero_rl.clients.engine import Transient

__all__ = ["PROTOCOLS", "Number", "Protocol"]

# None is how some servers spell NaN.
Number = Annotated[float, Strict()] | None


class _Classified(BaseModel):
    index: int
    probs: list[Number]

    def values(self, tokens: int) -> list[Number]:
        return self.probs


class _Pooled(BaseModel):
    index: int
    data: list[list[Number]] | list[Number]

    def values(self, tokens: int) -> list[Number]:
        """Those of the last token, where each token has its own."""
        rows = [row for row in self.data if isinstance(row, list)]
        if not rows:
            return [value for value in self.data if not isinstance(value, list)]
        if len(rows) != tokens:
            raise Transient(f"{len(rows)} rows of numbers for {tokens} tokens")
        return rows[-1]


class _Embedded(BaseModel):
    index: int
    embedding: list[Number]

    def values(self, tokens: int) -> list[Number]:
        return self.embedding


class _ClassifyReply(BaseModel):
    data: list[_Classified]


class _PoolingReply(BaseModel):
    data: list[_Pooled]


class _EmbeddingsReply(BaseModel):
    data: list[_Embedded]


@dataclass(frozen=True)
class Protocol:
    """How a kind of server is asked.

    Attributes:
        path: of the endpoint.
        options: of the body, next to `input` and `model`.
        reply: its shape.
        remedy: what to do about scores that are no logits.
    """

    path: str
    options: dict[str, Any]
    reply: type[_ClassifyReply] | type[_PoolingReply] | type[_EmbeddingsReply]
    remedy: str


_VLLM_REMEDY = (
    "the server ignores `use_activation: false`, which each request carries: use vLLM 0.15 or later, or start it with "
    "`--pooler-config '{\"use_activation\": false}'`"
)
PROTOCOLS = {
    "vllm_classify": Protocol("/classify", {"use_activation": False}, _ClassifyReply, _VLLM_REMEDY),
    "vllm_pooling": Protocol("/pooling", {"use_activation": False}, _PoolingReply, _VLLM_REMEDY),
    "sglang_embeddings": Protocol(
        "/v1/embeddings",
        {"encoding_format": "float"},
        _EmbeddingsReply,
        "the server squeezes or normalises what the model's head gives: serve a checkpoint of a class named "
        "*ForSequenceClassification or *ForRewardModel with `--is-embedding`",
    ),
}
