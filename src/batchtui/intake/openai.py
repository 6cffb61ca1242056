"""OpenAI batches translated into Messages requests: chat completions and responses, with tools and their results."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from batchtui.domain.model_rules import EFFORTS, ModelRules
from batchtui.intake.chat import as_turns, body_of, decoded, is_ours, openai_turns, without_answer
from batchtui.intake.options import API_VERSION, IntakeOptions
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.schema_rules import closed
from batchtui.intake.wording import kind_of, quoted

_DATA_URL = re.compile(r"data:([a-z0-9.+/-]+)(?:;[a-z0-9=.+-]+)*;base64,", re.IGNORECASE)
_SAME_TYPE = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_KNOWN = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal"})
_IGNORED = frozenset({"weight", "id", "status"})
_EMPTY = frozenset({"audio", "annotations", "reasoning_content"})


def left_out(what: str) -> Found:
    """The warning about a part of a request that can't be translated."""
    return warning("openai_field", f"{what} has no counterpart here and is dropped")


class Turns:
    """Collects translated turns; what can't be translated is added to ``faults``."""

    def __init__(self, faults: list[Found]) -> None:
        self._faults = faults
        self._messages: list[dict[str, Any]] = []
        self.system: list[str] = []

    def finish(self) -> list[dict[str, Any]]:
        """The turns; a turn of nothing but one text has it as a plain string."""
        for message in self._messages:
            content = message["content"]
            if isinstance(content, str):
                continue
            if len(content) == 1 and set(content[0]) == {"type", "text"} and content[0]["type"] == "text":
                message["content"] = content[0]["text"]
        return self._messages

    def add(self, message: Any) -> None:
        """Translate one message."""
        if not isinstance(message, dict):
            self._faults.append(error("message_type", f"a message must be an object, not {kind_of(message)}"))
            return
        if is_ours(message):
            self._messages.append({"role": message["role"], "content": list(message["content"])})
            return
        role = message.get("role")
        for name, given in message.items():
            if name not in _KNOWN and name not in _IGNORED and given is not None and not (name in _EMPTY and not given):
                self._left_out(f"{quoted(name)} of a message")
        if message.get("name") and role in ("system", "developer", "user", "assistant"):
            self._left_out("'name' of a message")
        if role in ("system", "developer"):
            self._system(message)
        elif role == "user":
            self._turn("user", self._parts(message.get("content")))
        elif role == "assistant":
            self._turn("assistant", self._answer(message))
        elif role in ("tool", "function"):
            self._result(message)
        else:
            self._faults.append(error("role", f"unknown role {quoted(str(role))}"))

    def _left_out(self, what: str) -> None:
        self._faults.append(left_out(what))

    def _turn(self, role: str, blocks: list[dict[str, Any]]) -> None:
        self._messages.append({"role": role, "content": blocks})

    def _system(self, message: dict[str, Any]) -> None:
        parts = self._parts(message.get("content"))
        texts = [part["text"] for part in parts if part.get("type") == "text"]
        if any(part.get("type") != "text" for part in parts):
            self._left_out("content other than text in a system message")
        if any("cache_control" in part for part in parts):
            self._left_out("'cache_control' in a system message")
        if self._messages and texts:
            what = "a system message in the middle of the conversation is moved to the system prompt"
            self._faults.append(warning("openai_system", what))
        self.system += [text for text in texts if text]

    def _parts(self, content: Any) -> list[dict[str, Any]]:
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        if not isinstance(content, list):
            self._faults.append(
                error("content_type", f"content must be a string or a list of parts, not {kind_of(content)}")
            )
            return []
        made = [self._part(part) for part in content]
        return [part for part in made if part is not None]

    def _part(self, part: Any) -> dict[str, Any] | None:
        kind = part.get("type") if isinstance(part, dict) else None
        made: dict[str, Any] | None
        if kind in ("text", "refusal") and isinstance(part.get(kind), str):
            made = {"type": "text", "text": part[kind]}
        elif kind in ("image_url", "input_image") and part.get("file_id") is None:
            made = self._image(part.get("image_url"))
        elif kind == "file" and isinstance(part.get("file"), dict):
            made = self._file(part["file"])
        else:
            self._faults.append(
                error("openai_part", f"a content part of type {quoted(str(kind))} has no counterpart here")
            )
            return None
        for name, given in part.items():
            if name == "cache_control":
                made = made and {**made, name: given}
            elif name not in ("type", kind) and given is not None:
                self._left_out(f"{quoted(name)} of a content part")
        return made

    def _image(self, image: Any) -> dict[str, Any] | None:
        if not isinstance(image, dict):
            return self._media(image, "image")
        for name, given in image.items():
            if name != "url" and given is not None and (name, given) != ("detail", "auto"):
                self._left_out(f"{quoted(name)} of an image")
        return self._media(image.get("url"), "image")

    def _file(self, file: dict[str, Any]) -> dict[str, Any] | None:
        for name, given in file.items():
            if name not in ("file_data", "filename") and given is not None:
                self._left_out(f"{quoted(name)} of a file")
        made = self._media(file.get("file_data"), "document")
        title = file.get("filename")
        return {**made, "title": title} if made is not None and isinstance(title, str) and title else made

    def _media(self, url: Any, block: str) -> dict[str, Any] | None:
        if not isinstance(url, str):
            self._faults.append(error("openai_part", f"{block} without data or URL"))
            return None
        data = _DATA_URL.match(url)
        if data:
            kind = data.group(1).lower()
            source = {"type": "base64", "media_type": _SAME_TYPE.get(kind, kind), "data": url[data.end() :]}
        else:
            source = {"type": "url", "url": url}
        return {"type": block, "source": source}

    def _answer(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        content = message.get("content")
        blocks = self._parts(content) if content else []
        if isinstance(message.get("refusal"), str) and message["refusal"]:
            blocks.append({"type": "text", "text": message["refusal"]})
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, dict):
                blocks.append(self._call(call.get("id"), call.get("function")))
        old = message.get("function_call")
        if isinstance(old, dict):
            blocks.append(self._call(f"call_{old.get('name')}", old))
        return blocks

    def _call(self, call_id: Any, function: Any) -> dict[str, Any]:
        function = function if isinstance(function, dict) else {}
        arguments = function.get("arguments") or "{}"
        made: Any = arguments
        if isinstance(arguments, str):
            try:
                made = msgspec.json.decode(arguments)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                self._faults.append(
                    error("openai_arguments", "the arguments of a tool call are not JSON", quoted(arguments))
                )
                made = {}
        return {"type": "tool_use", "id": str(call_id), "name": str(function.get("name")), "input": made}

    def _result(self, message: dict[str, Any]) -> None:
        """Results of one turn's calls belong into one user turn."""
        call_id = message.get("tool_call_id") or f"call_{message.get('name')}"
        content = message.get("content")
        block = {
            "type": "tool_result",
            "tool_use_id": str(call_id),
            "content": content if isinstance(content, str) else self._parts(content),
        }
        last = self._messages[-1] if self._messages else None
        if (
            last is not None
            and last["role"] == "user"
            and all(each.get("type") == "tool_result" for each in last["content"])
        ):
            last["content"].append(block)
        else:
            self._turn("user", [block])


