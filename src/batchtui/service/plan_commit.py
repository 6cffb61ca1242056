"""From a confirmed plan to records on disk.

A plan is used up by one rename of its folder, so that a second submit of it finds nothing.  Then every part gets its
record; what a kill leaves undone is made later.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import BatchRecord, new_local_id
from batchtui.domain.errors import InputError, StoreError
from batchtui.domain.plan import Plan
from batchtui.service import recipe
from batchtui.service.context import Context
from batchtui.store import files
from batchtui.store.records import ANSWER, IDS, REQUESTS, SKIPPED, lock, writable

_GO = ".go"
_MANIFEST = "manifest.json"
_MAX_MANIFEST = 64_000_000
"""Bytes of it."""
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class _Staged(msgspec.Struct):
    record: BatchRecord
    requests: str
    ids: str | None = None
    skipped: str | None = None
    recipe: str | None = None
    answer: str | None = None


def random_name() -> str:
    """Random characters for a local id, none that look alike."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(6))


class PlanCommitter:
    """Makes records of a plan's parts, all of which wait to be sent then."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.plans = context.data / "plans"

    def _unpacking(self) -> contextlib.AbstractContextManager[None]:
        """Plans become records under a lock, so that two programs never make the same ones."""
        return lock(self.context.data / "unpacking.lock", 60.0, "another batchtui is recording a plan")

    def commit(
        self,
        plan: Plan,
        *,
        title: str,
        note: str,
        retry_of: BatchRecord | None,
        send_now: bool = False,
        guard: Callable[[], None] | None = None,
    ) -> list[BatchRecord]:
        """Use the plan up and make the records of its parts, all waiting; raises InputError when it was used already.

        ``guard`` is asked while no other program can put a plan on record; it raises what speaks against this one.
        """
        if plan.staging is None or not plan.ok:
            raise InputError("this plan can't be sent", advice="check the source again")
        staged = [
            msgspec.structs.replace(each, record=msgspec.structs.replace(writable(each.record), send_now=send_now))
            for each in self._records(plan, title, note, retry_of)
        ]
        kept = recipe.recipe_of(plan, api_version=staged[0].record.api_version)
        if kept is not None:
            staged[0].recipe = recipe.RECIPE
        go = plan.staging.with_name(plan.staging.name + _GO)
        files.make_private_dir(self.context.data)
        with self._unpacking():
            if guard is not None and plan.staging.exists():
                guard()
            try:
                if kept is not None and plan.staging.is_dir():
                    files.write_atomic(plan.staging / recipe.RECIPE, recipe.encode(kept))
                self._share_schemas(plan.staging, staged)
                files.write_atomic(plan.staging / _MANIFEST, msgspec.json.encode(staged))
                plan.staging.rename(go)
                files.fsync_dir(go.parent)
            except FileNotFoundError:
                raise InputError("this plan was submitted already", advice="batchtui list shows its batches") from None
            except StoreError:
                if not plan.staging.exists():
                    raise InputError(
                        "this plan was submitted already", advice="batchtui list shows its batches"
                    ) from None
                raise
            except OSError as error:
                raise files.explain(error, "can't record the plan") from error
            try:
                return self._unpack(go)
            except StoreError as error:
                # From the rename on it will be sent: whoever submits it again would pay twice.
                raise StoreError(
                    f"the plan is recorded, but not all of its batches are: {error}",
                    advice=f"{error.advice}; batchtui sync continues with it: do not submit it again",
                ) from error

    def pending(self) -> list[BatchRecord]:
        """Records of plans that were confirmed and whose folders are not made yet."""
        found: list[BatchRecord] = []
        with contextlib.suppress(OSError):
            for go in sorted(self.plans.glob(f"*{_GO}")):
                with contextlib.suppress(OSError, msgspec.DecodeError):
                    found += [each.record for each in _manifest(go)]
        return found

    def _records(self, plan: Plan, title: str, note: str, retry_of: BatchRecord | None) -> list[_Staged]:
        now = self.context.clock()
        run = retry_of.run if retry_of else self._new_run(now, plan.mark)
        attempt = (
            1 + max((r.attempt for r in self.context.history.all() if r.run == run), default=-1) if retry_of else 0
        )
        staged, key_mark = [], self.context.key_mark()
        for number, part in enumerate(plan.parts, 1):
            if part.path is None:
                raise InputError("this plan was only checked, not kept", advice="check the source again")
            local_id = (
                run
                if number == 1 and retry_of is None
                else new_local_id(now + timedelta(seconds=number - 1), random_name())
            )
            record = BatchRecord(
                local_id=local_id,
                run=run,
                attempt=attempt,
                retry_of=plan.retry_of,
                retried=plan.retried,
                part=number,
                parts=len(plan.parts),
                title=title or (retry_of.title if retry_of else ""),
                note=note,
                profile=self.context.profile.name,
                base_url=self.context.gateway.base_url,
                key_mark=key_mark,
                requests=part.requests,
                bytes=part.bytes,
                fingerprint=part.fingerprint,
                models=dict(part.models),
                betas=tuple(part.betas),
                api_version=retry_of.api_version if retry_of else self.context.profile.api_version,
                source=plan.source,
                template=retry_of.template if retry_of else plan.template,
                estimate=part.estimate,
                ids_kept=part.ids_path is not None,
                ids_made=part.ids_made,
                skipped=plan.skipped if number == 1 and plan.skipped_kept else 0,
            )
            ids = part.ids_path.name if part.ids_path else None
            skipped = plan.skipped_kept.name if plan.skipped_kept and number == 1 else None
            staged.append(_Staged(record, part.path.name, ids, skipped))
        return staged

    @staticmethod
    def _share_schemas(staging: Path, staged: list[_Staged]) -> None:
        """Give each part the whole schemas that its answers are checked by; raises OSError, StoreError."""
        with contextlib.suppress(FileNotFoundError):
            schemas = plainfile.read(staging / ANSWER, _MAX_MANIFEST)
            for number, each in enumerate(staged, 1):
                each.answer = f"answer-{number:03}.json"
                files.write_atomic(staging / each.answer, schemas)

    def _new_run(self, now: datetime, mark: str) -> str:
        """A run's local id, with the mark of its made custom_ids so that each tells of the other."""
        run = new_local_id(now, mark or random_name())
        return new_local_id(now, random_name()) if self.context.history.folder(run).exists() else run

    def _unpack(self, go: Path) -> list[BatchRecord]:
        try:
            staged = _manifest(go)
        except OSError as error:
            raise files.explain(error, f"can't read {go}") from error
        except msgspec.DecodeError as error:
            raise StoreError(
                f"the plan in {go} can't be read: {error}",
                advice="update batchtui, or check and submit the source again",
            ) from error
        records = []
        for each in staged:
            moves = {REQUESTS: go / each.requests}
            if each.ids:
                moves[IDS] = go / each.ids
            if each.skipped:
                moves[SKIPPED] = go / each.skipped
            if each.answer:
                moves[ANSWER] = go / each.answer
            if each.recipe:
                moves[recipe.RECIPE] = go / each.recipe
            self.context.history.create(each.record, moves)
            records.append(each.record)
            self.context.noticed(each.record)
        self.discard(go)
        return records

    @staticmethod
    def discard(folder: Path) -> None:
        """Throw a plan's folder away."""
        shutil.rmtree(folder, ignore_errors=True)

    def unpack_all(self) -> None:
        """Make the records that a kill kept from being made."""
        if not self.plans.is_dir():
            return
        with self._unpacking():
            for go in sorted(self.plans.glob(f"*{_GO}")):
                try:
                    self._unpack(go)
                except StoreError as error:
                    self.context.trouble(error)


def _manifest(go: Path) -> list[_Staged]:
    return msgspec.json.decode(plainfile.read(go / _MANIFEST, _MAX_MANIFEST), type=list[_Staged])
