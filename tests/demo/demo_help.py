"""What the demo's tests share: clients, requests, waiting for the end."""

from __future__ import annotations

import json
import time
from typing import Any

import anthropic
import httpx2

from demo_server import RunningDemo

HEADERS = {"x-api-key": "demo-key", "anthropic-version": "2026-10-21"}
MODEL = "claude-haiku-4-5"


def http(demo: RunningDemo, **headers: str) -> httpx2.Client:
    """A plain client with a key and a version."""
    return httpx2.Client(base_url=demo.base_url, headers={**HEADERS, **headers}, timeout=120)


def sdk(demo: RunningDemo, **options: Any) -> anthropic.Anthropic:
    """The official client, one try a call."""
    return anthropic.Anthropic(api_key="demo-key", base_url=demo.base_url, max_retries=0, timeout=120, **options)


def params(text: str = "Hello there", **more: Any) -> dict[str, Any]:
    """Good params."""
    return {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}


def requests(*ids: str, **more: Any) -> list[Any]:
    """Good requests by these ids."""
    return [{"custom_id": name, "params": params(f"About {name}", **more)} for name in ids]


def until_ended(client: anthropic.Anthropic, batch_id: str) -> Any:
    """The batch, once it has ended."""
    until = time.monotonic() + 120
    while (batch := client.messages.batches.retrieve(batch_id)).processing_status != "ended":
        assert time.monotonic() < until, "the batch does not end"
        time.sleep(0.02)
    return batch


def run_batch(demo: RunningDemo, wanted: list[Any], **headers: str) -> dict[str, Any]:
    """Submit, wait, and give the results by custom_id, as plain JSON."""
    client = sdk(demo, default_headers=headers) if headers else sdk(demo)
    batch = client.messages.batches.create(requests=wanted)
    until_ended(client, batch.id)
    return {line["custom_id"]: line["result"] for line in lines_of(demo, batch.id)}


def lines_of(demo: RunningDemo, batch_id: str) -> list[Any]:
    """The result lines, parsed."""
    with http(demo) as client:
        reply = client.get(f"/v1/messages/batches/{batch_id}/results")
    assert reply.status_code == 200, reply.text
    return [json.loads(line) for line in reply.content.splitlines()]
