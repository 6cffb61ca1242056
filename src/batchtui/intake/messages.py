"""Rules of turns: roles, content, and the pairing of tool calls with their results.

Sources: the Messages reference, implement-tool-use and mid-conversation-system pages (August 2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from batchtui.intake.contents import ContentRules
from batchtui.intake.facts import ModelFacts
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.words import beta_missing, kind_of, near, quoted

MAX_MESSAGES = 100_000
_ROLES = ("user", "assistant", "system")
_OTHER_ROLES = {
    "human": "user",
    "ai": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "gpt": "assistant",
    "developer": "system",
    "tool": "user, with a tool_result block",
    "function": "user, with a tool_result block",
}
_SYSTEM_BETAS = {
    "clear_at": "mid-conversation-system-clear-at-2026-08-21",
    "output_config": "mid-conversation-output-config-2026-07-01",
}
"""Fields of a system message in the conversation, and the beta each needs."""
_TOOL_CHANGES = "mid-conversation-tool-changes-2026-07-01"
_SERVER_RESULTS = (
    *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
    *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    "mcp_tool_result",
)


def check_messages(
    params: dict[str, Any], model: ModelFacts | None, contents: ContentRules, betas: tuple[str, ...]
) -> Iterator[Found]:
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
        yield from _message(message, place, contents, betas, last=place == len(messages) - 1)
    yield from _system_places(messages)
    yield from _ends(messages, model, params)
    yield from _pairs(messages)


def check_system(params: dict[str, Any], contents: ContentRules) -> Iterator[Found]:
    """The system prompt: a string or text blocks."""
    system = params.get("system")
    if system is None or isinstance(system, str):
        if isinstance(system, str) and system and system.isspace():
            yield error("content_blank", "text must hold more than white space", "system")
        return
    if not isinstance(system, list):
        yield error("system", f"system must be a string or a list of text blocks, not {kind_of(system)}")
        return
    for block in system:
        if not isinstance(block, dict) or block.get("type") != "text":
            yield error("system", "system may hold text blocks only")
        else:
            yield from contents.block(block, "system", "system")


def _message(
    message: object, place: int, contents: ContentRules, betas: tuple[str, ...], *, last: bool
) -> Iterator[Found]:
    where = f"messages[{place}]"
    if not isinstance(message, dict):
        yield error("message_type", f"a message must be an object with role and content, not {kind_of(message)}")
        return
    role = message.get("role")
    yield from _role(role, "role" in message, place)
    yield from _message_fields(message, str(role), where, betas)
    if "content" not in message:
        if not (role == "system" and "output_config" in message):
            yield error("content_missing", "a message has no content", where)
        return
    content = message["content"]
    if isinstance(content, str):
        yield from _text(content, place, last and role == "assistant")
    elif not isinstance(content, list):
        yield error("content_type", f"content must be a string or a list of blocks, not {kind_of(content)}", where)
    elif not content and not (last and role == "assistant"):
        yield error("content_empty", "content is empty", where)
    else:
        for block in content:
            if role == "system":
                yield from _system_block(block, where, betas)
            yield from contents.block(block, str(role), where)
        if last and role == "assistant" and content:
            yield from _trailing_space(content[-1], where)


def _message_fields(message: dict[str, Any], role: str, where: str, betas: tuple[str, ...]) -> Iterator[Found]:
    for name, value in message.items():
        if name in ("role", "content"):
            continue
        if role == "system" and name in _SYSTEM_BETAS:
            yield from beta_missing(f"{name} of a system message", _SYSTEM_BETAS[name], betas)
            if name == "clear_at" and value not in ("next_user_message", "never"):
                yield error("message_field", "clear_at must be next_user_message or never", where)
            continue
        guess = near(name, ("role", "content"))
        hint = f", did you mean {guess}?" if guess and guess not in message else ""
        yield error("message_field", f"unknown field {quoted(name)} in a message{hint}", where)


def _system_block(block: object, where: str, betas: tuple[str, ...]) -> Iterator[Found]:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind in ("tool_addition", "tool_removal"):
        yield from beta_missing(f"{kind} in a system message", _TOOL_CHANGES, betas)
    elif kind != "text":
        yield error("system", "a system message may hold text blocks only", where)


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


def _trailing_space(block: object, where: str) -> Iterator[Found]:
    text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
    if isinstance(text, str) and text.strip() and text != text.rstrip():
        yield error("prefill", "the final assistant message must not end with white space", where)


def _system_places(messages: list[Any]) -> Iterator[Found]:
    """A system message stands right after the user's (or a server tool's result), before the assistant's or at the end."""
    for place, message in enumerate(messages):
        if place == 0 or _role_of(message) != "system":
            continue
        where = f"messages[{place}]"
        before = messages[place - 1]
        if _role_of(before) != "user" and not _ends_with_server_result(before):
            yield error("role", "a system message must follow a message of the user", where)
        if place + 1 < len(messages) and _role_of(messages[place + 1]) != "assistant":
            yield error("role", "after a system message comes the assistant's, or the end", where)


