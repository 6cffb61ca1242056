"""An export to SQLite that is killed at any moment leaves the file that was there, or none: never half a one."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from result_lines import batch, good
from tests.preloaded import Child

ROWS = 1_200
"""More than are handed over together."""
CHILD = """
import os, signal, sqlite3, sys
from pathlib import Path
from batchtui.domain.money import load_prices
from batchtui.results import export_sqlite
from batchtui.results.export import export
from batchtui.results.storage import open_results

folder, dest, moment = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def at_statement(words):
    real = sqlite3.connect
    def connect(*given, **named):
        database = real(*given, **named)
        database.set_trace_callback(lambda text: die() if text.startswith(words) else None)
        return database
    sqlite3.connect = connect

if moment.isdecimal():
    tick = int(moment)
    held = export_sqlite._held
    def count(value):
        global tick
        tick -= 1
        return held(value) if tick else die()
    export_sqlite._held = count
elif moment in ("os.rename", "os.fsync"):
    if moment == "os.rename":
        sys.addaudithook(lambda event, args: die() if event == "os.rename" else None)
    else:
        os.fsync = die
elif moment != "never":
    at_statement(moment)
print(export(open_results(folder, load_prices()), None, "sqlite", dest, replace=True))
"""


@pytest.mark.parametrize("before", [b"", b"the file that was there"])
def test_a_killed_export_leaves_the_old_file_or_none(tmp_path: Path, before: bytes) -> None:
    view = batch(tmp_path / "batch", [good(f"r{n}", f'{{"n": {n}}}') for n in range(ROWS)])
    view.close()
    dest = tmp_path / "out.db"
    if before:
        dest.write_bytes(before)
    moments = ["CREATE TABLE answers", "9000", "COMMIT", "os.fsync", "os.rename"]
    for moment in moments:
        child = Child([str(tmp_path / "batch"), str(dest), moment], code=CHILD, stderr=subprocess.PIPE)
        _, said = child.communicate(timeout=120)
        assert child.returncode == -signal.SIGKILL, (moment, said.decode())
        assert (dest.read_bytes() if dest.exists() else b"") == before, moment
    child = Child([str(tmp_path / "batch"), str(dest), "never"], code=CHILD, stdout=subprocess.PIPE)
    assert child.communicate(timeout=120)[0].strip() == b"1200"
    with closing(sqlite3.connect(dest)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*), sum(n) FROM fields").fetchone() == (ROWS, sum(range(ROWS)))
