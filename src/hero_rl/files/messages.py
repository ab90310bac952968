"""Chat messages as text models' templates expect them: contents that are text, tool calls that are objects.

    >>> plain_message({"role": "user", "content": [{"type": "text", "text": "1 + 1 ="}]})
    {'role': 'user', 'content': '1 + 1 ='}

What is no text, an image say, stays a list of parts: who reads the message refuses it, or leaves it out and counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["foreign_parts", "is_plain_message", "plain_message", "stored_message", "text_of_content"]


def is_plain_message(value: Any) -> bool:
    """Whether a value from a file is a message with a role and text."""
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)


def plain_message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message with a list of text parts joined, null as no text, and tool calls as templates take them."""
    content, calls = message.get("content"), message.get("tool_calls")
    if isinstance(content, str) and not calls and "tool_calls" not in message:
        return message
    plain = {name: value for name, value in message.items() if name != "tool_calls"}
    if not foreign_parts(content):
        plain["content"] = text_of_content(content)
    if calls:
        plain["tool_calls"] = [_call(call) for call in calls]
    return plain


def stored_message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message as a table keeps it, whose columns have one type: content as text, arguments of calls as JSON text.

    What a policy writes into a call, and what a tool answers, may be anything.
    """
    stored = {**message, "content": text_of_content(message.get("content"))}
    calls = message.get("tool_calls")
    return stored | {"tool_calls": [_stored_call(call) for call in calls]} if calls else stored


def foreign_parts(content: Any) -> list[str]:
    """The kinds of the parts that are no text."""
    if content is None or isinstance(content, str):
        return []
    if not isinstance(content, Sequence):
        return [type(content).__name__]
    return [_kind(part) for part in content if not _is_text(part)]


def text_of_content(content: Any) -> str:
    """The text of a message's content: a string, a list of parts of which some may be no text, or None."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part["text"] for part in content if _is_text(part)) if isinstance(content, Sequence) else ""


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _kind(part: Any) -> str:
    return str(part.get("type")) if isinstance(part, Mapping) else type(part).__name__


def _call(call: Any) -> Any:
    """A tool call whose arguments are an object: the API's form has them as JSON text, templates write them as JSON."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = json.loads(function["arguments"])
    except (ValueError, RecursionError):  # what a policy wrote need not be JSON
        return call
    return {**call, "function": {**function, "arguments": arguments}} if isinstance(arguments, dict) else call


def _stored_call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or isinstance(function.get("arguments"), str):
        return call
    return {**call, "function": {**function, "arguments": json.dumps(function.get("arguments"))}}
