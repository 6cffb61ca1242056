"""What happened, in the past tense; posted from the service's own thread."""

from __future__ import annotations

from dataclasses import dataclass

from batchtui.domain.batch import BatchRecord
from batchtui.domain.plan import Progress
from batchtui.poller import LookState


@dataclass(frozen=True, slots=True)
class RecordChanged:
    """A record was added (``before`` is None) or really changed."""

    record: BatchRecord
    before: BatchRecord | None


@dataclass(frozen=True, slots=True)
class RecordRemoved:
    """A record is not in the store any more."""

    local_id: str


@dataclass(frozen=True, slots=True)
class Looked:
    """A look began or ended, well or not."""

    state: LookState


@dataclass(frozen=True, slots=True)
class Transfer:
    """An upload or a download of a batch moved on; ``progress`` None says it is over."""

    local_id: str
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A batch ended and what can be had of it is stored; ``late`` when that was while the app was closed."""

    record: BatchRecord
    late: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something the person should read."""

    message: str
    advice: str = ""
    local_id: str = ""
