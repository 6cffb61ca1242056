"""review.jsonl: your verdicts on answers (right, wrong, the right value, a note) and the samples that were drawn to review.

It stands in the folder of a run's first batch and is only ever appended to, so two programs may write it side by side and
a kill costs at most the line under way.  A verdict is of a row identity and a field; the last one of both holds.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from batchtui import plainfile
from batchtui.domain.errors import StoreError
from batchtui.results.scores import SampleEstimate, Stratum, estimate
from batchtui.store import files

REVIEW = "review.jsonl"
REVIEW_FOLDER = "review folder"
"""What a view keeps the folder of its run's first batch under."""
LONGEST_NOTE = 2_000
"""Characters of a note, and of a right value."""
_LONGEST_LINE = 64_000_000
"""Bytes; a sample names every row that was drawn, of up to 100,000."""

Judged = Literal["right", "wrong", ""]


class Verdict(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """What you said of one answer."""

    row: str
    """The row identity."""
    custom_id: str = ""
    field: str = ""
    """The field that was judged; "" is the answer as a whole."""
    verdict: Judged = ""
    """"" takes a verdict back; a note alone has none either."""
    value: str | None = None
    """The right value: the answer's own where it is right, else the one that was given, if one was."""
    note: str = ""
    at: datetime
    result: str = ""
    """What ``hash_of`` says of the result line that was judged."""


class SampledRow(msgspec.Struct, frozen=True, array_like=True):
    """A row that was drawn: its identity and the number of its stratum."""

    row: str
    stratum: int = 0


class SampleStratum(msgspec.Struct, frozen=True, array_like=True):
    """A part of the rows that was drawn from apart: its value ("" when nothing was told apart) and how many rows it has."""

    value: str
    rows: int


class ReviewSample(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """Rows drawn to be reviewed."""

    sample: str
    """Its name, made of the time it was drawn."""
    field: str = ""
    """The field that is reviewed; "" is the answer as a whole."""
    by: str = ""
    """What the same number of rows was drawn of each value of; "" is a sample of all rows."""
    blind: bool = False
    """True when the answer is hidden until a verdict is given."""
    at: datetime
    rows: tuple[SampledRow, ...] = ()
    strata: tuple[SampleStratum, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode_verdict = msgspec.json.Decoder(Verdict).decode
_decode_sample = msgspec.json.Decoder(ReviewSample).decode


def hash_of(line: bytes) -> str:
    """A short fingerprint of a result line as it was received, without its line end: 16 hexadecimal digits."""
    return hashlib.blake2b(line.rstrip(b"\r\n"), digest_size=8).hexdigest()


class Review:
    """The verdicts and samples of one run; raises StoreError when the file is there and can't be read."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / REVIEW
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self.sample: ReviewSample | None = None
        """The last sample that was drawn."""
        self.drawn: frozenset[str] = frozenset()
        """Identities of the sample's rows."""
        self.unreadable = 0
        """Lines that can't be read; they are left where they are."""
        self._read_to = 0
        self.reload()

    def reload(self) -> bool:
        """Take in what was appended since, by whichever program; True when there was something.  Raises StoreError."""
        try:
            with plainfile.opened(self._path) as file:
                if os.fstat(file.fileno()).st_size < self._read_to:  # It was replaced by hand.
                    self._verdicts, self.sample, self._read_to, self.unreadable = {}, None, 0, 0
                    self.drawn = frozenset()
                file.seek(self._read_to)
                found = False
                while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
                    self._read_to += len(line)
                    self._take(line)
                    found = True
                return found
        except FileNotFoundError:
            return False
        except OSError as error:
            raise files.explain(error, f"can't read {self._path}") from error

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            self._keep(_decode_verdict(line))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            try:
                self.sample = _decode_sample(line)
                self.drawn = frozenset(each.row for each in self.sample.rows)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                self.unreadable += 1

    def _keep(self, verdict: Verdict) -> None:
        key = verdict.row, verdict.field
        if verdict.verdict or verdict.note:
            self._verdicts[key] = verdict
        else:
            self._verdicts.pop(key, None)

    def __len__(self) -> int:
        return len(self._verdicts)

    def of(self, row: str, field: str = "") -> Verdict | None:
        """The verdict that holds for a row's field, None when there is none."""
        return self._verdicts.get((row, field))

    def verdicts(self) -> list[Verdict]:
        """The verdicts that hold."""
        return [*self._verdicts.values()]

    def fields(self) -> list[str]:
        """The fields that have verdicts, in the order they were first judged."""
        return list(dict.fromkeys(field for _, field in self._verdicts))

    def names(self) -> dict[str, str]:
        """Those fields by the names under which they stand side by side: the answer as a whole is ``answer``, beside a
        field of that name ``run.answer``.
        """
        fields = self.fields()
        whole = "run.answer" if "answer" in fields else "answer"
        return {field or whole: field for field in fields}

    def say(self, verdict: Verdict) -> None:
        """Keep a verdict: on the disk when this returns.  Raises StoreError, and then nothing changed."""
        self._append(verdict)

    def begin(self, sample: ReviewSample) -> None:
        """Keep a sample as the one under review.  Raises StoreError."""
        self._append(sample)

    def _append(self, line: Verdict | ReviewSample) -> None:
        try:
            with files.open_private(self._path, "ab") as file:
                end = os.fstat(file.fileno()).st_size
                torn = end > 0 and not _ends_a_line(self._path, end)
                file.write((b"\n" if torn else b"") + _encode(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise files.explain(error, f"can't write {self._path}") from error
        self.reload()

    def progress(self) -> tuple[int, int]:
        """Rows of the sample that have a verdict, and rows of the sample."""
        sample = self.sample
        if sample is None:
            return 0, 0
        done = sum(1 for each in sample.rows if (found := self.of(each.row, sample.field)) and found.verdict)
        return done, len(sample.rows)

    def hidden(self) -> frozenset[str]:
        """Identities of the rows of a blind sample that have no verdict yet: their answers are not to be shown."""
        sample = self.sample
        if sample is None or not sample.blind:
            return frozenset()
        found = ((each.row, self.of(each.row, sample.field)) for each in sample.rows)
        return frozenset(row for row, verdict in found if verdict is None or not verdict.verdict)

    def show_hidden(self) -> None:
        """Go on with the sample as one whose answers are seen.  Raises StoreError."""
        if self.sample is not None:
            self.begin(msgspec.structs.replace(self.sample, blind=False))

    def accuracy(self) -> SampleEstimate:
        """The share of right answers over all rows the sample was drawn from, as the verdicts on it say so far."""
        sample = self.sample
        if sample is None:
            return estimate([])
        reviewed, right = [0] * len(sample.strata), [0] * len(sample.strata)
        for each in sample.rows:
            found = self.of(each.row, sample.field)
            if found is not None and found.verdict and each.stratum < len(sample.strata):
                reviewed[each.stratum] += 1
                right[each.stratum] += found.verdict == "right"
        return estimate([Stratum(s.rows, n, hits) for s, n, hits in zip(sample.strata, reviewed, right, strict=True)])


def _ends_a_line(path: Path, end: int) -> bool:
    with suppress(OSError), plainfile.opened(path) as file:
        file.seek(end - 1)
        return file.read(1) == b"\n"
    return False


def draw(
    rows: Sequence[str],
    wanted: int,
    *,
    at: datetime,
    field: str = "",
    by: str = "",
    values: Sequence[str] | None = None,
    blind: bool = False,
    seed: int | None = None,
) -> ReviewSample:
    """Draw rows to review: ``wanted`` of all at random, or as many of each of ``values``, one value a row, as make ``wanted``.

    A value with fewer rows than its part gives all it has, and others make up for it.  The order is random, so that what was
    reviewed when you stop is a sample too.  Raises StoreError when there is no row.
    """
    if not rows:
        raise StoreError("There is no row to review.", advice="Clear the filter, or choose another tab.")
    luck = random.Random(seed)  # noqa: S311
    parts: dict[str, list[str]] = {}
    for row, value in zip(rows, values if values is not None else [""] * len(rows), strict=True):
        parts.setdefault(value, []).append(row)
    taken = _shares({value: len(part) for value, part in parts.items()}, max(1, wanted))
    drawn = [
        SampledRow(row, number)
        for number, (value, part) in enumerate(parts.items())
        for row in luck.sample(part, taken[value])
    ]
    luck.shuffle(drawn)
    return ReviewSample(
        sample=at.strftime("%Y%m%dT%H%M%SZ"),
        field=field,
        by=by,
        blind=blind,
        at=at,
        rows=tuple(drawn),
        strata=tuple(SampleStratum(value, len(part)) for value, part in parts.items()),
    )


def _shares(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """How many to take of each part: equally many, as far as it has them."""
    taken = dict.fromkeys(sizes, 0)
    while wanted > 0 and (open_parts := [value for value in sizes if taken[value] < sizes[value]]):
        each, rest = divmod(wanted, len(open_parts))
        for number, value in enumerate(open_parts):
            more = min(each + (number < rest), sizes[value] - taken[value])
            taken[value] += more
            wanted -= more
    return taken


def gold_of(verdicts: Iterable[Verdict], answered: Callable[[Verdict], str | None]) -> dict[str, str]:
    """Right values by row identity, as verdicts say them: the given one, or the answer's own where it was right.

    A verdict *wrong* without a right value says no gold.
    """
    found = {}
    for each in verdicts:
        value = each.value if each.verdict else None
        if value is None and each.verdict == "right":
            value = answered(each)
        if value is not None:
            found[each.row] = value
    return found
