"""Python processes of our own: started afresh, with this one's import path; those that run what others wrote get none of
its secrets.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_BOOT = """
import sys, importlib
name, sys.path[:] = sys.argv[1], sys.argv[2:]
# msgspec takes it where it is there, does without it, and is imported in half the time.
sys.modules["typing_extensions"] = None
importlib.import_module(name).main()
"""
PIPE = 1 << 20
"""Bytes a pipe holds where that can be chosen."""
_KEPT = frozenset(
    {"PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH", "__PYVENV_LAUNCHER__"}
    | {"TMPDIR", "SYSTEMROOT"}
)
"""What an interpreter may need to start; a name that is not here may hold a key."""


def command(module: str) -> list[str]:
    """The command that runs ``module.main()``; without ``site``, whose outcome it is given as its path."""
    flags = ["-s", "-P", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    return [sys.executable or "python3", *flags, "-c", _BOOT, module, *(os.path.abspath(each) for each in sys.path)]  # noqa: PTH100


def widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold PIPE bytes where it can, so that neither side waits for the other."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE)


def start(module: str, *, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start ``module.main()`` in a process and a session of its own, with pipes to it and from it; raises OSError."""
    return subprocess.Popen(
        command(module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=pass_fds,
        start_new_session=True,
        env=environment(),
    )


def end(child: subprocess.Popen[bytes]) -> None:
    """Put an end to a process, whatever it does."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def environment() -> dict[str, str]:
    """The variables such a process gets."""
    return {name: value for name, value in os.environ.items() if name in _KEPT}


def inherited() -> dict[str, str]:
    """All of this process's variables, with our own sources where ``python -m`` looks."""
    source = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))}
