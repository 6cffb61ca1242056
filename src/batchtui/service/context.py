"""What the parts of the service share: the store, the gateway, the clock, and the telling of what changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batchtui import clock as clocks
from batchtui import plainfile, unexpected
from batchtui.config.load import Config, Profile
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError, LockBusy
from batchtui.service import events
from batchtui.store import files
from batchtui.store.records import History, lock

if TYPE_CHECKING:
    from batchtui.api.gateway import Gateway
    from batchtui.domain.model_rules import ModelRules
    from batchtui.domain.money import PriceTable

Listener = Callable[[object], None]


_SALT = "salt"
_OWNING = "another batchtui is adopting batches"
_OWNING_SECONDS = 30.0
_MAX_SALT = 4096
"""Bytes of it."""


@contextlib.asynccontextmanager
async def lock_soon(path: Path, until: float, busy: str) -> AsyncIterator[None]:
    """Hold a lock between programs without holding up the loop; raises LockBusy past ``until`` (monotonic seconds)."""
    with contextlib.ExitStack() as held:
        # Asked again and again: a thread that waits for a lock could not be canceled, and would take it later.
        while True:
            try:
                held.enter_context(lock(path, 0.0, busy))
                break
            except LockBusy:
                if time.monotonic() >= until:
                    raise
            await asyncio.sleep(0.05)
        yield


class Context:
    """Shared by the service's parts; ``known`` is what the listeners were told last."""

    def __init__(
        self,
        data: Path,
        config: Config,
        profile: Profile,
        clock: Callable[[], datetime] | None = None,
        gateway: Gateway | None = None,
    ) -> None:
        """``clock`` None is the machine's, or for an API on this machine the one that ``BATCHTUI_CLOCK`` asks for."""
        self.data = data
        self.config = config
        self.profile = profile
        self.clock: Callable[[], datetime] = clock or _clock_for(profile)
        self.opened_at = self.clock()
        """When the program began."""
        self._gateway = gateway
        self.is_demo = gateway is not None and gateway.is_demo
        self._prices: PriceTable | None = None
        self._rules: Mapping[str, ModelRules] | None = None
        self.history = History(data)
        self._known: dict[str, BatchRecord] = {}
        self._listeners: list[Listener] = []
        self._guard = threading.RLock()

    @property
    def gateway(self) -> Gateway:
        """The profile's way to the API; made when first needed."""
        with self._guard:
            if self._gateway is None:
                from batchtui.api.gateway import Gateway

                self._gateway = Gateway(self.profile)
            self._gateway.clock = self.clock
            return self._gateway

    @property
    def prices(self) -> PriceTable:
        """The prices, with config.toml's rows over the built-in ones; read when first needed."""
        with self._guard:
            if self._prices is None:
                from batchtui.domain.money import load_prices

                self._prices = load_prices(self.config.prices)
            return self._prices

    @property
    def rules(self) -> Mapping[str, ModelRules]:
        """What each model takes, with config.toml's rows over the built-in ones; read when first needed."""
        with self._guard:
            if self._rules is None:
                from batchtui.domain.model_rules import load_rules

                prices = self.prices
                self._rules = load_rules(
                    self.config.models, lambda name: found.model if (found := prices.get(name)) else name
                )
            return self._rules

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` every event; the result ends that."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def emit(self, event: object) -> None:
        """Tell all listeners; one that fails stops no other."""
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception as error:
                unexpected.note(error, f"telling of {type(event).__name__}")

    def service_time(self, when: datetime) -> datetime:
        """A time by our clock as the API's clock tells it, as far as a reply said how far they are apart."""
        return when + timedelta(seconds=self.gateway.clock_offset or 0.0)

    def machine_seconds(self, seconds: float) -> float:
        """How many of the machine's seconds it takes until ``seconds`` have passed on the clock in use."""
        return clocks.machine_seconds(self.clock, seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait until ``seconds`` have passed on the clock in use."""
        await clocks.sleep(self.clock, seconds)

    def key_mark(self) -> str:
        """Whose key is in use: a fingerprint of 8 bytes, salted for this data folder; "" before the key is known.

        Raises StoreError when the salt can't be kept.
        """
        return self.gateway.key_mark(self._salt())

    def _salt(self) -> bytes:
        """The data folder's own salt, made when first needed; of two programs that make it at once one is heard."""
        path = self.data / _SALT
        try:
            if not path.exists():
                files.make_private_dir(self.data)
                new = path.with_name(f".{_SALT}.{os.urandom(4).hex()}.tmp")
                try:
                    files.write_atomic(new, os.urandom(16).hex().encode())
                    with contextlib.suppress(FileExistsError):
                        os.link(new, path)
                finally:
                    new.unlink(missing_ok=True)
            return plainfile.read(path, _MAX_SALT)
        except OSError as error:
            raise files.explain(error, f"can't keep {path}") from error

    def owning(self) -> contextlib.AbstractContextManager[None]:
        """Held while a record takes a batch of the API's as its own, so that no two ever take the same."""
        files.make_private_dir(self.data)
        return lock(self.data / "owning.lock", _OWNING_SECONDS, _OWNING)

    @contextlib.asynccontextmanager
    async def owning_soon(self) -> AsyncIterator[None]:
        """The same for a task of the loop, which goes on while another program holds it."""
        files.make_private_dir(self.data)
        async with lock_soon(self.data / "owning.lock", time.monotonic() + _OWNING_SECONDS, _OWNING):
            yield

    def must_be_free(self, batch_id: str, local_id: str) -> None:
        """Raise InputError when another record than ``local_id`` owns a batch at the API; call it while ``owning``."""
        owner = next((r for r in self.history.all() if r.id == batch_id and r.local_id != local_id), None)
        if owner is not None:
            raise InputError(f"{batch_id} belongs to {owner.local_id} already", advice=f"see batchtui show {batch_id}")

    def change(self, local_id: str, fn: Callable[[BatchRecord], BatchRecord]) -> BatchRecord:
        """Change a record on disk and tell it; raises InputError or StoreError."""
        _, after = self.history.update(local_id, fn)
        self.noticed(after)
        return after

    def noticed(self, record: BatchRecord) -> None:
        """Tell that a record is now so, when that is news."""
        with self._guard:
            before = self._known.get(record.local_id)
            if before == record:
                return
            self._known[record.local_id] = record
        self.emit(events.RecordChanged(record, before))

    def removed(self, local_id: str) -> None:
        """Tell that a record is gone."""
        with self._guard:
            if self._known.pop(local_id, None) is None:
                return
        self.emit(events.RecordRemoved(local_id))

    def reread(self) -> list[BatchRecord]:
        """All records as they are on disk now, with what other programs changed told to the listeners."""
        records = self.history.all()
        with self._guard:
            gone = set(self._known) - {r.local_id for r in records}
        with self._guard:
            news = [r for r in records if self._known.get(r.local_id) != r]
        for record in news:
            # It may have been changed and told here since it was read: the older state must not come after the newer.
            fresh = self.history.get(record.local_id)
            if fresh is not None:
                self.noticed(fresh)
        for local_id in gone:
            self.removed(local_id)
        return records

    def mine(self, record: BatchRecord) -> bool:
        """True when a record belongs to the profile and address in use, so that an action on it is meant for them."""
        if record.profile != self.profile.name:
            return False
        return not self.gateway.url_known or record.base_url in ("", self.gateway.base_url)

    def in_reach(self, record: BatchRecord) -> bool:
        """True for a record of the profile in use, or one of another profile that was sent with the key in use.

        Profiles may share a key: then what one sent can be found, and must be before the other sends it again.
        """
        if self.mine(record):
            return True
        mark = self.key_mark() if record.key_mark and self.gateway.url_known else ""
        if not mark or mark != record.key_mark:
            return False
        here = self.gateway.organization
        return record.base_url == self.gateway.base_url or bool(here and here == record.organization)

    def must_be_mine(self, record: BatchRecord) -> None:
        """Raise InputError for a record of another profile or address than those in use."""
        if not self.mine(record):
            raise InputError(
                f"{record.local_id} belongs to profile {record.profile!r} at {record.base_url}",
                advice=f"use --profile {record.profile}, or switch to it",
            )

    async def ready_for(self, record: BatchRecord) -> None:
        """Raise InputError for a record that isn't ours, once the address in use is known."""
        if record.id is not None and not self.gateway.url_known:
            await self.gateway.ready()
        self.must_be_mine(record)

    def trouble(self, error: BatchtuiError, local_id: str = "") -> None:
        """Tell an error that nobody waits for."""
        self.emit(events.Trouble(str(error), error.advice, local_id))


def _clock_for(profile: Profile) -> clocks.Clock:
    if clocks.VARIABLE not in os.environ:
        return clocks.Clock()
    from batchtui.api import client

    return (
        clocks.from_environment() if client.is_here(profile.base_url or client.default_base_url()) else clocks.Clock()
    )


replace = msgspec.structs.replace


class EndAnnouncer:
    """Marks a record as told under its lock, so that of two programs one tells."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def due(self, records: Iterable[BatchRecord]) -> list[BatchRecord]:
        """Those that have ended, with their results stored or gone, and were not told of yet."""
        over = (r for r in records if r.status == "ended" and r.results in ("stored", "gone"))
        return [r for r in over if not r.told and self.context.mine(r)]

    def tell(self, records: Iterable[BatchRecord]) -> None:
        """Tell of every batch that has ended, with its results stored or gone, and was not told of yet."""
        for record in self.due(records):
            try:
                before, after = self.context.history.update(record.local_id, lambda r: replace(r, told=True))
            except BatchtuiError:
                continue
            self.context.noticed(after)
            if not before.told:
                late = after.ended_at is not None and after.ended_at < self.context.opened_at
                self.context.emit(events.Ended(after, late))
