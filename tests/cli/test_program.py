"""The program as a process: what it imports, --demo, serve, pipes, and a terminal that hostile text must not reach."""

from __future__ import annotations

import gc
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import anthropic
import msgspec
import pytest

from batchtui.domain.batch import BatchRecord, Candidate
from batchtui.store.records import History
from tests.cli.calling import Caller, program
from tests.demo_server import running_demo
from tests.preloaded import Child
from tests.service.harness import request, source

HEAVY = ("textual", "anthropic", "starlette", "jinja2", "uvicorn", "pyarrow", "httpx2")


@pytest.mark.parametrize(
    "words", [None, ["--help"], ["--version"], ["help", "json"], ["list", "--json"], ["list", "--help"]]
)
def test_nothing_heavy_is_imported_before_it_is_needed(words: list[str] | None) -> None:
    run = f"try:\n    main({words!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n" if words else ""
    code = (
        f"import sys, batchtui\nfrom batchtui.cli import main\n{run}"
        f"found = [m for m in {HEAVY!r} if m in sys.modules]\nassert not found, found\n"
    )
    said = program(code=code)
    assert said.code == 0, said.err


def test_neither_the_check_of_rows_loads_jinja_nor_the_names_of_faults_a_server() -> None:
    modules = "batchtui.intake.plan, batchtui.intake.preview, batchtui.demo.faults, batchtui.cli.completion"
    said = program(
        code=f"import sys, {modules}\nfound = [m for m in {HEAVY!r} if m in sys.modules]\nassert not found, found\n"
    )
    assert said.code == 0, said.err


def test_a_verb_runs_with_the_collector_that_rests_while_it_is_loaded(tmp_path: Path) -> None:
    code = (
        "import gc\nfrom batchtui.cli import main\nfrom batchtui.service import Service\nrecords = Service.records\n"
        "def told(self):\n    print(gc.isenabled(), gc.get_freeze_count() > 1000)\n    return records(self)\n"
        f"Service.records = told\nmain(['list', '--data-dir', {str(tmp_path)!r}])\n"
    )
    said = program(code=code)
    assert said.code == 0 and said.out.startswith(b"True True"), said.err


def test_a_verb_in_a_process_that_collects_leaves_its_garbage_to_the_collector(call: Caller) -> None:
    before = gc.get_freeze_count()
    assert call("list").code == 0 and gc.isenabled()
    assert gc.get_freeze_count() <= before


@pytest.mark.usefixtures("fast")
def test_the_demo_from_a_file_to_results_without_a_key(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    said = program("submit", source(tmp_path, 5), "--demo", "--wait", "-o", out, "--json")
    assert said.code in (0, 1), said.err
    [record] = said.json["batches"]
    assert len(out.read_bytes().splitlines()) == 5 == record["requests"]
    listed = program("list", "--demo", "--json")
    assert [r["local_id"] for r in listed.json] == [record["local_id"]] and listed.err == ""
    assert program("results", "last", "--demo").out == out.read_bytes()
    assert program("list", "--json").json == []


def test_serve_says_where_it_is_and_ends_on_a_signal(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "batchtui", "serve", "--port", "0", "--json", "--duration", "0.05", "--fault", "drop*1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None and child.stderr is not None
        where = json.loads(child.stdout.readline())
        assert f"batchtui demo server on {where['base_url']}" in child.stderr.readline().decode()
        [told] = Path(os.environ["BATCHTUI_DATA_DIR"]).rglob("server.json")
        env = {"ANTHROPIC_BASE_URL": where["base_url"], "ANTHROPIC_API_KEY": "k"}
        (Path(os.environ["BATCHTUI_CONFIG_DIR"])).mkdir(exist_ok=True)
        said = program("submit", source(tmp_path, 3), "--wait", "--json", env=env)
        assert said.code in (0, 1), said.err
        assert said.json["batches"][0]["results"] == "stored"
        with anthropic.Anthropic(api_key="demo-key", base_url=where["base_url"]) as client:
            assert client.models.list().data
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=120)
    assert child.returncode == 0
    assert not told.exists()


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    History(tmp_path).create(BatchRecord(local_id="20260101T000000Z-aaaaaa", run="r", title="t" * 100))
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m batchtui list --data-dir {shlex.quote(str(tmp_path))} | true",
        shell=True,
        capture_output=True,
        timeout=120,
    )
    assert done.stderr == b""


EVIL = (
    "a\x1b[2Jb\x1b]0;owned\x07c\x9b31md\x1b]52;c;aGk=\x07e\x07f\x08g\rh\x0ei\x7fj\x85k\u202el\u2066m\u2028n\ufeffo\u200bp"
    "\x1bPq\x1b\\r\x90s\U000e0041t\x00u[bold]v[/x]"
)
ALLOWED = re.compile(r"\x1b\[K|\r\n|\r|\n")
FORBIDDEN = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\U000e0041]"
)


