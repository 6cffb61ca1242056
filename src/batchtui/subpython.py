"""A Python process of our own: started afresh, with this one's import path and none of its secrets."""

from __future__ import annotations

import os
import sys

_BOOT = "import sys, importlib; n, sys.path[:] = sys.argv[1], sys.argv[2:]; importlib.import_module(n).main()"
_KEPT = frozenset(
    {"PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH", "__PYVENV_LAUNCHER__"}
    | {"TMPDIR", "SYSTEMROOT"}
)
"""What an interpreter may need to start; a name that is not here may hold a key."""


def command(module: str) -> list[str]:
    """The command that runs ``module.main()``; without ``site``, whose outcome it is given as its path."""
    flags = ["-s", "-P", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    return [sys.executable or "python3", *flags, "-c", _BOOT, module, *(os.path.abspath(each) for each in sys.path)]  # noqa: PTH100


def environment() -> dict[str, str]:
    """The variables such a process gets."""
    return {name: value for name, value in os.environ.items() if name in _KEPT}