def messages_of(text: str, faults: list[Found]) -> tuple[list[dict[str, Any]], str]:
    """What a template made for ``messages``, a text, as messages and a system prompt; faults are added to ``faults``."""
    turns = as_turns(text)
    if turns is None:
        shown = kind_of(decoded(text.strip()))
        what = "messages must become a list of turns, each with role and content, or from and value"
        faults.append(error("template_messages", what, f"it is {shown}"))
        return [], ""
    made = Turns(faults)
    for turn in openai_turns(turns):
        made.add(turn)
    return without_answer(made.finish(), faults), "\n\n".join(made.system)


_CHAT = "/v1/chat/completions"
_RESPONSES = "/v1/responses"
_EFFORTS = {"none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}
_DONE = frozenset(
    {
        *("model", "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "parallel_tool_calls"),
        *("response_format", "stop", "temperature", "top_p", "user", "reasoning_effort", "functions", "function_call"),
    }
)
_ENVELOPE = frozenset({"custom_id", "method", "url", "body"})
_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_HARMLESS = {
    "background": False,
    "truncation": "disabled",
    "service_tier": "auto",
    "n": 1,
    "stream": False,
    "logprobs": False,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "store": False,
}
"""Fields whose usual value means nothing, so that it need not be named."""


class Responses:
    """Bodies of the Responses API as those of chat completions, as far as both have the same."""

    def __init__(self, faults: list[Found]) -> None:
        self._faults = faults

    def as_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body; what has no counterpart is added to the faults."""
        made: dict[str, Any] = {name: given for name, given in body.items() if name not in _RESPONSES_ONLY}
        for name in ("previous_response_id", "conversation", "prompt"):
            if body.get(name) is not None:
                what = f"{quoted(name)} names what OpenAI has stored: the request's turns can't be known"
                self._faults.append(error("openai_stored", what))
        made["messages"] = self._messages(body)
        if body.get("max_output_tokens") is not None:
            made["max_completion_tokens"] = body["max_output_tokens"]
        text = body.get("text")
        if isinstance(text, dict):
            made["response_format"] = _format_of(text.get("format"))
            self._others(text, ("format",), "of text")
        reasoning = body.get("reasoning")
        if isinstance(reasoning, dict):
            made["reasoning_effort"] = reasoning.get("effort")
            self._others(reasoning, ("effort",), "of reasoning")
        tools = body.get("tools")
        if isinstance(tools, list):
            made["tools"] = [_tool_of(tool) for tool in tools]
        return {name: given for name, given in made.items() if given is not None}

    def _messages(self, body: dict[str, Any]) -> list[Any]:
        made: list[Any] = []
        if body.get("instructions"):
            made.append({"role": "system", "content": body["instructions"]})
        given = body.get("input")
        if isinstance(given, str):
            return [*made, {"role": "user", "content": given}]
        if not isinstance(given, list):
            what = f"input must be a string or a list, not {kind_of(given)}" if "input" in body else "input is missing"
            self._faults.append(error("openai_body", what))
            return made
        for item in given:
            turn = self._item(item)
            last = made[-1] if made and isinstance(made[-1], dict) else {}
            if turn is not None and turn.get("tool_calls") and last.get("role") == "assistant":
                # Calls belong to the turn whose text, or other calls, they follow.
                last["tool_calls"] = [*(last.get("tool_calls") or []), *turn["tool_calls"]]
            elif turn is not None:
                made.append(turn)
        return made

    def _item(self, item: Any) -> dict[str, Any] | None:
        kind = item.get("type", "message") if isinstance(item, dict) else "message"
        if not isinstance(item, dict) or (kind == "message" and "role" not in item):
            self._faults.append(error("message_type", "an item of input has no role"))
            return None
        if kind == "message":
            content = item.get("content")
            parts = [_part_of(part) for part in content] if isinstance(content, list) else content
            return {"role": item["role"], "content": parts}
        if kind == "function_call":
            call = {"name": item.get("name"), "arguments": item.get("arguments")}
            return {"role": "assistant", "content": None, "tool_calls": [{"id": item.get("call_id"), "function": call}]}
        if kind == "function_call_output":
            output = item.get("output")
            parts = [_part_of(part) for part in output] if isinstance(output, list) else output
            return {"role": "tool", "tool_call_id": item.get("call_id"), "content": parts}
        if kind == "reasoning":
            self._faults.append(left_out("an item of reasoning"))
        else:
            self._faults.append(error("openai_item", f"an item of type {quoted(str(kind))} has no counterpart"))
        return None

    def _others(self, given: dict[str, Any], known: tuple[str, ...], where: str) -> None:
        for name, value in given.items():
            if name not in known and value is not None and (name, value) != ("verbosity", "medium"):
                self._faults.append(left_out(f"{quoted(name)} {where}"))


_RESPONSES_ONLY = frozenset(
    {
        *("input", "instructions", "max_output_tokens", "text", "reasoning", "tools", "messages", "response_format"),
        *("previous_response_id", "conversation", "prompt", "reasoning_effort"),
    }
)


def _part_of(part: Any) -> Any:
    """A content part of the Responses API as one of chat completions."""
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind in ("input_text", "output_text"):
        beside = ("type", "text", "annotations", "logprobs")
        return {"type": "text", "text": part.get("text"), **{n: v for n, v in part.items() if n not in beside}}
    if kind == "input_image" and part.get("file_id") is None:
        return {"type": "image_url", "image_url": {"url": part.get("image_url"), "detail": part.get("detail")}}
    if kind == "input_file" and isinstance(part.get("file_url"), str):
        return {"type": "file", "file": {"file_data": part["file_url"], "filename": part.get("filename")}}
    if kind == "input_file":
        return {"type": "file", "file": {name: value for name, value in part.items() if name != "type"}}
    return part


def _format_of(wanted: Any) -> Any:
    """``text.format`` as ``response_format``, which has the schema one level deeper."""
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        inner = {name: value for name, value in wanted.items() if name != "type"}
        return {"type": "json_schema", "json_schema": inner}
    return wanted


def _tool_of(tool: Any) -> Any:
    """A tool of the Responses API as one of chat completions, where it is a function."""
    if isinstance(tool, dict) and tool.get("type") == "function" and "function" not in tool:
        return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
    return tool


class Translator:
    """Translates request after request under one set of options."""

    def __init__(self, options: IntakeOptions, rules_of: Callable[[str], ModelRules | None]) -> None:
        self._options = options
        self._rules_of = rules_of
        self._faults: list[Found] = []

    def translate(self, value: Any) -> tuple[str, dict[str, Any] | None, list[Found]]:
        """The custom_id, the params (None when there can be none) and what is to be said."""
        self._faults = []
        if not isinstance(value, dict):
            return "", None, [error("envelope", f"expected an object on each line, not {kind_of(value)}")]
        custom_id = self._id(value.get("custom_id"))
        for name in value:
            if name not in _ENVELOPE:
                self._left_out(f"{quoted(name)} beside the body")
        body, url = value.get("body"), value.get("url", _CHAT)
        if value.get("method", "POST") != "POST":
            self._faults.append(warning("openai_field", "method is not POST: the request is sent anyway"))
        if url not in (_CHAT, _RESPONSES):
            what = f"only {_CHAT} and {_RESPONSES} can be translated, not {quoted(str(url))}"
            self._faults.append(error("openai_url", what))
        elif not isinstance(body, dict):
            what = f"body must be an object, not {kind_of(body)}" if "body" in value else "body is missing"
            self._faults.append(error("openai_body", what))
        else:
            if url == _RESPONSES:
                body = Responses(self._faults).as_chat(body)
            return custom_id, self._params(body), self._faults
        return custom_id, None, self._faults

    def conversation(self, row: dict[str, Any]) -> tuple[dict[str, Any] | None, list[Found]]:
        """The params for a row with turns (None when there can be none), and what is to be said."""
        self._faults = []
        params = self._params(body_of(row))
        params["messages"] = without_answer(params["messages"], self._faults)
        return params, self._faults

    def _id(self, given: object) -> str:
        """A line's own id, "" when it has none: OpenAI takes any text, and its users write numbers too."""
        if given is None or isinstance(given, str):
            return given or ""
        if isinstance(given, int | float) and not isinstance(given, bool):
            return str(given)
        self._faults.append(error("custom_id_type", f"custom_id must be a string, not {kind_of(given)}"))
        return ""

    def _params(self, body: dict[str, Any]) -> dict[str, Any]:
        params: dict[str, Any] = {"model": self._model(body.get("model")), "max_tokens": self._max_tokens(body)}
        turns = Turns(self._faults)
        messages = body.get("messages")
        for message in messages if isinstance(messages, list) else []:
            turns.add(message)
        if turns.system:
            params["system"] = "\n\n".join(turns.system)
        params["messages"] = turns.finish() if isinstance(messages, list) else messages
        self._tools(body, params)
        self._format(body.get("response_format"), params)
        self._rest(body, params)
        for name, given in body.items():
            if name not in _DONE and given is not None and _HARMLESS.get(name, _DONE) != given:
                self._left_out(quoted(name))
        return {name: made for name, made in params.items() if made is not None}

    def _left_out(self, what: str) -> None:
        self._faults.append(left_out(what))

    def _model(self, name: object) -> object:
        own = name.removeprefix("anthropic/") if isinstance(name, str) else ""
        if own.startswith("claude"):
            return own
        if self._options.any_model:
            if name:
                what = f"model {quoted(str(name))} becomes {quoted(self._options.any_model)}"
                self._faults.append(warning("openai_model", what))
            return self._options.any_model
        what = f"model {quoted(str(name))} belongs to another provider" if name else "no model is given"
        self._faults.append(error("openai_model", f"{what}: choose one (--model, or Model on the screen)"))
        return "claude"

    def _max_tokens(self, body: dict[str, Any]) -> object:
        newer, older = body.get("max_completion_tokens"), body.get("max_tokens")
        if newer is not None:
            if older not in (None, newer):
                self._faults.append(warning("openai_field", "max_completion_tokens is used; max_tokens is dropped"))
            return newer
        if older is not None:
            return older
        default = self._options.default_max_tokens
        self._faults.append(warning("openai_max_tokens", f"no max_tokens: {default:,} is used"))
        return default

    def _tools(self, body: dict[str, Any], params: dict[str, Any]) -> None:
        given = body.get("tools")
        functions: list[Any] = []
        for tool in given if isinstance(given, list) else []:
            functions.append(tool.get("function") if isinstance(tool, dict) else None)
            for name in tool if isinstance(tool, dict) else ():
                if name not in ("type", "function"):
                    self._left_out(f"{quoted(name)} of a tool")
        old = body.get("functions")
        functions += old if isinstance(old, list) else []
        tools = [self._tool(each) for each in functions]
        if tools:
            params["tools"] = [tool for tool in tools if tool]
        chosen = body.get("tool_choice")
        if chosen is None:
            chosen = body.get("function_call")
        choice = self._choice(chosen) if tools else None
        one_by_one = body.get("parallel_tool_calls") is False
        if not tools:
            if chosen is not None and chosen not in ("none", "auto"):
                self._left_out("tool_choice without tools")
            if one_by_one:
                self._left_out("parallel_tool_calls without tools")
            return
        if one_by_one and (choice or {}).get("type") != "none":
            choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
        if choice:
            params["tool_choice"] = choice

    def _tool(self, function: Any) -> dict[str, Any] | None:
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            self._faults.append(error("openai_tool", "a tool other than a named function can't be translated"))
            return None
        made: dict[str, Any] = {"name": function["name"]}
        if function.get("description") is not None:
            made["description"] = function["description"]
        for name in function:
            if name not in _FUNCTION:
                self._left_out(f"{quoted(name)} of a function")
        made["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
        if function.get("strict") is True:
            made["strict"] = True
            if isinstance(made["input_schema"], dict):
                made["input_schema"] = self._closed(made["input_schema"])
        return made

    def _choice(self, choice: Any) -> dict[str, Any] | None:
        if choice is None:
            return None
        simple = {"auto": "auto", "none": "none", "required": "any"}
        if isinstance(choice, str) and choice in simple:
            return {"type": simple[choice]}
        named = choice.get("function", choice) if isinstance(choice, dict) else None
        if isinstance(named, dict) and isinstance(named.get("name"), str):
            return {"type": "tool", "name": named["name"]}
        self._left_out("tool_choice of this kind")
        return None

    def _format(self, wanted: Any, params: dict[str, Any]) -> None:
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        if wanted is None or kind == "text":
            return
        inner = wanted.get("json_schema") if isinstance(wanted, dict) else None
        if kind == "json_schema" and isinstance(inner, dict) and isinstance(inner.get("schema"), dict):
            params["output_config"] = {"format": {"type": "json_schema", "schema": self._closed(inner["schema"])}}
            for name, given in inner.items():
                # Here an answer always keeps to its schema.
                if name != "schema" and given is not None and not (name == "strict" and given is True):
                    self._left_out(f"{quoted(name)} of json_schema")
        else:
            what = "response_format json_object has no counterpart here: ask for JSON in the prompt, or give a schema"
            self._faults.append(warning("openai_format", what))

    def _rest(self, body: dict[str, Any], params: dict[str, Any]) -> None:
        stop = body.get("stop")
        if stop is not None:
            params["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        if isinstance(body.get("user"), str):
            params["metadata"] = {"user_id": body["user"]}
        self._effort(body.get("reasoning_effort"), params)
        for name in ("temperature", "top_p"):
            given = body.get(name)
            if given is None:
                continue
            if self._options.api_version >= API_VERSION:
                self._faults.append(
                    warning("openai_sampling", f"{name} is refused under this API version and is dropped")
                )
            elif isinstance(given, int | float) and given > 1:
                self._faults.append(warning("openai_sampling", f"{name} goes up to 1 here: 1 is used"))
                params[name] = 1
            else:
                params[name] = given

    def _effort(self, given: object, params: dict[str, Any]) -> None:
        """reasoning_effort as the nearest effort that the model takes."""
        if given is None:
            return
        if not isinstance(given, str) or given not in _EFFORTS:
            self._left_out("reasoning_effort of this kind")
            return
        effort = _EFFORTS[given]
        rules = self._rules_of(str(params["model"]))
        taken = EFFORTS if rules is None else rules.efforts
        if not taken:
            what = f"{quoted(str(params['model']))} takes no effort: reasoning_effort is dropped"
            self._faults.append(warning("openai_effort", what))
            return
        if effort not in taken:
            nearest = min(taken, key=lambda each: abs(EFFORTS.index(each) - EFFORTS.index(effort)))
            what = f"reasoning_effort {quoted(given)} becomes effort {nearest}: {quoted(str(params['model']))} takes no {effort}"
            self._faults.append(warning("openai_effort", what))
            effort = nearest
        params.setdefault("output_config", {})["effort"] = effort

    def _closed(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema with closed objects, as structured outputs want them."""
        made: dict[str, Any] = closed(schema)
        if made != schema:
            self._faults.append(
                warning("openai_schema", "additionalProperties: false is added to the schema, which the API requires")
            )
        return made
