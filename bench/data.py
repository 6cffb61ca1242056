"""Makes the data that is measured on: the same bytes every time, kept in ``bench/out/data`` until ``--clean``."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

OUT = Path(__file__).parent / "out"
DATA = OUT / "data"
NEEDLE = "saffron lighthouse"
"""Stands in one answer of 700."""
MODEL = "claude-haiku-5-5"
SYSTEM = "You label customer letters. Answer with one label, then one sentence that gives the reason."
TEMPLATE = """model = "claude-haiku-5-5"
max_tokens = 400
custom_id = "row-{{ number }}"
system = "You label customer letters. Answer with one label, then one sentence that gives the reason."
prompt = \"\"\"
Product: {{ product }}
Stars: {{ stars }} of 5

{{ letter }}
\"\"\"
"""
_ENGLISH = (
    "the a of to and in that was for on with as at by it from parcel invoice garden window letter coffee engine "
    "station battery screen cable summer winter review price quality delivery support answer question morning "
    "evening quickly slowly nearly always never sometimes broken working perfect late"
)
_WORDS = _ENGLISH.split()
_FOREIGN = ("café", "naïve", "Straße", "東京", "größer", "it’s", "–")
"""One word of a hundred."""


def made(name: str, make: Callable[[Path], None]) -> Path:
    """The file ``name`` of the data folder, made once and whole."""
    path = DATA / name
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        temp = path.with_name(path.name + ".tmp")
        make(temp)
        temp.rename(path)
    return path


def _paragraphs(rng: random.Random) -> list[str]:
    found = []
    for _ in range(2_000):
        length = rng.randrange(25, 60)
        words = " ".join(rng.choice(_FOREIGN if rng.random() < 0.01 else _WORDS) for _ in range(length))
        found.append(words.capitalize() + rng.choice((".", '. He said "no".', ".\n")))
    return found


def _text(rng: random.Random, paragraphs: list[str], size: int) -> str:
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(rng.choice(paragraphs))
        length += len(parts[-1]) + 1
    return " ".join(parts)[:size]


def requests(count: int, size: int = 2_440) -> Path:
    """A file of ``count`` requests, about ``size`` bytes each."""
    return made(f"requests-{count}-{size}.jsonl", lambda path: _write(path, _request_lines(count, size)))


def _write(path: Path, lines: Iterator[bytes]) -> None:
    with path.open("wb", buffering=1 << 20) as file:
        file.writelines(lines)


def _request_lines(count: int, size: int) -> Iterator[bytes]:
    rng = random.Random(7)
    paragraphs = _paragraphs(rng)
    for number in range(count):
        length = max(10, int((size - 330) * rng.uniform(0.6, 1.4))) if size > 400 else max(10, size - 150)
        params: dict[str, object] = {"model": MODEL, "max_tokens": 400}
        if size > 400:
            params["system"] = SYSTEM
        params["messages"] = [{"role": "user", "content": _text(rng, paragraphs, length)}]
        text = json.dumps({"custom_id": f"req-{number:07}", "params": params}, ensure_ascii=False)
        yield text.encode() + b"\n"


def body(source: Path) -> Path:
    """The same requests as the body of a create, for curl."""

    def make(path: Path) -> None:
        with source.open("rb") as lines, path.open("wb", buffering=1 << 20) as out:
            out.write(b'{"requests":[')
            for number, line in enumerate(lines):
                out.write(b"," * bool(number) + line.rstrip(b"\n"))
            out.write(b"]}")

    return made(source.stem + ".body.json", make)


def results(count: int, size: int = 2_500) -> Path:
    """The results of ``requests(count)`` in another order, about ``size`` bytes each."""
    return made(f"results-{count}-{size}.jsonl", lambda path: _write(path, _result_lines(count, size)))


def _result_lines(count: int, size: int) -> Iterator[bytes]:
    rng = random.Random(11)
    paragraphs = _paragraphs(rng)
    order = list(range(count))
    rng.shuffle(order)
    for number in order:
        found = _result(rng, paragraphs, number, size)
        yield json.dumps({"custom_id": f"req-{number:07}", "result": found}, ensure_ascii=False).encode() + b"\n"


def _result(rng: random.Random, paragraphs: list[str], number: int, size: int) -> dict[str, object]:
    if number % 50 == 3:
        error = {"type": "overloaded_error", "message": "Overloaded. Please try again later"}
        return {"type": "errored", "error": {"type": "error", "error": error, "request_id": f"req_{number:024}"}}
    if number % 100 == 7:
        return {"type": "expired"}
    text = _text(rng, paragraphs, max(20, int((size - 430) * rng.uniform(0.6, 1.4))))
    if number % 700 == 11:
        middle = len(text) // 2
        text = f"{text[:middle]} {NEEDLE} {text[middle:]}"
    usage = {"input_tokens": 500 + number % 400, "output_tokens": len(text) // 4, "service_tier": "batch"}
    message = {
        "id": f"msg_{number:024}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "max_tokens" if number % 90 == 5 else "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    return {"type": "succeeded", "message": message}


ANSWER_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "sentiment": {"type": "string", "enum": ["positive", "negative", "mixed"]},
        "topic": {"type": "string", "enum": ["price", "quality", "delivery", "support"]},
        "urgency": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        "score": {"type": "number"},
        "reason": {"type": "string"},
    },
    "required": ["sentiment", "topic", "urgency", "score", "reason"],
    "additionalProperties": False,
}


SENTIMENTS = ("positive", "negative", "mixed")


def answers(count: int, *, long: bool = False, seed: int = 13) -> Path:
    """A folder with the results, requests and rows of a labeling job: about 600 bytes a result, or 2,400 with ``long``
    ones, which have a long reason and the signature of a thinking block beside it.  Rows have the column ``gold``.
    """
    folder = DATA / f"answers-{count}-{'long' if long else 'short'}{'' if seed == 13 else f'-{seed}'}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (
        ("requests.jsonl", _asking_lines(count)),
        ("ids.jsonl", _gold_lines(count)),
        ("results.jsonl", _labeled_lines(count, long, seed)),
    ):
        if not (folder / name).exists():
            _write(folder / f"{name}.tmp", lines)
            (folder / f"{name}.tmp").rename(folder / name)
    return folder


def _gold_lines(count: int) -> Iterator[bytes]:
    rng = random.Random(17)
    for number in range(1, count + 1):
        row = {"number": number, "gold": rng.choice(SENTIMENTS)}
        told = {"custom_id": f"req-{number - 1:07}", "row_id": f"{number}", "source": 1, "number": number, "row": row}
        yield json.dumps(told, separators=(",", ":")).encode() + b"\n"


def adopted(folder: Path) -> Path:
    """A folder with the same results and no requests, whose answers nobody asked to be anything."""
    found = folder.with_name(f"{folder.name}-adopted")
    if not (found / "results.jsonl").exists():
        found.mkdir(exist_ok=True)
        os.link(folder / "results.jsonl", found / "results.jsonl")
    return found


def _asking_lines(count: int) -> Iterator[bytes]:
    config = {"format": {"type": "json_schema", "schema": ANSWER_SCHEMA}}
    for number in range(count):
        messages = [{"role": "user", "content": "Label this letter."}]
        params = {"model": MODEL, "max_tokens": 400, "messages": messages, "output_config": config}
        yield json.dumps({"custom_id": f"req-{number:07}", "params": params}, separators=(",", ":")).encode() + b"\n"


def _labeled_lines(count: int, long: bool, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    paragraphs = _paragraphs(rng)
    for number in range(count):
        answer = {
            "sentiment": rng.choice(SENTIMENTS),
            "topic": rng.choice(("price", "quality", "delivery", "support")),
            "urgency": rng.randrange(1, 6),
            "score": round(rng.random(), 2),
            "reason": _text(rng, paragraphs, 1_080 if long else 160),
        }
        content: list[dict[str, str]] = [{"type": "text", "text": json.dumps(answer, ensure_ascii=False)}]
        if long:
            content.insert(0, {"type": "thinking", "thinking": "", "signature": f"{rng.getrandbits(3_200):0800x}"})
        usage = {"input_tokens": 200, "output_tokens": 60, "service_tier": "batch"}
        message = {
            **{"id": f"msg_{number:024}", "type": "message", "role": "assistant", "model": MODEL, "content": content},
            **{"stop_reason": "end_turn", "stop_sequence": None, "usage": usage},
        }
        line = {"custom_id": f"req-{number:07}", "result": {"type": "succeeded", "message": message}}
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def table(count: int) -> tuple[Path, Path]:
    """A CSV of ``count`` letters, and the template that makes requests of its rows."""

    def make(path: Path) -> None:
        rng = random.Random(13)
        paragraphs = _paragraphs(rng)
        with path.open("w", encoding="utf-8", newline="", buffering=1 << 20) as file:
            writer = csv.writer(file)
            writer.writerow(["number", "product", "stars", "letter"])
            for number in range(count):
                letter = _text(rng, paragraphs, rng.randrange(150, 900))
                writer.writerow([number, rng.choice(_WORDS), rng.randrange(1, 6), letter])

    return made(f"letters-{count}.csv", make), made("letters.toml", lambda path: _say(path, TEMPLATE))


def _say(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def megabytes(path: Path) -> float:
    """The size of a file in MB."""
    return os.stat(path).st_size / 1e6
