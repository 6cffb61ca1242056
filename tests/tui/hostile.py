"""Strings that do something to a terminal or to markup, each with a number to find it by, and a data folder full of them."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from batchtui.config.load import Config, Profile
from batchtui.domain.batch import Candidate, Counts, RemoteBatch
from batchtui.service import Service
from tests.tui.home_data import ago, estimate, put, tally
from tests.tui.work import MODEL, NOW, add_batch, answered, failed, line, make_service, request

ESC, CSI, OSC, ST, BEL = "\x1b", "\x1b[", "\x1b]", "\x1b\\", "\x07"
_SEQUENCES = [
    *(f"{CSI}{codes}m" for codes in ("31", "5;31", "7", "0", "38;5;9", "38;2;1;2;3", "8")),
    *(f"{CSI}{codes}" for codes in ("2J", "3J", "H", "1;1H", "10A", "K", "?1049l")),
    *(f"{CSI}{codes}" for codes in ("?25l", "?1000h", "6n", "c", ">c", "!p")),
    *(f"{CSI}{codes}" for codes in ("?2004l", "5i", "21t", "20t", "1;1r", "4h", "1000000b", "s", "u", "0 q", "?2026h")),
    *(f"{OSC}{what}OWNED{BEL}" for what in ("0;", "1;", "2;", "4;1;", "7;file://", "9;", "10;", "777;notify;x;")),
    *(f"{OSC}{what}OWNED{ST}" for what in ("0;", "1;", "2;", "4;1;", "7;file://", "9;", "10;", "777;notify;x;")),
    *(f"{OSC}{what}{BEL}" for what in ("52;c;T1dORUQ=", "8;;https://evil.example/", "1337;File=:T1dO", "133;A")),
    *(f"{OSC}{what}{ST}" for what in ("52;c;T1dORUQ=", "8;;https://evil.example/", "1337;File=:T1dO", "133;A")),
    *(ESC + what for what in ("c", "7", "8", "D", "M", "=", ">", "(0", "#8", "Z", "%@", "n", "l", "[", "]", "P")),
    *(f"{ESC}{what}OWNED{ST}" for what in ("P", "Ptmux;", "_", "^", "X", "P$q", "P+q")),
    *("\x9b31m", "\x9b2J", "\x9d0;OWNED\x9c", "\x90q\x9c", "\x85", "\x84", "\x8d", "\x9e", "\x9f", "\x98", "\x80", "\x9a"),
    *(chr(code) for code in (0, 5, 7, 8, 11, 12, 13, 14, 15, 16, 17, 19, 24, 26, 28, 31, 127)),
    *(chr(code) for code in (0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069, 0x200E, 0x200F, 0x61C)),
    *(chr(code) for code in (0x2028, 0x2029, 0x200B, 0x2060, 0xFEFF, 0xAD, 0x180E, 0xFFF9, 0xE0041, 0xE007F)),
    *("[/x]", "[/]", "[red]", "[@click=app.quit]x[/]", "[link=file:///etc/passwd]", "[bold", "\\[", "[$primary]", "[[", "]"),
    *("\ud800", "\udc80", "\udcff\udc1b", "\n", "\r\n", "\t", "\b\b\b\b", "a\rb"),
    *("𝔘", "👩‍👩‍👧", "e\u0301" * 5, "e" + "\u0301" * 40, "日本"),
    *("{{ 7*7 }}", "%s%n", "$(touch owned)", "`id`", "../../etc/passwd", "-rf", "=cmd|' /C calc'!A0", "<script>", "![x](file:///x)"),
]  # fmt: skip


def atoms() -> list[str]:
    """Each sequence with the word that tells it: ``OWN042D``."""
    return [f"a{sequence}OWN{number:03}D" for number, sequence in enumerate(_SEQUENCES)]


def composites(size: int = 110) -> list[str]:
    """The same, as many in one string as ``size`` characters hold."""
    found = [""]
    for atom in atoms():
        if len(found[-1]) + len(atom) > size:
            found.append("")
        found[-1] += atom
    return found


LONG = "L" * 20_000 + f"{CSI}31m{OSC}52;c;T1dO{BEL}" + "M" * 30


def on_disk(text: str) -> str:
    """A string as a file's JSON gives it back: what is no Unicode can't be in a record of ours."""
    return text.encode("utf-8", "replace").decode("utf-8")


def config() -> Config:
    """Profiles with hostile names."""
    some = composites()
    profiles = {
        some[n]: Profile(name=some[n], workspace=some[-n - 1], base_url=f"https://x/{some[n]}") for n in range(3)
    }
    profiles["default"] = Profile(workspace=some[4])
    return Config(profiles=profiles, keys={some[5]: some[6]}, warnings=(f"config.toml:3: {some[7]}",))


def put_hostile(service: Service, number: int, text: str, **fields: Any) -> None:
    """A record that says ``text`` wherever it can say something."""
    text = on_disk(text)
    fields = {k: on_disk(v) if isinstance(v, str) else v for k, v in fields.items()}
    whole = {
        "title": text,
        "note": text,
        "source": f"/tmp/{text}",
        "models": {text: 5, MODEL: 4},
        "betas": (text,),
        "error": text,
    }
    put(service, f"h{number:03}", **{**whole, "id": f"msgbatch_{text}", "base_url": f"https://x/{text}", **fields})


def furnish(data: Path) -> Service:
    """A data folder of hostile records in every state, a batch of hostile results, and one to compare it with."""
    service = make_service(data, config())
    states: list[dict[str, Any]] = [
        {"estimate": msgspec.structs.replace(estimate("1", "2"), unpriced=("\x1b[31mx",))},
        {"status": "refused", "id": None, "created_at": None, "intent_at": ago(minutes=3)},
        {"status": "ended", "ended_at": ago(minutes=3), **tally("1.0", succeeded=50, errored=3)},
        {"status": "ended", "ended_at": ago(days=26), "created_at": ago(days=27), "counts": Counts(succeeded=50)},
        {"status": "ended", "ended_at": ago(minutes=3), "profile": "\x1b[31mp", **tally("1.0", succeeded=50)},
    ]  # fmt: skip
    for number, text in enumerate(atoms()):
        put_hostile(service, number, text, **states[number % len(states)])
    for number, text in enumerate(composites(), 500):
        put_hostile(service, number, text, title=f"{text} zz{number}", **states[0])
    lost = on_disk(composites()[2])
    candidates = tuple(Candidate(f"msgbatch_{on_disk(text)}", ago(minutes=5), 9) for text in composites()[:4])
    fields = {
        "status": "unconfirmed",
        "id": None,
        "created_at": None,
        "intent_at": ago(minutes=6),
        "candidates": candidates,
    }
    put_hostile(service, 900, lost, title=f"{lost} unconf", **fields)
    put_hostile(service, 901, LONG, title=f"toolong {LONG}")
    requests, results = lines()
    for number, name in enumerate(("cccccc", "dddddd")):
        if number:
            results = [
                failed(json.loads(each)["custom_id"], text, text)
                for each, text in zip(results, [*atoms(), *composites()], strict=False)
            ]
        title = f"{on_disk(composites()[number])} answers{number}"
        add_batch(service, requests, results, local_id=f"20261122T11{number}000Z-{name}", title=title, run="one")
    for number in range(2):
        put_labels(service, number)
    return service


def put_labels(service: Service, number: int) -> None:
    """A run of a table whose columns, fields and labels are hostile, with a column ``gold`` and a field ``tone``."""
    texts = [on_disk(text) for text in composites()]
    requests, results, ids = [], [], []
    for row, text in enumerate(texts):
        name, said = f"r{row:02}", texts[row if row % 4 else (row + number) % len(texts)]
        fields = {"tone": said, said: text, "deep": {text: [text]}, "size": row}
        requests.append(request(name, text))
        results.append(answered(name, [{"type": "text", "text": json.dumps(fields)}]))
        own = {"gold": text, f"c{texts[0]}": text, "text": text}
        ids.append(json.dumps({"custom_id": name, "row_id": text, "source": 1, "number": row + 2, "row": own}).encode())
    record = add_batch(
        service,
        requests,
        results,
        local_id=f"20261122T12{number}000Z-eeeeee",
        title=f"{texts[number]} labels{number}",
    )
    (service.history.folder(record.local_id) / "ids.jsonl").write_bytes(b"\n".join(ids) + b"\n")


def lines() -> tuple[list[bytes], list[bytes]]:
    """Requests, and results that say the strings as custom_id, text, tool, citation, error and kind."""
    requests, results = [], []
    for number, text in enumerate([*atoms(), *composites(), LONG]):
        custom_id = f"n{number:03}{text[:400]}"
        params = {"model": text, "max_tokens": 9, "system": text, "tools": [{"name": text}], text: text}
        params["messages"] = [{"role": text, "content": [{"type": "text", "text": text}, {"type": text}]}]
        requests.append(json.dumps({"custom_id": custom_id, "params": params}).encode() + b"\n")
        results.append(result(custom_id, number, text))
    return requests, results


def result(custom_id: str, number: int, text: str) -> bytes:
    """One result line, of a kind that goes by the number."""
    cites = [{"type": "char_location", "document_title": text, "cited_text": text}]
    prose = f"# {text}\n\n* `{text}` [{text}](http://{text})\n\n```\n{text}\n```\n\n|a|\n|-|\n|{text}|\n"
    blocks: list[list[dict[str, Any]]] = [
        [{"type": "text", "text": prose, "citations": cites}],
        [{"type": "tool_use", "id": text, "name": text, "input": {text: text, "deep": [text]}}],
        [{"type": "thinking", "thinking": text}, {"type": text, text: text}, {"type": "web_search_tool_result", "content": text}],
        [{"type": "image", "title": text, "source": {"type": "base64", "media_type": text, "data": text}}],
    ]  # fmt: skip
    if number % 6 == 4:
        return failed(custom_id, text, text)
    if number % 6 == 5:
        return line(custom_id, {"type": text, text: text})
    return answered(custom_id, blocks[number % 6], stop=text if number % 5 == 0 else "end_turn")


def message(text: str) -> bytes:
    """A message of the plain endpoint."""
    body = json.loads(
        answered("x", [{"type": "text", "text": text}, {"type": "tool_use", "name": text, "input": text}], stop=text)
    )
    return json.dumps(body["result"]["message"]).encode()


def remotes() -> list[RemoteBatch]:
    """Batches made elsewhere."""
    return [
        RemoteBatch(id=f"msgbatch_{text}", processing_status=text, created_at=NOW - timedelta(hours=1))
        for text in composites()
    ]


def folder(where: Path) -> None:
    """Sources with hostile names, headers, ids and mistakes."""
    where.mkdir()
    for number, text in enumerate(atoms()):
        whole = "\ud800" not in text and "\udc1b" not in text
        raw = text.encode("utf-8", "surrogateescape" if whole else "replace")
        name = raw.replace(b"/", b"|").replace(b"\0", b"0")[:120]
        with open(os.fsencode(where) + b"/f%03d-" % number + name + b".jsonl", "wb") as file:
            file.write(b'{"custom_id":"x","params":{}}\n')
    requests, _ = lines()
    good = [request(f"g{n}", text, system=text) for n, text in enumerate(composites()) if "\ud800" not in text]
    (where / "good.jsonl").write_bytes(b"".join(good))
    (where / "bad.jsonl").write_bytes(
        b"".join(requests) + b"{no json \x1b[31m OWNED\n" + b'{"custom_id": "\xff\x9b31m"}\n'
    )
    rows = [on_disk(text).replace('"', "").replace("\0", "") for text in composites()]
    header = ",".join(f'"c{number}{text}"' for number, text in enumerate(rows[:6]))
    body = "\n".join(",".join(f'"{text}"' for text in rows[n : n + 6]) for n in range(len(rows) - 6))
    (where / "rows.csv").write_bytes(f"{header}\n{body}\n".encode())
    columns = "{{ row.values() | list }}"
    (where / "rows.toml").write_text(
        f'model = "claude-haiku-5-5"\nmax_tokens = 9\ncustom_id = "r{{{{ row_number }}}}"\nprompt = "{columns}"\n'
    )