def _role_of(message: object) -> object:
    return message.get("role") if isinstance(message, dict) else None


def _ends_with_server_result(message: object) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    last = content[-1] if isinstance(content, list) and content else None
    return isinstance(last, dict) and last.get("type") in _SERVER_RESULTS


def _ends(messages: list[Any], model: ModelFacts | None, params: dict[str, Any]) -> Iterator[Found]:
    if _role_of(messages[0]) == "assistant":
        yield error("first_role", "the first message is the assistant's: it must be the user's")
    if _role_of(messages[-1]) != "assistant":
        return
    config = params.get("output_config")
    if isinstance(config, dict) and config.get("format") is not None:
        yield error("prefill", "output_config.format can't be used when the last message is the assistant's (prefill)")
    if model is None or _ends_with_server_result(messages[-1]):
        return
    rules = model.rules
    if rules is not None and rules.prefill == "refused":
        what = f"{quoted(model.name)} refuses a conversation that ends with the assistant's message (prefill)"
        yield error("prefill", what)
    elif rules is None or rules.prefill != "ok":
        yield warning("prefill", f"the last message is the assistant's (prefill): {quoted(model.name)} may refuse that")


def _pairs(messages: list[Any]) -> Iterator[Found]:
    """Each tool_use is answered in the next turn of the user, before any other block; each tool_result answers one."""
    asked: dict[object, int] = {}
    ever: set[object] = set()
    numbered = [(place, each) for place, each in enumerate(messages) if _role_of(each) != "system"]
    for role, turns in groupby(numbered, key=lambda pair: _role_of(pair[1])):
        blocks = [(place, block) for place, message in turns for block in _blocks(message)]
        answers = [
            (place, _key(block.get("tool_use_id"))) for place, block in blocks if block.get("type") == "tool_result"
        ]
        for place, answer in answers:
            if answer not in asked:
                what = "a tool_result answers no tool_use of the message before it"
                yield error("tool_pairing", what, f"messages[{place}]: {quoted(str(answer))}")
        given = {answer for _, answer in answers}
        yield from _unanswered({call: place for call, place in asked.items() if call not in given})
        if len(given) != len(answers):
            yield error("tool_pairing", "two tool_result blocks answer the same tool_use", f"messages[{answers[0][0]}]")
        if role == "user" and asked:
            yield from _order(blocks)
        asked = {}
        for place, block in blocks:
            if block.get("type") == "tool_use":
                call = _key(block.get("id"))
                if call in ever:
                    yield error("tool_pairing", "two tool_use blocks have the same id", f"messages[{place}]")
                ever.add(call)
                asked[call] = place
    yield from _unanswered(asked)


def _unanswered(calls: dict[object, int]) -> Iterator[Found]:
    for call in sorted(calls, key=str):
        what = "a tool_use has no tool_result in the message after it"
        yield error("tool_pairing", what, f"messages[{calls[call]}]: {quoted(str(call))}")


def _order(blocks: list[tuple[int, dict[str, Any]]]) -> Iterator[Found]:
    """In the answer to tool calls the results come first."""
    other = False
    for place, block in blocks:
        if block.get("type") != "tool_result":
            other = True
        elif other:
            yield error(
                "tool_order", "tool_result blocks come before any other block of the message", f"messages[{place}]"
            )
            return


def _blocks(message: object) -> list[dict[str, Any]]:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return [{"type": "text"}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _key(value: object) -> object:
    return value if isinstance(value, str) else str(value)
