"""The same pieces of work as a person would do them without batchtui: with the SDK, or a short script."""

from __future__ import annotations

import csv
import json
import time
import tomllib
from typing import Any, BinaryIO


def json_loop(source: str) -> dict[str, Any]:
    """Read requests line by line and see that each has a new custom_id and params."""
    began = time.perf_counter()
    ids: set[str] = set()
    with open(source, "rb") as lines:
        for line in lines:
            request = json.loads(line)
            if request["custom_id"] in ids or not request["params"]["model"]:
                raise SystemExit("a bad request")
            ids.add(request["custom_id"])
    return {"seconds": time.perf_counter() - began, "requests": len(ids)}


def render_loop(source: str, template: str, dest: str) -> dict[str, Any]:
    """Make requests of a CSV with Jinja and write them."""
    import jinja2

    began = time.perf_counter()
    with open(template, "rb") as file:
        settings = tomllib.load(file)
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined)
    name, prompt = jinja.from_string(settings["custom_id"]), jinja.from_string(settings["prompt"])
    count = 0
    with open(source, encoding="utf-8", newline="") as rows, open(dest, "w", encoding="utf-8") as out:
        for row in csv.DictReader(rows):
            params = {
                "model": settings["model"],
                "max_tokens": settings["max_tokens"],
                "system": settings["system"],
                "messages": [{"role": "user", "content": prompt.render(row)}],
            }
            out.write(json.dumps({"custom_id": name.render(row), "params": params}) + "\n")
            count += 1
    return {"seconds": time.perf_counter() - began, "requests": count}


def _client() -> Any:
    import anthropic

    return anthropic.Anthropic(max_retries=0, timeout=600)


def sdk_create(source: str) -> dict[str, Any]:
    """Send a batch with the SDK's batches.create; the time is the create's alone, the requests are read before."""
    client = _client()
    with open(source, "rb") as lines:
        requests = [json.loads(line) for line in lines]
    began = time.perf_counter()
    client.messages.batches.create(requests=requests)
    return {"seconds": time.perf_counter() - began}


def sdk_results(batch_id: str) -> dict[str, Any]:
    """Read all results with the SDK's loop; nothing is stored."""
    client = _client()
    began = time.perf_counter()
    count = sum(1 for entry in client.messages.batches.results(batch_id) if entry.custom_id)
    return {"seconds": time.perf_counter() - began, "lines": count}


def raw_results(url: str, dest: str) -> dict[str, Any]:
    """Stream the results to a file with the HTTP client below the SDK, and do nothing else: the floor of any Python client."""
    import asyncio

    import httpx2

    async def bring(out: BinaryIO) -> float:
        headers = {"x-api-key": "demo-key", "anthropic-version": "2026-10-21"}
        async with httpx2.AsyncClient() as client:
            began = time.perf_counter()
            async with client.stream("GET", url, headers=headers) as reply:
                async for piece in reply.aiter_bytes():
                    out.write(piece)
            return time.perf_counter() - began

    with open(dest, "wb") as out:
        return {"seconds": asyncio.run(bring(out))}


def sdk_retrieves(ids: list[str]) -> dict[str, Any]:
    """Retrieve each batch by itself."""
    client = _client()
    client.messages.batches.retrieve(ids[0])
    began = time.perf_counter()
    for batch_id in ids:
        client.messages.batches.retrieve(batch_id)
    return {"seconds": time.perf_counter() - began}


