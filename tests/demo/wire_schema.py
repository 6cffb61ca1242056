"""JSON schemas of the service's replies, written from the published description's facts, for tests."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$"}
COUNT = {"type": "integer", "minimum": 0}
OUTCOMES = ("processing", "succeeded", "errored", "canceled", "expired")


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(fields: dict[str, Any], *, optional: tuple[str, ...] = (), closed: bool = False) -> dict[str, Any]:
    needed = [name for name in fields if name not in optional]
    return {"type": "object", "properties": fields, "required": needed, "additionalProperties": not closed}


BATCH = _object(
    {
        "id": {"type": "string", "pattern": "^msgbatch_[A-Za-z0-9]+$"},
        "type": {"const": "message_batch"},
        "processing_status": {"enum": ["in_progress", "canceling", "ended"]},
        "request_counts": _object(dict.fromkeys(OUTCOMES, COUNT), closed=True),
        "created_at": TIME,
        "expires_at": TIME,
        "ended_at": _nullable(TIME),
        "archived_at": _nullable(TIME),
        "cancel_initiated_at": _nullable(TIME),
        "results_url": _nullable({"type": "string", "pattern": "^https?://"}),
    },
    closed=True,
)
PAGE = _object(
    {
        "data": {"type": "array", "items": BATCH},
        "has_more": {"type": "boolean"},
        "first_id": _nullable({"type": "string"}),
        "last_id": _nullable({"type": "string"}),
    },
    closed=True,
)
DELETED = _object({"id": {"type": "string"}, "type": {"const": "message_batch_deleted"}}, closed=True)
ERROR = _object(
    {
        "type": {"const": "error"},
        "error": _object(
            {
                "type": {"type": "string", "pattern": "_error$|^request_too_large$"},
                "message": {"type": "string", "minLength": 1},
            }
        ),
        "request_id": _nullable({"type": "string"}),
    }
)
USAGE = _object(
    {
        "input_tokens": COUNT,
        "output_tokens": COUNT,
        "cache_creation_input_tokens": COUNT,
        "cache_read_input_tokens": COUNT,
        "cache_creation": _object({"ephemeral_5m_input_tokens": COUNT, "ephemeral_1h_input_tokens": COUNT}),
        "service_tier": {"enum": ["standard", "batch"]},
        "server_tool_use": _object({"web_search_requests": COUNT}),
    },
    optional=("server_tool_use",),
)
_TEXT = {"type": "string"}
BLOCKS = {
    "text": _object({"type": {"const": "text"}, "text": _TEXT}),
    "thinking": _object({"type": {"const": "thinking"}, "thinking": _TEXT, "signature": _TEXT}),
    "redacted_thinking": _object({"type": {"const": "redacted_thinking"}, "data": _TEXT}),
    "tool_use": _object(
        {
            "type": {"const": "tool_use"},
            "id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"},
            "name": _TEXT,
            "input": {"type": "object"},
        }
    ),
    "server_tool_use": _object(
        {
            "type": {"const": "server_tool_use"},
            "id": {"type": "string", "pattern": "^srvtoolu_"},
            "name": _TEXT,
            "input": {"type": "object"},
        }
    ),
    "web_search_tool_result": _object(
        {
            "type": {"const": "web_search_tool_result"},
            "tool_use_id": {"type": "string", "pattern": "^srvtoolu_"},
            "content": {"type": "array"},
        }
    ),
    "code_execution_tool_result": _object(
        {
            "type": {"const": "code_execution_tool_result"},
            "tool_use_id": {"type": "string", "pattern": "^srvtoolu_"},
            "content": {"type": "object"},
        }
    ),
}
MESSAGE = _object(
    {
        "id": {"type": "string", "pattern": "^msg_"},
        "type": {"const": "message"},
        "role": {"const": "assistant"},
        "model": _TEXT,
        "content": {"type": "array", "items": {"oneOf": list(BLOCKS.values())}},
        "stop_reason": {
            "enum": [
                "end_turn",
                "max_tokens",
                "stop_sequence",
                "tool_use",
                "pause_turn",
                "refusal",
                "model_context_window_exceeded",
            ]
        },
        "stop_sequence": _nullable(_TEXT),
        "usage": USAGE,
    }
)
RESULT = _object(
    {
        "custom_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
        "result": {
            "oneOf": [
                _object({"type": {"const": "succeeded"}, "message": MESSAGE}, closed=True),
                _object({"type": {"const": "errored"}, "error": ERROR}, closed=True),
                _object({"type": {"const": "canceled"}}, closed=True),
                _object({"type": {"const": "expired"}}, closed=True),
            ]
        },
    },
    closed=True,
)


def check(schema: dict[str, Any], value: Any) -> None:
    """Raise jsonschema's ValidationError when the value is not as the schema says."""
    Draft202012Validator(schema).validate(value)
