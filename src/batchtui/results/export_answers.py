"""Answers to read: as one Markdown file, or as a folder with a file each."""

from __future__ import annotations

import csv
import io
import secrets
import shutil
from pathlib import Path
from typing import IO

import msgspec

from batchtui import safetext
from batchtui.domain.errors import InputError
from batchtui.results.answer_markdown import markdown, stop_words
from batchtui.results.export_job import ExportJob
from batchtui.results.skipped import SkippedRow
from batchtui.results.spreadsheet import safe_cell
from batchtui.results.table import NO_ANSWER, NOT_SENT, free_name
from batchtui.results.text import Answer, read_answer, tool_calls
from batchtui.store import files


def write_markdown(job: ExportJob, out: IO[bytes]) -> int:
    """A heading a request, what is known of it, and all that the answer says."""
    for number, row in enumerate(job.rows):
        job.tick(number)
        text = _not_sent(row) if isinstance(row, SkippedRow) else _section(job, row)
        out.write(text.encode("utf-8", "replace"))
    return len(job.rows)


def _not_sent(row: SkippedRow) -> str:
    return f"## {row.name}\n\n*{NOT_SENT} · {row.where}*\n\n{row.why}\n\n"


def _section(job: ExportJob, number: int) -> str:
    row = job.view.row(number)
    raw = job.view.raw(number)
    answer = read_answer(raw)
    facts = [f"cut short: {row.cut_short}" if row.cut_short else "invalid" if row.invalid else row.outcome]
    facts = [NO_ANSWER] if job.every and not raw else facts
    facts += [row.model] if row.model else []
    facts += [f"{row.tokens:,} tokens"] if row.tokens else []
    facts += [f"${row.cost_usd.normalize():f}"] if row.cost_usd else []
    body = markdown(answer) if answer.text is not None else answer.why
    return f"## {row.custom_id or '(no id)'}\n\n*{' · '.join(facts)}*\n\n{body.rstrip()}\n\n"


def write_files(job: ExportJob, dest: Path) -> int:
    """A file with each answer's text, beside it one with its tool calls and what else it says, and ``index.csv``.

    The index names each request's files and outcome.
    """
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise InputError(f"{dest} already exists and is not empty", advice="give a folder that does not exist yet")
    if dest.absolute() == Path.cwd():
        raise InputError("the current folder can't be replaced", advice="give a folder that does not exist yet")
    temp = dest.with_name(f".{dest.name}.{secrets.token_hex(4)}.tmp")
    try:
        files.make_private_dir(dest.parent)
        files.make_private_dir(temp)
        written = _fill(job, temp)
        temp.replace(dest)
        files.fsync_dir(dest.parent)
    except OSError as error:
        raise files.explain(error, f"can't write {dest}") from error
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    return written


def _fill(job: ExportJob, folder: Path) -> int:
    taken: set[str] = set()
    written = 0
    with files.open_private(folder / "index.csv", "xb") as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        index = csv.writer(text, lineterminator="\r\n")
        index.writerow(["custom_id", "file", "outcome", "error", "parts_file"])
        for number, row_number in enumerate(job.rows):
            job.tick(number)
            if isinstance(row_number, SkippedRow):
                index.writerow([safe_cell(each) for each in (row_number.name, "", NOT_SENT, row_number.why, "")])
                continue
            row = job.view.row(row_number)
            raw = job.view.raw(row_number)
            answer = read_answer(raw)
            name, more = "", ""
            if answer.text is not None:
                # Capitals don't count on every disk.
                base = free_name(safetext.filename(row.custom_id), taken, joint="-", fold=str.lower)
                name = f"{base}.txt"
                _put(folder / name, answer.text.encode("utf-8", "replace"))
                written += 1
                if beside := _beside(raw, answer):
                    more = f"{base}.json"
                    _put(folder / more, beside)
            state = NO_ANSWER if job.every and not raw else row.flaw or row.outcome
            why = answer.why or (stop_words(answer.stop_details) if answer.stop_details else "")
            index.writerow([safe_cell(each) for each in (row.custom_id, name, state, why, more)])
        text.flush()
    return written


def _put(path: Path, data: bytes) -> None:
    with files.open_private(path, "xb") as file:
        file.write(data)


def _beside(raw: bytes, answer: Answer) -> bytes:
    """What an answer says beside its text, as JSON; empty when it says nothing more."""
    said: dict[str, object] = {}
    for key, text in (("tool_calls", tool_calls(raw, answer)), ("stop_details", answer.stop_details)):
        if text:
            said[key] = msgspec.Raw(text.encode("utf-8", "replace"))
    if answer.compaction:
        said["compaction"] = answer.compaction
    return msgspec.json.format(msgspec.json.encode(said), indent=2) if said else b""
