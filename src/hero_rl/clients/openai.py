"""What servers that speak OpenAI's protocol reply, and what may be added to a request.

    listed = await engine.fetch(HttpRequest("GET", url + "/v1/models"), Models)
    model = listed.only("model", f"the judge at {url}")

Shapes are checked no further than they are used: servers differ in all the rest.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from hero_rl.clients.engine import MAX_QUOTED_CHARACTERS
from hero_rl.errors import ConfigError

__all__ = ["Choice", "Completions", "Message", "Models", "completions_path", "options_besides", "sendable"]


class Message(BaseModel):
    """What a model says in a chat.

    Attributes:
        content: the text; None where it got no further than its reasoning, or says nothing in words.
        reasoning_content: what a server with a reasoning parser took out of the text.
        reasoning: the same, as other servers call it.
    """

    content: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None

    @property
    def thought(self) -> str | None:
        """The reasoning that the server took out of the text; None where there is none, or not in words."""
        said = self.reasoning_content or self.reasoning
        return said if isinstance(said, str) else None


class Choice(BaseModel):
    """One completion.

    Attributes:
        message: of /v1/chat/completions.
        text: of /v1/completions.
        finish_reason: why it ends there.
    """

    message: Message | None = None
    text: str | None = None
    finish_reason: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Choice:
        if self.message is None and self.text is None:
            raise ValueError("a choice has a message or a text")
        return self

    @property
    def content(self) -> str | None:
        """The text without what a server took out of it."""
        return self.message.content if self.message else self.text


class Completions(BaseModel):
    """The reply to a request for completions.

    Attributes:
        choices: one at least.
        usage: statistics, unchecked: a text is not lost for an oddity in them.
    """

    choices: Annotated[list[Choice], Field(min_length=1)]
    usage: Any = None

    def tokens(self, kind: str) -> int | None:
        """`prompt_tokens` or `completion_tokens` as the server counts them; None where it does not."""
        count = self.usage.get(kind) if isinstance(self.usage, dict) else None
        return count if isinstance(count, int) and count >= 0 else None


class _Model(BaseModel):
    id: str


class Models(BaseModel):
    """The reply of /v1/models.

    Attributes:
        data: the models.
    """

    data: list[_Model]

    def only(self, setting: str, server: str) -> str:
        """The name of the one model.

        Raises:
            ConfigError: there is none, or several; names the setting that is to say which.
        """
        names = [model.id for model in self.data]
        if len(names) != 1:
            some = ", ".join(names[:10])[:MAX_QUOTED_CHARACTERS] or "none"
            raise ConfigError(f"{setting}: name one, since {server} lists {len(names)} models: {some}")
        return names[0]


def completions_path(chat: bool) -> str:
    """Where completions are asked for: after chat messages, or after text as it stands."""
    return "/v1/chat/completions" if chat else "/v1/completions"


def options_besides(taken: Collection[str], body: dict[str, Any]) -> dict[str, Any]:
    """The options that a user adds to each request.

    Raises:
        ValueError: one is among those taken, or is no JSON.
    """
    if found := sorted(set(taken) & body.keys()):
        raise ValueError(f"must leave {', '.join(found)} alone")
    try:
        json.dumps(body, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"must be JSON: {error}") from None
    return body


def sendable(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which cannot be sent."""
    return text.encode("utf-8", "replace").decode()
