"""Faults of the demo server: their names and arguments, and when each strikes; ``fault_effects`` has what they do."""

from __future__ import annotations

import math
import re
import threading

import msgspec

from batchtui.domain.errors import InputError

CALLS = ("create", "retrieve", "list", "cancel", "delete", "results", "count_tokens", "models", "messages")


class Kind(msgspec.Struct, frozen=True):
    """What one name does, and where it strikes when no call is named."""

    does: str
    call: str = "any"
    ends: bool = True
    """True when it settles the call; of those one strikes a request, the others wait for the next."""
    arg: str = ""
    """What stands after the colon, empty when nothing may."""
    default: str = ""


KINDS = {
    "refuse": Kind("reset the connection before anything is read"),
    "status": Kind("answer with an error of this status and do nothing", arg="STATUS[,RETRY-AFTER]", default="500"),
    "html": Kind("answer with a web page, as a captive portal does", arg="STATUS", default="200"),
    "redirect": Kind("answer 307 to another host", arg="URL", default="http://batchtui-elsewhere.invalid"),
    "notfound": Kind(
        "404 for so many seconds after the create, or for results after the end", arg="SECONDS", default="3"
    ),
    "drop": Kind("do the work, then close without an answer", "create"),
    "late": Kind(
        "do the work, then answer with an error of this status", "create", arg="STATUS[,RETRY-AFTER]", default="504"
    ),
    "late-html": Kind("do the work, then answer with a proxy's page", "create", arg="STATUS", default="502"),
    "earlier-reply": Kind("do the work, then answer what the create before was answered", "create"),
    "wrong-id": Kind("do the work, then name an id in the reply that is not known", "create", ends=False),
    "torn-reply": Kind("do the work, then break off in the middle of the answer"),
    "hang": Kind("do the work and never answer"),
    "trickle": Kind("do the work, then answer byte by byte, one every so many seconds", arg="SECONDS", default="1"),
    "early-hints": Kind("do the work, then send one 103 after the other and never the answer"),
    "endless": Kind("answer with this status and a body without end", arg="STATUS", default="500"),
    "key-in-error": Kind(
        "answer with an error of this status that has the API key in every field", arg="STATUS", default="400"
    ),
    "cut": Kind(
        "end the results early on a line boundary, as if all were there", "results", arg="SHARE", default="0.5"
    ),
    "tear": Kind("break the connection in the middle of a line", "results", arg="SHARE", default="0.5"),
    "stall": Kind("send a part of the results, then nothing more", "results", arg="SHARE", default="0.5"),
    "slow": Kind("take so many seconds longer", ends=False, arg="SECONDS", default="2"),
    "unknown": Kind("outcome types and fields that are not known yet", ends=False),
    "foreign-url": Kind(
        "a results_url on another host", ends=False, arg="URL", default="http://batchtui-elsewhere.invalid"
    ),
    "hidden": Kind(
        "leave batches younger than so many seconds out of the list", "list", ends=False, arg="SECONDS", default="3"
    ),
    "null-page": Kind("a page whose data is null", "list", ends=False),
    "odd-times": Kind("times without an offset, of the year 9999, or not times at all, also in headers", ends=False),
    "odd-numbers": Kind("counts that are negative, no numbers, or larger than any", ends=False),
    "odd-ids": Kind("ids that would lead elsewhere", ends=False),
    "key-in-reply": Kind("put the API key into the texts of the answer", ends=False),
    "other-workspace": Kind("answer as to the key of another workspace", ends=False),
    "unordered": Kind("list in no order", "list", ends=False),
    "small-pages": Kind("at most so many batches on a page", "list", ends=False, arg="BATCHES", default="2"),
    "empty-page": Kind("an empty page that says that there is more", "list", ends=False),
    "repeat-page": Kind("the first page again and again, with more to come", "list", ends=False),
    "overlap-page": Kind("begin each page with the last batch of the one before", "list", ends=False),
    "zero-counts": Kind("all request_counts are 0", ends=False),
    "rising-counts": Kind(
        "request_counts add up to all requests only after so many seconds", ends=False, arg="SECONDS", default="3"
    ),
    "no-date": Kind("no Date in the reply", ends=False),
    "date-off": Kind("a Date that is ahead by so many seconds", ends=False, arg="±SECONDS", default="18000"),
    "short-count": Kind("leave every tenth result out", "results", ends=False),
    "duplicate-lines": Kind("send every tenth result twice", "results", ends=False),
    "blank-lines": Kind("put blank lines between the results", "results", ends=False),
    "foreign-ids": Kind("change every tenth custom_id", "results", ends=False),
    "other-batch": Kind("send the results of another batch with as many lines", "results", ends=False),
    "garbage-line": Kind("send one result as a line that is not JSON", "results", ends=False),
    "foreign-line": Kind("send one result with a custom_id that was not sent", "results", ends=False),
    "lag-counts": Kind(
        "count only a share of the requests once a batch has ended", ends=False, arg="SHARE", default="0.5"
    ),
    "archived": Kind("say archived_at of a batch whose results are there", ends=False),
    "forgotten": Kind("know no batch: 404 on each of them, and an empty list", ends=False),
    "surrogate": Kind("put lone surrogates into the answers", "results", ends=False),
    "bad-line": Kind("put lines that are not JSON between the results", "results", ends=False),
    "bad-utf8": Kind("put bytes that are not UTF-8 into the answers", "results", ends=False),
    "deep-line": Kind("add deeply nested JSON to a result", "results", ends=False),
    "long-line": Kind("make one answer so many bytes long", "results", ends=False, arg="BYTES", default="5000000"),
}
RESULT_FAULTS = frozenset(name for name, kind in KINDS.items() if kind.call == "results")


