"""Streams that are closed or full, files that are no files, no home: a sentence and the right exit code."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from batchtui import clock
from batchtui.cli.verbs import VERBS
from batchtui.domain.errors import Stopped
from batchtui.domain.work import Work
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from batchtui.intake.preview import peek
from tests.intake.helpers import PRICES, plan_of, request, staged, write_lines
from tests.preloaded import Child
from tests.quick import HURRIED

ARGUMENTS: dict[str, list[str]] = {
    "check": ["in.jsonl"],
    "submit": ["in.jsonl", "--yes"],
    "completion": ["bash"],
    "help": ["keys"],
    "serve": ["--port", "99999"],
    "web": ["--port", "99999"],
    **{name: ["last"] for name in ("show", "results", "retry", "cancel", "delete", "adopt", "watch")},
    "compare": ["last", "last"],
}
STREAMS = [">&-", ">/dev/full", "2>&-", "2>/dev/full", "<&-", "<&- >&- 2>&-"]
STREAM = re.compile(r"(2?)([<>])(&-|/dev/full)")
TEMPLATE = 'model = "claude-opus-5"\nmax_tokens = 5\nprompt = "{{ text }}"\n'


@pytest.fixture
def place(tmp_path: Path, fast: None) -> Path:
    write_lines(tmp_path / "in.jsonl", request())
    (tmp_path / "in.csv").write_text("id,text\n1,hello\n")
    (tmp_path / "t.toml").write_text(TEMPLATE)
    return tmp_path


def environment(place: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "BATCHTUI_"))}
    own = {f"BATCHTUI_{name.upper()}_DIR": str(place / name) for name in ("data", "config", "cache")}
    return kept | own | {clock.VARIABLE: os.environ[clock.VARIABLE]} | more


def run(
    place: Path, *words: str, streams: str = "", env: dict[str, str] | None = None, given: bytes = b"", code: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run the program, without the interpreter's start; ``streams`` as a shell redirects them."""
    fds = dict.fromkeys(range(3), subprocess.PIPE)
    opened = []
    for which, way, what in STREAM.findall(streams):
        number = int(which) if which else int(way == ">")
        if what == "&-":
            # As an interpreter without the stream begins.
            code += f"os.close({number})\nsys.{('stdin', 'stdout', 'stderr')[number]} = None\n"
            fds[number] = subprocess.DEVNULL
        else:
            opened.append(os.open(what, os.O_RDWR))
            fds[number] = opened[-1]
    child = Child(
        words,
        code=f"import os, sys\n{code}{HURRIED}",
        env=environment(place) if env is None else env,
        cwd=place,
        stdin=fds[0],
        stdout=fds[1],
        stderr=fds[2],
    )
    for fd in opened:
        os.close(fd)
    out, err = child.communicate(given, 120)
    return subprocess.CompletedProcess(words, child.wait(), out, err)