def export_loop(results: str, dest: str) -> dict[str, Any]:
    """Write results as CSV with json and csv."""
    header = ["custom_id", "outcome", "stop_reason", "text", "error_type", "error_message", "model", "input", "output"]
    began = time.perf_counter()
    count = 0
    with open(results, "rb") as lines, open(dest, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        for line in lines:
            entry = json.loads(line)
            result = entry["result"]
            message = result.get("message") or {}
            error = (result.get("error") or {}).get("error") or {}
            usage = message.get("usage") or {}
            text = "".join(block.get("text", "") for block in message.get("content", ()))
            facts = [entry["custom_id"], result["type"], message.get("stop_reason"), text]
            facts += [error.get("type"), error.get("message"), message.get("model")]
            writer.writerow([*facts, usage.get("input_tokens"), usage.get("output_tokens")])
            count += 1
    return {"seconds": time.perf_counter() - began, "rows": count}


def answers_loop(results: str) -> dict[str, Any]:
    """Parse every line and the JSON in its answer."""
    began = time.perf_counter()
    columns: dict[str, list[Any]] = {}
    with open(results, "rb") as lines:
        for line in lines:
            blocks = json.loads(line)["result"]["message"]["content"]
            answer = json.loads(next(block["text"] for block in blocks if block["type"] == "text"))
            for name, value in answer.items():
                columns.setdefault(name, []).append(value)
    return {"seconds": time.perf_counter() - began, "fields": len(columns)}


def duckdb_fields(results: str, threads: int) -> dict[str, Any]:
    """The same fields by DuckDB's read_json, which is told their names and the lines' shape, as columns in memory."""
    import duckdb

    names = ("sentiment", "topic", "urgency", "score", "reason")
    text = "list_filter(result.message.content, lambda b: b.type = 'text')[1].text"
    wanted = ", ".join(f"json_extract_string(answer, '$.{name}') AS {name}" for name in names)
    shape = "{custom_id: 'VARCHAR', result: 'STRUCT(message STRUCT(content STRUCT(type VARCHAR, text VARCHAR)[]))'}"
    began = time.perf_counter()
    lines = f"read_json('{results}', format='newline_delimited', columns={shape})"
    made = f"CREATE TABLE fields AS SELECT {wanted} FROM (SELECT {text} AS answer FROM {lines})"
    database = duckdb.connect(config={"threads": threads})
    database.execute(made)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rows": database.execute("SELECT count(*) FROM fields").fetchone()}


def _frame(results: str) -> Any:
    """The labels of a job with the gold of its rows, as a table of pandas."""
    import pandas

    answers, ids = [], []
    with open(results, "rb") as file:
        for line in file:
            entry = json.loads(line)
            message = entry["result"].get("message")
            ids.append(entry["custom_id"])
            answers.append(json.loads(message["content"][0]["text"]) if message else {})
    frame = pandas.DataFrame(answers, columns=["sentiment", "urgency"]).assign(custom_id=ids)
    with open(results.replace("results.jsonl", "ids.jsonl"), "rb") as file:
        rows = [json.loads(line) for line in file]
    gold = pandas.DataFrame(
        {"custom_id": [row["custom_id"] for row in rows], "gold": [row["row"]["gold"] for row in rows]}
    )
    return frame.merge(gold, on="custom_id")


def pandas_table(results: str, what: str, other: str) -> dict[str, Any]:
    """The same by pandas, over a frame that is there; the best of five, in seconds."""
    import pandas

    frame = _frame(results)
    second = _frame(other) if what == "compare" else frame

    def score() -> Any:
        crossed = pandas.crosstab(frame["gold"], frame["sentiment"])
        hits = pandas.Series({label: crossed[label][label] for label in crossed})
        return (frame["gold"] == frame["sentiment"]).mean(), hits / crossed.sum(axis=0), hits / crossed.sum(axis=1)

    def compare() -> Any:
        both = frame.merge(second, on="custom_id", suffixes=("", "_other"))
        one, two = both["sentiment"], both["sentiment_other"]
        right = pandas.crosstab(one == both["gold"], two == both["gold"])
        return (one == two).mean(), pandas.crosstab(one, two), right

    works: dict[str, Any] = {
        "count": frame["sentiment"].value_counts,
        "cross": lambda: pandas.crosstab(frame["sentiment"], frame["urgency"]),
        "numbers": lambda: (frame["urgency"].describe(), frame["urgency"].value_counts()),
        "filter": lambda: frame[(frame["urgency"] > 3) & frame["sentiment"].str.contains("negative", na=False)],
        "sort": lambda: frame.sort_values("urgency", kind="stable"),
        "score": score,
        "compare": compare,
    }
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        works[what]()
        seconds.append(time.perf_counter() - began)
    return {"seconds": min(seconds), "rows": len(frame)}
