"""OpenAI chat messages as turns: system texts apart, tool calls and their results as blocks."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchtui.intake.problems import Found, error, warning
from batchtui.intake.words import kind_of, quoted

_DATA_URL = re.compile(r"data:([a-z0-9.+/-]+);base64,", re.IGNORECASE)
_KNOWN = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal"})
_EMPTY = frozenset({"audio", "annotations", "reasoning_content"})


def left_out(what: str) -> Found:
    """The warning about a part of a request that can't be translated."""
    return warning("openai_field", f"{what} has no counterpart and is left out")


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
            if len(content) == 1 and set(content[0]) == {"type", "text"} and content[0]["type"] == "text":
                message["content"] = content[0]["text"]
        return self._messages

    def add(self, message: Any) -> None:
        """Translate one message."""
        if not isinstance(message, dict):
            self._faults.append(error("message_type", f"a message must be an object, not {kind_of(message)}"))
            return
        role = message.get("role")
        for name, given in message.items():
            if name not in _KNOWN and given is not None and not (name in _EMPTY and not given):
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
            self._left_out("what is no text in a system message")
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
        elif kind == "image_url":
            made = self._image(part.get("image_url"))
        elif kind == "file" and isinstance(part.get("file"), dict):
            made = self._file(part["file"])
        else:
            self._faults.append(error("openai_part", f"a content part of type {quoted(str(kind))} has no counterpart"))
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
            self._faults.append(error("openai_part", f"{block} without data or address"))
            return None
        data = _DATA_URL.match(url)
        if data:
            source = {"type": "base64", "media_type": data.group(1).lower(), "data": url[data.end() :]}
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
                    error("openai_arguments", "the arguments of a tool call are no JSON", quoted(arguments))
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
