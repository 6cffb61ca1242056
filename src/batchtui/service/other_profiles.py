"""The other profiles: each that has something open is looked after too, by a poller with its own gateway and key."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from batchtui import unexpected
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, ConfigError, StoreError
from batchtui.domain.schedule import LookState
from batchtui.domain.work import Work
from batchtui.service import events
from batchtui.service.events import SyncReport

if TYPE_CHECKING:
    from batchtui.service.service import Service

EVERY = 15.0
"""Seconds between looks at which profiles have something open."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a batch is being looked after, since when it was not, and why."""

    checked: bool
    as_of: datetime | None = None
    """What is known of it is as old as this."""
    why: str = ""


class Others:
    """Services of the other profiles, made while they have something open; what goes wrong in one stops no other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made: dict[str, Service] = {}
        self._blind: set[str] = set()
        self._asked: dict[str, Service] = {}
        """Made only to know their addresses."""

    def names(self) -> list[str]:
        """The other profiles with batches that are open."""
        own = self._service.profile.name
        return sorted({r.profile for r in self._service.records() if (r.active or r.results_due) and r.profile != own})

    def _untold(self) -> set[str]:
        """Profiles that are looked after and have a batch whose end is still to be told."""
        records = self._service.records()
        return {name for name, made in self._made.items() if made.parts.poller.announcer.due(records)}

    def _make(self, name: str) -> Service:
        """A service of another profile over the same data; raises ConfigError when config.toml does not have it."""
        mine = self._service
        return type(mine)(
            mine.data, mine.config, profile=name, clock=mine.context.clock, opened_at=mine.context.opened_at
        )

    def can_reach(self, record: BatchRecord) -> bool:
        """True when a batch of another profile belongs to one that config.toml has, at the address it names."""
        own = self._service
        if own.is_demo or record.profile == own.profile.name:
            return False
        if record.profile not in self._asked:
            try:
                self._asked[record.profile] = self._make(record.profile)
            except ConfigError:
                return False
        return self._asked[record.profile].context.mine(record)

    async def run(self) -> None:
        """Keep a poller for each of them; nothing that goes wrong ends it."""
        while True:
            try:
                await self._keep_up()
            except BatchtuiError as error:
                self._service.context.trouble(error)
            except Exception as error:
                found = unexpected.note(error, "checking other profiles")
                self._service.context.trouble(
                    StoreError(
                        f"unexpected error while checking other profiles: {found.title}", advice=unexpected.GOES_ON
                    )
                )
            await asyncio.sleep(EVERY)

    async def _keep_up(self) -> None:
        wanted = await asyncio.to_thread(self.names)
        untold = await asyncio.to_thread(self._untold)
        for name in set(self._made) - set(wanted) - untold:
            await self._made.pop(name).close()
        for name in wanted:
            if name in self._made:
                continue
            try:
                made = self._make(name)
            except ConfigError:
                continue  # Its rows say so.
            self._made[name] = made
            made.subscribe(lambda event, name=name: self._hear(name, event))  # type: ignore[misc]
            await made.start(others=False)

    def _hear(self, name: str, event: object) -> None:
        context = self._service.context
        if isinstance(event, events.RecordChanged):
            context.noticed(event.record)
        elif isinstance(event, events.RecordRemoved):
            context.removed(event.local_id)
        elif isinstance(event, events.Looked):
            self._looked(name, event.state)
        else:
            context.emit(event)

    def _looked(self, name: str, state: LookState) -> None:
        if state.looking:
            return
        if state.blind_since is not None and name not in self._blind:
            self._blind.add(name)
            self._service.context.emit(
                events.Trouble(f"batches of profile {name} can't be checked: {state.error}", state.advice)
            )
        elif state.blind_since is None:
            self._blind.discard(name)

    async def close(self) -> None:
        """Stop all of them."""
        made, self._made = self._made, {}
        for each in made.values():
            await each.close()

    def reach(self, record: BatchRecord) -> Reach:
        """Whether a batch of another profile, or of another address, is being looked after."""
        as_of = self._service.history.changed_at(record.local_id)
        made = self._made.get(record.profile)
        if made is None or not made.context.mine(record):
            there = self.can_reach(record)
            why = (
                "it has not been checked yet"
                if there
                else f"{record.profile} at {record.base_url} is not in config.toml"
            )
            return Reach(checked=False, as_of=as_of, why=why)
        state = made.look_state()
        if state.blind_since is None and state.last_ok is not None:
            return Reach(checked=True)
        times = [at for at in (as_of, state.last_ok) if at is not None]
        return Reach(checked=False, as_of=max(times, default=None), why=state.error or "it has not been checked yet")

    async def sync(self, work: Work) -> SyncReport:
        """One sync of each of them."""
        report = SyncReport()
        for name in self.names():
            try:
                made = self._make(name)
            except ConfigError as error:
                report = joined(report, SyncReport(error=str(error)), name)
                continue
            try:
                found = await made.sync(work)
            except BatchtuiError as error:
                found = SyncReport(error=f"{error}" + (f"; {error.advice}" if error.advice else ""))
            finally:
                await made.close()
            report = joined(report, found, name)
        return report


def joined(first: SyncReport, second: SyncReport, name: str = "") -> SyncReport:
    """Two reports as one; what went wrong in the second is said of the profile ``name``."""
    error = f"profile {name}: {second.error}" if second.error and name else second.error
    return SyncReport(
        fetched=(*first.fetched, *second.fetched),
        adopted=(*first.adopted, *second.adopted),
        sent=(*first.sent, *second.sent),
        unconfirmed=(*first.unconfirmed, *second.unconfirmed),
        unknown=first.unknown | second.unknown,
        failed=first.failed | second.failed,
        error="; ".join(filter(None, (first.error, error))),
    )
