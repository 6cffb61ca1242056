"""Where requests are from, read from ids.jsonl line by line: what the arrays of ``Places`` are compared with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from batchtui.results.row_ids import Place, old_line_place, old_place
from batchtui.results.view import View


def told(path: Path, requests: Iterable[tuple[str, int]]) -> list[Place]:
    """The places of requests, each given as its custom_id and its place in requests.jsonl from 0."""
    lines: list[dict[str, Any]] = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(ValueError):
            lines.append(json.loads(line))
    by_id = {line["custom_id"]: line for line in lines if line.get("custom_id")}
    hashes = {line["source"]: line["sha256"] for line in lines if "sha256" in line}
    stretches = [line for line in lines if "first" in line]
    found = []
    for custom_id, seq in requests:
        line, own = by_id.get(custom_id), None
        if line is None:
            own = next((each for each in stretches if each["first"] <= seq + 1 <= each["last"]), None)
        if own is not None:
            found.append(Place(custom_id, own["source"], own["number"] + seq + 1 - own["first"]))
        elif line is None:
            found.append(old_place(custom_id, seq))
        elif line.get("source"):
            found.append(Place(line["row_id"], line["source"], line["number"], hashes.get(line["source"], "")))
        else:
            found.append(old_line_place(custom_id, line["row_id"]))
    return found


def told_of(view: View) -> list[Place]:
    """The places of a view's rows."""
    by_member = [
        told(member.folder / "ids.jsonl", zip(member.ids(), member.columns.seq, strict=True)) for member in view.members
    ]
    return [by_member[member][place] for member, place in map(view.place, range(len(view)))]
