"""What can go wrong, as types of our own: each says what happened, what to do next, and its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from batchtui import safetext


class BatchtuiError(Exception):
    """Base of every error shown to a person.

    ``str(error)`` is what happened; ``advice`` is what to do next.  Neither ever holds a key.
    """

    exit_code: ClassVar[int] = 3
    sent = False
    """Of an error of a call, False only when no byte of the request has left."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def with_advice(self) -> str:
        """What happened and what to do, as two sentences; a command that begins the second stays as it is typed."""
        if not self.advice:
            return str(self)
        first = self.advice[:1] if self.advice.startswith("batchtui ") else self.advice[:1].upper()
        return f"{self}. {first}{self.advice[1:]}"


class InputError(BatchtuiError):
    """Bad input or usage; nothing was sent."""

    exit_code = 2


class SourceChanged(InputError):
    """Sources are not any more what was checked and priced: the plan is not sent."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"{changed_words(names)} after the check; nothing was sent",
            advice="check again when the source is complete, then review the new plan",
        )


def changed_words(names: Sequence[str]) -> str:
    """A sentence's beginning: which sources changed."""
    shown = ", ".join(safetext.line(name, 120) for name in names[:3])
    return f"{shown} and {len(names) - 3} more changed" if len(names) > 3 else f"{shown} changed"


class ConfigError(InputError):
    """config.toml can't be read; the message holds the line."""


class StoreError(BatchtuiError):
    """The data folder can't be read or written (full disk, read-only, no permission)."""


class LockBusy(StoreError):
    """Another program holds a lock of ours; it is free again when that one is done or has ended."""


class IncompleteResults(StoreError):
    """The results came to an end before they were all here; what came is kept in results.jsonl.part.

    ``lines`` are whole lines that are not blank, ``size`` all bytes that came, ``whole`` the bytes up to the last newline.
    ``ours`` are requests of this batch that a readable line came for, ``strangers`` lines of no request of it; ``torn``
    when it broke off in the middle of a line.
    """

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        lines: int = 0,
        expected: int = 0,
        size: int = 0,
        whole: int = 0,
        ours: int = 0,
        strangers: int = 0,
        torn: bool = False,
    ) -> None:
        super().__init__(message, advice=advice)
        self.lines = lines
        self.expected = expected
        self.size = size
        self.whole = whole
        self.ours = ours
        self.strangers = strangers
        self.torn = torn


class Stopped(BatchtuiError):
    """The person stopped it; what was done so far is kept."""

    exit_code = 130


class ServiceError(BatchtuiError):
    """The API or the network said no.  ``status`` is the HTTP status, 0 when there was no reply."""

    sent = True

    def __init__(
        self, message: str, *, advice: str = "", status: int = 0, kind: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.kind = kind
        self.request_id = request_id


class NoKey(ServiceError):
    """No API key was found anywhere, or none that can be sent."""

    sent = False


class WrongKey(ServiceError):
    """401 or 403: the key is wrong, revoked, or may not do this."""


class NoNetwork(ServiceError):
    """No connection, or it broke; ``sent`` is False only when the request certainly never left."""

    def __init__(self, message: str, *, advice: str = "", sent: bool = True) -> None:
        super().__init__(message, advice=advice)
        self.sent = sent


class RateLimited(ServiceError):
    """429; ``retry_after`` is in seconds, None when the API named none."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        status: int = 429,
        kind: str = "rate_limit_error",
        request_id: str = "",
    ) -> None:
        wait = f"wait {retry_after:.0f} s" if retry_after is not None else "wait a little"
        super().__init__(message, advice=f"{wait}, then try again", status=status, kind=kind, request_id=request_id)
        self.retry_after = retry_after


class SpendLimit(ServiceError):
    """402, or a spend limit was reached: trying again is useless until it is raised."""


class TooLarge(ServiceError):
    """413: the body is over the API's limit."""


class NotFound(ServiceError):
    """404: unknown here, or not visible yet."""


class Rejected(ServiceError):
    """400, 409, 422: the API understood and said no."""


class Unavailable(ServiceError):
    """5xx, 529, or a reply that is not the API's (a proxy's or a captive portal's page).

    ``retry_after`` is in seconds, None when none was named.
    """

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        status: int = 0,
        kind: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, advice=advice, status=status, kind=kind, request_id=request_id)
        self.retry_after = retry_after


class Unconfirmed(ServiceError):
    """A create was sent and no answer says plainly whether a batch was made."""

    exit_code = 4
