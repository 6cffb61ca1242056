"""Runs the making of results: small batches here, large ones in a process of their own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from batchtui.demo import generate
from batchtui.demo.generate import Done, Halted, Job
from batchtui.domain.errors import StoreError
from batchtui.store import files

_SMALL_REQUESTS = 2_000
_SMALL_BYTES = 4_000_000
_AGAIN_AFTER = 2.0
_log = logging.getLogger("batchtui.demo")


def make(job: Job, requests: int, size: int, stop: threading.Event) -> Done | None:
    """Do the job, again when the disk says no; None when it was stopped."""
    apart = requests > _SMALL_REQUESTS or size > _SMALL_BYTES
    while not stop.is_set():
        try:
            return _apart(job, stop) if apart else generate.run(job, stop)
        except Halted:
            return None
        except (StoreError, OSError) as error:
            _log.warning("results of %s could not be written: %s", job.batch_id, error)
            stop.wait(_AGAIN_AFTER)
    return None


def _apart(job: Job, stop: threading.Event) -> Done:
    source = str(Path(generate.__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))}
    given = Path(os.fsdecode(job.out)).with_name("job.json")
    files.write_atomic(given, msgspec.json.encode(job))
    command = [sys.executable, "-m", "batchtui.demo.generate", str(given)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
    ) as child:
        while True:
            try:
                out, _ = child.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    child.kill()
                    raise Halted from None
    given.unlink(missing_ok=True)
    if stop.is_set():
        raise Halted
    if child.returncode != 0:
        raise StoreError(f"the process that makes the results ended with {child.returncode}")
    return msgspec.json.decode(out, type=Done)