def on_a_terminal(words: list[str], env: dict[str, str]) -> str:
    """What a verb writes to a real pseudo-terminal, both its streams."""
    fd, slave = pty.openpty()
    child = Child(
        words, env={**os.environ, **env, "TERM": "xterm"}, stdin=slave, stdout=slave, stderr=slave, terminal=True
    )
    os.close(slave)
    seen = b""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        ready, _, _ = select.select([fd], [], [], 1.0)
        if ready:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
            if b"[y/N]" in piece:
                os.write(fd, b"y\n")
    os.close(fd)
    child.wait(120)
    return seen.decode("utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which every text is hostile, and a file with a hostile name and hostile content."""
    folder = tmp_path_factory.mktemp("hostile")
    history = History(folder / "data")
    record = BatchRecord(
        local_id="20260101T000000Z-aaaaaa", run="20260101T000000Z-aaaaaa", id=f"msgbatch_{EVIL}", title=EVIL, note=EVIL,
        status="ended", results="stored", error=EVIL, source=EVIL, requests=2, models={EVIL: 2}, profile="default",
        base_url="http://127.0.0.1:9",
    )  # fmt: skip
    history.create(record)
    place = history.folder(record.local_id)
    (place / "requests.jsonl").write_text(
        "".join(json.dumps(request(f"r-{n}", EVIL), ensure_ascii=False) + "\n" for n in range(2))
    )
    good = {"type": "message", "role": "assistant", "model": EVIL, "stop_reason": "end_turn",
            "content": [{"type": "text", "text": EVIL}], "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    bad = {"type": "error", "error": {"type": f"x{EVIL}", "message": EVIL}}
    lines = [
        {"custom_id": "r-0", "result": {"type": "succeeded", "message": good}},
        {"custom_id": "r-1", "result": {"type": "errored", "error": bad}},
    ]
    (place / "results.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    open_one = msgspec.structs.replace(
        record, local_id="20260102T000000Z-bbbbbb", run="x", id=None, status="unconfirmed", results="none",
        candidates=(Candidate(f"msgbatch_{EVIL}", record_time(), 2),),
    )  # fmt: skip
    history.create(open_one)
    name = folder / EVIL.replace("/", "_").replace("\x00", "")
    name.write_text(
        f'{{"custom_id":"{EVIL[:5]}","params":1}}\n'
        + json.dumps(request("r", EVIL, model=EVIL), ensure_ascii=False)
        + "\nnot json \x1b[2J\n"
    )
    return folder


def record_time():  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "verb",
    ["list", "list --json",
     "show last", "show 20260101", "show 20260101 --json", "results 20260101",
     "results 20260101 --format json",
     "results 20260101 --format csv", "results 20260101 --format markdown", "retry 20260101 --dry-run", "cancel 20260101",
     "delete 20260102", "compare 20260101 20260101 --all", "check FILE", "check FILE --json", "submit FILE", "doctor",
     "show EVIL",
     "results 20260101 --filter EVIL", "list --EVIL", "retry 20260101 --set EVIL=1 --dry-run"],
)  # fmt: skip
def test_hostile_text_never_reaches_a_terminal_raw(hostile: Path, verb: str) -> None:
    [name] = [p for p in hostile.iterdir() if p.is_file()]
    evil = EVIL.replace("\x00", "")
    words = [str(name) if w == "FILE" else w.replace("EVIL", evil) for w in verb.split()]
    env = {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_API_KEY": "k",
        "BATCHTUI_DATA_DIR": str(hostile / "data"),
    }
    seen = on_a_terminal(words, env)
    assert seen.strip() and "g\rh" not in seen
    left = ALLOWED.sub("", seen)
    found = FORBIDDEN.search(left)
    assert found is None, (
        found and hex(ord(found.group())),
        left[max(0, (found.start() if found else 0) - 60) :][:160],
    )


def test_raw_is_raw_when_asked_for_or_piped(hostile: Path) -> None:
    env = {"BATCHTUI_DATA_DIR": str(hostile / "data")}
    stored = (hostile / "data/batches/20260101T000000Z-aaaaaa/results.jsonl").read_bytes()
    assert program("results", "20260101", env=env).out == stored
    assert "\x9b31m" in on_a_terminal(["results", "20260101", "--raw"], env)


def test_an_error_message_of_the_service_is_shown_safely(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["status:400@create"]) as demo:
        from batchtui.demo import protocol

        before = dict(protocol._MESSAGES)
        protocol._MESSAGES[400] = EVIL
        try:
            env = {"ANTHROPIC_BASE_URL": demo.base_url, "ANTHROPIC_API_KEY": "k"}
            seen = on_a_terminal(["submit", str(source(tmp_path, 2))], env)
        finally:
            protocol._MESSAGES.clear()
            protocol._MESSAGES.update(before)
    assert "refused" in seen and not FORBIDDEN.search(ALLOWED.sub("", seen)), seen