class Fault(msgspec.Struct, frozen=True):
    """One fault as it was asked for."""

    name: str
    arg: str
    call: str
    """A call's name, or ``any``."""
    times: int | None = None
    """How often it strikes; None is always."""

    @property
    def number(self) -> float:
        """The argument as a number."""
        return float(self.arg.partition(",")[0])

    @property
    def ends(self) -> bool:
        """True when it settles the call."""
        return KINDS[self.name].ends


def parse_fault(text: str) -> Fault:
    """Read ``NAME[:ARG][@CALL][*TIMES]``; raises InputError that says what would do."""
    match = re.fullmatch(
        r"(?P<name>[a-z0-9-]+)(?::(?P<arg>.*?))?(?:@(?P<call>[a-z_]+))?(?:\*(?P<times>\d+))?", text.strip()
    )
    kind = KINDS.get(match["name"]) if match else None
    if match is None or kind is None:
        raise InputError(f"there is no fault {text!r}", advice=f"known are {', '.join(KINDS)}")
    call = match["call"] or kind.call
    if call not in (*CALLS, "any"):
        raise InputError(f"fault {text!r}: there is no call {call!r}", advice=f"known are any, {', '.join(CALLS)}")
    if match["arg"] and not kind.arg:
        raise InputError(f"fault {text!r}: {match['name']} takes no argument", advice=f"write {match['name']}")
    fault = Fault(match["name"], match["arg"] or kind.default, call, int(match["times"]) if match["times"] else None)
    if kind.arg and kind.arg != "URL":
        _check_number(text, fault, kind)
    return fault


def _check_number(text: str, fault: Fault, kind: Kind) -> None:
    parts = fault.arg.split(",") if kind.arg.startswith("STATUS[") else [fault.arg]
    try:
        numbers = [float(part) for part in parts]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(fault.arg)
    except ValueError as error:
        raise InputError(
            f"fault {text!r}: {fault.arg!r} is not a number", advice=f"write {fault.name}:{kind.arg}"
        ) from error
    fits = {"STATUS": 200 <= numbers[0] <= 599, "SHARE": 0 <= numbers[0] <= 1}.get(
        kind.arg.split("[")[0], numbers[0] >= 0 or kind.arg.startswith("±")
    )
    if not fits or abs(numbers[0]) > 1e9 or len(numbers) > 2:
        raise InputError(f"fault {text!r}: {fault.arg!r} is out of range", advice=f"write {fault.name}:{kind.arg}")


class FaultBook:
    """The faults in force, and how often each has struck.  Thread-safe."""

    def __init__(self, faults: tuple[str, ...] = ()) -> None:
        self._guard = threading.Lock()
        self._faults: list[Fault] = []
        self._struck: list[int] = []
        self.set(faults)

    def set(self, faults: tuple[str, ...] | list[str]) -> None:
        """Replace all faults; raises InputError and changes nothing when one can't be read."""
        read = [parse_fault(text) for text in faults]
        with self._guard:
            self._faults, self._struck = read, [0] * len(read)

    def take(self, call: str, age: float | None) -> tuple[Fault, ...]:
        """The faults that strike this request now: at most one that settles it, and all that only change it.

        ``age`` is how many seconds ago the batch was made (for results: ended), None when the call names no batch.
        """
        taken: list[Fault] = []
        settled = False
        with self._guard:
            for place, fault in enumerate(self._faults):
                if fault.call not in ("any", call) or (fault.times is not None and self._struck[place] >= fault.times):
                    continue
                if fault.name in RESULT_FAULTS and call != "results":
                    continue
                if fault.name == "notfound" and (age is None or age >= fault.number):
                    continue
                if fault.ends and settled:
                    continue
                settled = settled or fault.ends
                self._struck[place] += 1
                taken.append(fault)
        return tuple(taken)

    def state(self) -> list[dict[str, object]]:
        """Each fault with how often it has struck."""
        with self._guard:
            return [
                {**msgspec.structs.asdict(fault), "struck": n}
                for fault, n in zip(self._faults, self._struck, strict=True)
            ]