def started(
    place: Path, *words: str, streams: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The same with the interpreter's start, by a shell."""
    command = ["sh", "-c", f'"$@" {streams}', "sh", sys.executable, "-m", "batchtui", *words]
    return subprocess.run(
        command, cwd=place, env=env or environment(place), capture_output=True, check=False, timeout=120
    )


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = done.stderr.decode("utf-8", "replace")
    assert "Traceback" not in text, text
    assert done.returncode in (0, 1, 2, 3), (done.returncode, text)
    return text


# --- streams -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", ["without", *(pytest.param(e, marks=pytest.mark.slow) for e in STREAMS)])
def test_every_verb_ends_well_without_its_streams(place: Path, streams: str) -> None:
    if streams == "without":
        streams = STREAMS[-1]
        ways = {verb: run(place, verb, *ARGUMENTS.get(verb, []), streams=streams) for verb in VERBS}
        ways["list"] = started(place, "list", streams=streams)
    else:
        ways = {verb: started(place, verb, *ARGUMENTS.get(verb, []), streams=streams) for verb in VERBS}
    for verb, done in ways.items():
        text = said(done)
        if done.returncode == 0:
            assert ">" not in streams.replace("2>", "") or verb in ("sync", "watch"), (verb, streams)
        elif "2>" not in streams:
            assert text, (verb, streams)
    for file in place.rglob("*"):
        if file.is_file() and file.suffix in (".json", ".jsonl"):
            assert all(json.loads(line) is not None for line in file.read_bytes().splitlines()), file


@pytest.mark.parametrize(
    ("words", "code"), [(["list"], 3), (["list", "--json"], 3), (["check", "none"], 2), (["--help"], 3)]
)
@pytest.mark.parametrize(("streams", "what"), [(">&-", "closed"), (">/dev/full", "No space left")])
def test_output_that_is_lost_is_said(place: Path, words: list[str], code: int, streams: str, what: str) -> None:
    done = (started if words == ["list"] else run)(place, *words, streams=streams)
    assert f"standard output{' is closed' if what == 'closed' else ''}" in said(done)
    assert what in done.stderr.decode()
    assert done.returncode == code


def test_messages_that_are_lost_change_nothing(place: Path) -> None:
    for streams in ("2>&-", "2>/dev/full"):
        done = (run if "full" in streams else started)(place, "list", "--json", "--log", "log.txt", streams=streams)
        assert (done.returncode, done.stdout) == (0, b"[]\n")
        assert run(place, "check", "none", streams=streams).returncode == 2


def test_a_closed_input_is_no_empty_one(place: Path) -> None:
    done = started(place, "check", "-", streams="<&-")
    assert "standard input is closed" in said(done)
    assert done.returncode == 2
    assert run(place, "check", "-", streams="</dev/full").returncode == 2


def test_a_reader_that_goes_away_is_no_error(place: Path) -> None:
    for words in (["help", "files"], ["--help"], ["list"], ["list", "--json"], ["check", "in.jsonl"]):
        fds = os.pipe()
        os.close(fds[0])
        child = Child(words, env=environment(place), cwd=place, stdout=fds[1], stderr=subprocess.PIPE)
        os.close(fds[1])
        _, err = child.communicate(timeout=120)
        assert (child.returncode, err) == (141, b""), words


def test_what_was_sent_is_told_by_the_exit_code_though_output_is_lost(place: Path) -> None:
    done = run(place, "submit", "in.jsonl", "--demo", "--json", streams=">/dev/full")
    assert "can't write to standard output" in said(done)
    assert done.returncode == 3
    [record] = json.loads(run(place, "list", "--demo", "--json").stdout)
    assert record["id"]


# --- files that are no files -------------------------------------------------------------------------------------------


@pytest.fixture
def odd(place: Path) -> list[str]:
    """A named pipe, a socket, a folder and devices."""
    os.mkfifo(place / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(place)
        try:
            made.bind("socket")
        finally:
            os.chdir(here)
    (place / "folder").mkdir()
    return ["pipe", "socket", "folder", "/dev/zero", "/dev/full"]


def test_a_template_is_a_regular_file(place: Path, odd: list[str]) -> None:
    for name in odd:
        plan = plan_of(place / "in.csv", template=place / name)
        assert [(each.code, each.count) for each in plan.problems] == [("template", 1)], name
        assert "can't be read" in plan.problems[0].message
    (place / "large.toml").write_bytes(b"#" * 4_000_001)
    assert "too large" in plan_of(place / "in.csv", template=place / "large.toml").problems[0].message


def test_settings_and_the_log_are_regular_files(place: Path, odd: list[str]) -> None:
    config = place / "config" / "config.toml"
    config.parent.mkdir()
    for name in odd:
        done = run(place, "list", "--log", name)
        assert f"can't write the log {name}" in said(done)
        assert done.returncode == 3
    for name in odd[:4:3]:
        config.symlink_to(place / name)
        done = run(place, "list")
        assert "config.toml can't be read: not a regular file" in said(done)
        assert done.returncode == 2
        config.unlink()


def test_a_record_that_is_no_file_is_reported_and_the_rest_goes_on(place: Path) -> None:
    assert run(place, "submit", "in.jsonl", "--demo", "--wait").returncode == 0
    batches = place / "data" / "demo" / "batches"
    for kind, name in enumerate(("20260101T000000Z-aaaaaa", "20260101T000001Z-aaaaaa")):
        (batches / name).mkdir()
        os.mkfifo(batches / name / "batch.json") if kind else (batches / name / "batch.json").mkdir()
    for streams in (">&-", ">/dev/full"):
        done = run(place, "results", "last", "--demo", streams=streams)
        assert "standard output" in said(done)
        assert done.returncode == 3
    [real] = [each for each in batches.iterdir() if each.name[:8] != "20260101"]
    for name in ("results.index", "ids.jsonl", "results.fields", "review.jsonl", "skipped.jsonl"):
        (real / name).unlink(missing_ok=True)
        os.mkfifo(real / name)
    os.mkfifo(place / "data" / "demo" / "forgotten.txt")
    done = run(place, "list", "--demo")
    assert "a named pipe" in said(done)
    assert done.returncode == 0
    assert run(place, "results", "last", "--demo", "--format", "csv").returncode in (0, 3)
    assert run(place, "sync", "--demo").returncode == 0
    (real / "results.jsonl").unlink()
    os.mkfifo(real / "results.jsonl")
    done = run(place, "results", "last", "--demo")
    assert "a named pipe" in said(done)
    assert done.returncode == 3


def test_a_draft_that_is_no_file_is_refused(place: Path) -> None:
    from batchtui.domain.errors import BatchtuiError
    from batchtui.intake.drafts import load_draft

    (place / "drafts").mkdir()
    os.mkfifo(place / "drafts" / "one.toml")
    with pytest.raises(BatchtuiError, match="can't read"):
        load_draft(place, "one")


def test_a_pipe_may_be_a_source_and_can_be_stopped(place: Path, odd: list[str]) -> None:
    pipe = place / "pipe"
    writer = threading.Thread(target=lambda: pipe.write_bytes((place / "in.jsonl").read_bytes() * 1))
    writer.start()
    plan = plan_of(pipe, staging=place / "s")
    writer.join()
    assert plan.ok
    assert len(staged(plan)) == 1
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Stopped):
        make_plan([str(pipe)], IntakeOptions(), prices=PRICES, staging=None, work=Work(stop=stop))
    assert peek([str(pipe)], IntakeOptions(), prices=PRICES).rows == ()
    for name in odd[1:2] + odd[3:]:
        assert not plan_of(place / name).ok


# --- wide, deep, nameless ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["c {}", "same"])
def test_forty_thousand_columns(place: Path, name: str) -> None:
    wide = 40_000
    names = [name.format(number) for number in range(wide)]
    rows = [",".join(["hello", *names]), *(",".join(["x"] * (wide + 1)) for _ in range(3))]
    (place / "wide.csv").write_text("\n".join(rows) + "\n")
    template = TEMPLATE.replace("text", "hello ~ row|length")
    plan = plan_of(place / "wide.csv", template_text=template, staging=place / "s")
    assert plan.ok, plan.problems[:1]
    assert staged(plan)[2]["params"]["messages"][0]["content"] == f"x{wide + 1}"
    assert len(peek([str(place / "wide.csv")], IntakeOptions(), prices=PRICES).columns) == wide + 1


@pytest.mark.parametrize("many", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_request_of_very_many_unknown_fields(place: Path, many: int) -> None:
    (place / "many.toml").write_text(TEMPLATE + "".join(f"[a{number}]\n" for number in range(many)))
    plan = plan_of(place / "in.csv", template=place / "many.toml")
    assert not plan.ok
    assert any("more than 50 unknown fields" in each.message for each in plan.problems)


def test_a_folder_and_files_with_names_of_odd_bytes(place: Path) -> None:
    data, name = os.fsdecode(b"data\xff"), os.fsdecode(b"in\xfe.jsonl")
    (place / "in.jsonl").rename(place / name)
    done = run(place, "submit", name, "--demo", "--data-dir", data, "--wait", "--json")
    said(done)
    assert json.loads(done.stdout)["batches"][0]["results"] == "stored"
    dest = os.fsdecode(b"out\xff.jsonl")
    done = run(place, "results", "last", "--demo", "--data-dir", data, "-o", dest, "--json")
    said(done)
    assert json.loads(done.stdout)["output"] == "out\\udcff.jsonl"
    assert (place / dest).stat().st_size
    for words in (["list"], ["doctor"], ["sync"], ["show", "last"], ["check", os.fsdecode(b"no\xff")]):
        said(run(place, *words, "--demo", "--data-dir", data))


def test_no_home(place: Path) -> None:
    nobody = "import pwd\ndef none(*_): raise KeyError('none')\npwd.getpwuid = pwd.getpwnam = none\n"
    (place / "site").mkdir()
    (place / "site" / "sitecustomize.py").write_text(nobody)
    env = {n: v for n, v in environment(place).items() if n != "HOME"}
    assert started(place, "check", "in.jsonl", env=env | {"PYTHONPATH": str(place / "site")}).returncode == 0
    assert run(place, "check", "in.jsonl", env=env, code=nobody).returncode == 0
    assert b"no such file" in run(place, "check", "~nobody/x", env=env, code=nobody).stdout
    done = run(place, "submit", "in.jsonl", "--demo", env=env | {"ANTHROPIC_API_KEY": "k"}, code=nobody)
    assert said(done)
    assert done.returncode == 0
    bare = {name: value for name, value in env.items() if not name.startswith("BATCHTUI_")}
    for words in (["list"], ["check", "in.jsonl"], ["config"], ["doctor"]):
        done = run(place, *words, env=bare, code=nobody)
        assert "HOME is not set" in said(done)
        assert done.returncode == 2
    assert not [each for each in place.iterdir() if "~" in each.name]


def test_a_current_folder_that_is_gone(place: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && "$@"'
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "batchtui", "list", "--data-dir", "x"]
    done = subprocess.run(command, cwd=place, env=environment(place), capture_output=True, check=False)
    assert "the current folder was removed" in said(done)
    assert done.returncode == 2
