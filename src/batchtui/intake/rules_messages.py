"""Rules of the turns of a conversation: their roles and their order, what each holds, and which tool calls are answered.

Sources: the Messages reference and the migration pages (August to November 2026) and the types of the official SDK 2.14.0.
What they leave open is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from batchtui.domain.model_rules import EFFORTS
from batchtui.intake.model_limits import ModelFacts
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.rules_blocks import BlockRules, blocks_of
from batchtui.intake.shapes import check_shape
from batchtui.intake.wording import a_, beta_missing, did_you_mean, kind_of, near, quoted

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
_SERVER_CALLS = ("server_tool_use", "mcp_tool_use")
_SERVER_RESULTS = (
    *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
    *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    "mcp_tool_result",
)


def check_messages(
    params: dict[str, Any], model: ModelFacts | None, blocks: BlockRules, betas: tuple[str, ...]
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
        yield from _message(message, place, blocks, betas, last=place == len(messages) - 1)
    yield from _system_places(messages)
    yield from _ends(messages, model, params)
    yield from _pairs(messages)
    yield from _server_pairs(messages)


def check_system(params: dict[str, Any], blocks: BlockRules) -> Iterator[Found]:
    """The system prompt: a string or text blocks."""
    system = params.get("system")
    if system is None or isinstance(system, str):
        if isinstance(system, str) and system and system.isspace():
            yield error("content_blank", "text must not be only white space", "system")
        return
    if not isinstance(system, list):
        yield error("system", f"system must be a string or a list of text blocks, not {kind_of(system)}")
        return
    for block in system:
        if not isinstance(block, dict) or block.get("type") != "text":
            yield error("system", "system may hold text blocks only")
        else:
            yield from blocks.block(block, "system", "system")


def _message(message: object, place: int, blocks: BlockRules, betas: tuple[str, ...], *, last: bool) -> Iterator[Found]:
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
        yield from _system_text(content, place, last and role == "assistant")
    elif not isinstance(content, list):
        yield error("content_type", f"content must be a string or a list of blocks, not {kind_of(content)}", where)
    elif not content and not (last and role == "assistant"):
        yield error("content_empty", "content is empty", where)
    else:
        for block in content:
            if role == "system":
                yield from _system_block(block, where, betas)
            yield from blocks.block(block, str(role), where)
        if last and role == "assistant" and content:
            yield from _trailing_space(content[-1], where)


def _message_fields(message: dict[str, Any], role: str, where: str, betas: tuple[str, ...]) -> Iterator[Found]:
    for name, value in message.items():
        if name in ("role", "content"):
            continue
        if role == "system" and name in _SYSTEM_BETAS:
            yield from beta_missing(f"{name} of a system message", _SYSTEM_BETAS[name], betas)
            if name == "clear_at" and value not in (None, "next_user_message", "never"):
                yield error("message_field", "clear_at must be next_user_message or never", where)
            elif name == "output_config":
                yield from _message_output(value, "content" in message, where)
            continue
        guess = near(name, ("role", "content"))
        hint = f", did you mean {guess}?" if guess and guess not in message else ""
        yield error("message_field", f"unknown field {quoted(name)} in a message{hint}", where)


def _message_output(config: object, content: bool, where: str) -> Iterator[Found]:
    """What a system message changes for the answers after it: effort only."""
    if config is None:
        return
    what = "output_config of a system message"
    if not isinstance(config, dict):
        yield error("message_field", f"{what} must be an object, not {kind_of(config)}", where)
        return
    yield from check_shape(config, {"effort": "string?"}, what, "message_field", where, closed=True)
    effort = config.get("effort")
    if isinstance(effort, str) and effort not in EFFORTS:
        yield error("message_field", f"effort of {what} must be one of {', '.join(EFFORTS)}", where)
    if not config and not content:
        yield error("content_missing", "a system message has neither content nor output_config", where)


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
        hint = did_you_mean(guess, ": user or assistant")
        yield error("role", f"unknown role {quoted(str(role))}{hint}", where)


def _system_text(content: str, place: int, prefill: bool) -> Iterator[Found]:
    where = f"messages[{place}]"
    if not content:
        if not prefill:
            yield error("content_empty", "content is empty", where)
    elif content.isspace():
        yield error("content_blank", "text must not be only white space", where)
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
            yield error("role", "a system message must follow a user message", where)
        if place + 1 < len(messages) and _role_of(messages[place + 1]) != "assistant":
            yield error("role", "a system message must be followed by the assistant's message, or be the last", where)


def _role_of(message: object) -> object:
    return message.get("role") if isinstance(message, dict) else None


def _ends_with_server_result(message: object) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    last = content[-1] if isinstance(content, list) and content else None
    return isinstance(last, dict) and last.get("type") in _SERVER_RESULTS


def _goes_on(message: object) -> bool:
    """Whether the last message holds calls of server tools: a paused turn is sent back as it was."""
    return any(block.get("type") in (*_SERVER_RESULTS, *_SERVER_CALLS) for block in blocks_of(message))


def _server_pairs(messages: list[Any]) -> Iterator[Found]:
    """Results of server tools come after their calls; each call has a result, unless its turn was paused or goes on."""
    calls: dict[object, int] = {}
    for place, message in enumerate(messages):
        for block in blocks_of(message) if _role_of(message) == "assistant" else ():
            if block.get("type") in _SERVER_CALLS:
                calls[_key(block.get("id"))] = place
            elif block.get("type") in (*_SERVER_RESULTS, "advisor_tool_result"):
                call = _key(block.get("tool_use_id"))
                if call not in calls:
                    what = f"{a_(block['type'])} has no server tool call before it: the API may refuse it"
                    yield warning("tool_pairing", what, f"messages[{place}]: {quoted(str(call))}")
                calls[call] = len(messages)
    last = max((place for place, each in enumerate(messages) if _role_of(each) == "assistant"), default=0)
    for call, place in calls.items():
        if place < last:
            what = "a server tool call has no result after it: the API may refuse it"
            yield warning("tool_pairing", what, f"messages[{place}]: {quoted(str(call))}")


def _ends(messages: list[Any], model: ModelFacts | None, params: dict[str, Any]) -> Iterator[Found]:
    if _role_of(messages[0]) == "assistant":
        yield error("first_role", "the first message must be from the user, not the assistant")
    if _role_of(messages[-1]) != "assistant":
        return
    config = params.get("output_config")
    if isinstance(config, dict) and config.get("format") is not None:
        yield error("prefill", "output_config.format can't be used when the last message is the assistant's (prefill)")
    if model is None or _goes_on(messages[-1]):
        return
    thinking = params.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") == "enabled":
        yield error("prefill", "the last message can't be the assistant's (prefill) beside thinking of type enabled")
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
        blocks = [(place, block) for place, message in turns for block in blocks_of(message)]
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


def _key(value: object) -> object:
    return value if isinstance(value, str) else str(value)
