"""Rules of turns: roles, content, and the pairing of tool calls with their results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchtui.intake.contents import check_block
from batchtui.intake.facts import ModelFacts
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.words import kind_of, near, quoted

MAX_MESSAGES = 100_000
_ROLES = ("user", "assistant")
_OTHER_ROLES = {
    "human": "user",
    "ai": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "developer": "system",
    "tool": "user, with a tool_result block",
    "function": "user, with a tool_result block",
}


def check_messages(params: dict[str, Any], model: ModelFacts | None) -> Iterator[Found]:
    """The list of turns."""
    if "messages" not in params:
        yield error("messages_missing", "messages is missing")
        return
    messages = params["messages"]
    if not isinstance(messages, list):
        yield error("messages_type", f"messages must be a list of turns, not {kind_of(messages)}")
        return
    if not messages:
        yield error("messages_empty", "messages is empty: at least one message is required")
        return
    if len(messages) > MAX_MESSAGES:
        yield error("messages_many", f"more than {MAX_MESSAGES:,} messages in one request")
        return
    for place, message in enumerate(messages):
        yield from _message(message, place, last=place == len(messages) - 1)
    yield from _ends(messages, model)
    yield from _pairs(messages)


def check_system(params: dict[str, Any]) -> Iterator[Found]:
    """The system prompt: a string or text blocks."""
    system = params.get("system")
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        yield error("system", f"system must be a string or a list of text blocks, not {kind_of(system)}")
        return
    for block in system:
        if not isinstance(block, dict) or block.get("type") != "text":
            yield error("system", "system may hold text blocks only")
        else:
            yield from check_block(block, "system", "system")


def count_marks(params: dict[str, Any]) -> int:
    """How many cache_control marks the request carries."""
    holders: list[object] = [params]
    for name in ("tools", "system"):
        value = params.get(name)
        holders += value if isinstance(value, list) else []
    messages = params.get("messages")
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        holders += content if isinstance(content, list) else []
    return sum(1 for each in holders if isinstance(each, dict) and each.get("cache_control") is not None)


def _message(message: object, place: int, *, last: bool) -> Iterator[Found]:
    if not isinstance(message, dict):
        yield error("message_type", f"a message must be an object with role and content, not {kind_of(message)}")
        return
    role = message.get("role")
    yield from _role(role, "role" in message, place)
    for name in message:
        if name not in ("role", "content"):
            guess = near(name, ("role", "content"))
            hint = f", did you mean {guess}?" if guess and guess not in message else ""
            yield error("message_field", f"unknown field {quoted(name)} in a message{hint}", f"messages[{place}]")
    if "content" not in message:
        yield error("content_missing", "a message has no content", f"messages[{place}]")
        return
    content = message["content"]
    if isinstance(content, str):
        yield from _text(content, place, last and role == "assistant")
    elif not isinstance(content, list):
        what = f"content must be a string or a list of blocks, not {kind_of(content)}"
        yield error("content_type", what, f"messages[{place}]")
    elif not content and not (last and role == "assistant"):
        yield error("content_empty", "content is empty", f"messages[{place}]")
    else:
        for block in content:
            yield from check_block(block, str(role), f"messages[{place}]")


def _role(role: object, there: bool, place: int) -> Iterator[Found]:
    where = f"messages[{place}]"
    if not there:
        yield error("role", "a message has no role", where)
    elif role == "system":
        if place == 0:
            yield error("role", "the system prompt belongs in the field system, not in messages", where)
    elif role not in _ROLES:
        name = role if isinstance(role, str) else ""
        guess = _OTHER_ROLES.get(name.lower()) or near(name, _ROLES)
        hint = f", did you mean {guess}?" if guess else ": user or assistant"
        yield error("role", f"unknown role {quoted(str(role))}{hint}", where)


def _text(content: str, place: int, prefill: bool) -> Iterator[Found]:
    where = f"messages[{place}]"
    if not content:
        if not prefill:
            yield error("content_empty", "content is empty", where)
    elif content.isspace():
        yield error("content_blank", "text must hold more than white space", where)
    elif prefill and content != content.rstrip():
        yield error("prefill", "the final assistant message must not end with white space", where)


def _ends(messages: list[Any], model: ModelFacts | None) -> Iterator[Found]:
    first, last = messages[0], messages[-1]
    if isinstance(first, dict) and first.get("role") == "assistant":
        yield warning("first_role", "the first message is the assistant's: usually it is the user's")
    if isinstance(last, dict) and last.get("role") == "assistant" and model is not None and model.chars_per_token < 3:
        yield warning("prefill", f"the last message is the assistant's (prefill): {quoted(model.name)} may refuse that")


def _pairs(messages: list[Any]) -> Iterator[Found]:
    """Each tool_use is answered in the next message, each tool_result answers one of the message before."""
    asked: set[object] = set()
    ever: set[object] = set()
    for place, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        where = f"messages[{place}]"
        answers = [_key(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"]
        for answer in answers:
            if answer not in asked:
                what = "a tool_result answers no tool_use of the message before it"
                yield error("tool_pairing", what, f"{where}: {quoted(str(answer))}")
        for open_call in sorted(map(str, asked - set(answers))):
            what = "a tool_use has no tool_result in the message after it"
            yield error("tool_pairing", what, f"messages[{place - 1}]: {quoted(open_call)}")
        if len(set(answers)) != len(answers):
            yield error("tool_pairing", "two tool_result blocks answer the same tool_use", where)
        calls = [_key(block.get("id")) for block in blocks if block.get("type") == "tool_use"]
        if len(set(calls)) != len(calls) or ever & set(calls):
            yield error("tool_pairing", "two tool_use blocks have the same id", where)
        asked = set(calls)
        ever |= asked
    for open_call in sorted(map(str, asked)):
        what = "a tool_use has no tool_result in the message after it"
        yield error("tool_pairing", what, f"messages[{len(messages) - 1}]: {quoted(open_call)}")


def _key(value: object) -> object:
    return value if isinstance(value, str) else str(value)
