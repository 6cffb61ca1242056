"""What happened, in the past tense; posted from the service's own thread."""

from __future__ import annotations

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.plan import Progress
from batchtui.poller import LookState


class RecordChanged(msgspec.Struct, frozen=True):
    """A record was added (``before`` is None) or really changed."""

    record: BatchRecord
    before: BatchRecord | None


class RecordRemoved(msgspec.Struct, frozen=True):
    """A record is not in the store any more."""

    local_id: str


class Looked(msgspec.Struct, frozen=True):
    """A look began or ended, well or not."""

    state: LookState


class Transfer(msgspec.Struct, frozen=True):
    """An upload or a download of a batch moved on; ``progress`` None says it is over."""

    local_id: str
    progress: Progress | None


class Ended(msgspec.Struct, frozen=True):
    """A batch ended and what can be had of it is stored; ``late`` when that was while the app was closed."""

    record: BatchRecord
    late: bool


class Trouble(msgspec.Struct, frozen=True):
    """Something the person should read."""

    message: str
    advice: str = ""
    local_id: str = ""
