"""Runs one function of a module here and prints what it measured: ``python -m bench.worker MODULE:FUNCTION JSON``."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys


def main() -> None:
    """Call the function; it returns its seconds, alone or with more to tell."""
    module, _, name = sys.argv[1].partition(":")
    found = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    told = found if isinstance(found, dict) else {"seconds": found}
    sys.stdout.write(json.dumps({**told, "peak": _peak()}) + "\n")


def _peak() -> float:
    from bench.measure import peak_of

    # getrusage would begin with the parent's size; it is the fallback where there is no /proc.
    return peak_of(os.getpid()) or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
