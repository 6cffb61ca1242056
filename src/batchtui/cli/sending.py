"""Verbs that send: their options, the yes to what costs money, and following what was sent."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from batchtui import safetext
from batchtui.cli import words
from batchtui.cli.options import file_option, force_option, strict_option
from batchtui.cli.output import print_json, say
from batchtui.cli.session import Bar, Session
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError, SourceChanged, StoreError
from batchtui.domain.plan import Plan
from batchtui.domain.work import Progress
from batchtui.present import batch
from batchtui.present import plan as plan_words
from batchtui.service import Service

if TYPE_CHECKING:
    from batchtui.cli.place import Destination


_NOT_SENT = "these requests were not sent"


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say of how a plan is sent and followed."""

    title: str = ""
    note: str = ""
    wait: bool
    output: Path | None
    force: bool
    strict: bool
    max_cost: Decimal | None = None
    """Dollars."""
    allow_duplicate: bool = False
    send_now: bool = False


def dollars(text: str) -> Decimal:
    """An amount given as an option; raises click's usage error."""
    try:
        found = Decimal(text)
    except ArithmeticError:
        found = Decimal("nan")
    if not found.is_finite():
        raise click.BadParameter(f"{text!r} is not an amount of dollars")
    return found


_FOLLOW: list[Callable[[Any], Any]] = [
    click.option("--wait", is_flag=True, help="Wait until the batches have ended and download the results."),
    file_option(
        "-o",
        "--output",
        help="Write the results to FILE once all batches have ended (implies --wait); its ending says the format.",
    ),
    force_option,
    strict_option,
    click.option(
        "--send-now",
        is_flag=True,
        help="Don't wait until a lost reply to the same requests is 15 minutes old: you may pay twice.",
    ),
]
_SEND: list[Callable[[Any], Any]] = [
    click.option("--title", default="", help="Title of the run."),
    click.option("--note", default="", help="Note kept with the run."),
    *_FOLLOW,
    click.option("--max-cost", type=dollars, help="Dollars; send nothing if the high estimate is above."),
    click.option("--allow-duplicate", is_flag=True, help="Send even if the same requests are already in progress."),
]


def follow_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of how what was sent is followed, as ``sending``."""
    return _gathered(command, _FOLLOW)


def send_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a new run: how it is named, stopped by its cost, and followed, as ``sending``."""
    return _gathered(command, _SEND)


def _gathered(command: Callable[..., Any], options: Sequence[Callable[[Any], Any]]) -> Callable[..., Any]:
    @functools.wraps(command)
    def call(session: Session, *args: Any, **given: Any) -> Any:
        mine = {name: given.pop(name) for name in Sending.__struct_fields__ if name in given}
        try:
            return command(session, *args, sending=Sending(**mine), **given)
        except (KeyboardInterrupt, click.Abort):
            if not session.sending:
                _below_ctrl_c()
                say(_NOT_SENT)
            # Where it is no KeyboardInterrupt any more click writes no empty line.
            raise click.Abort from None

    for option in reversed(options):
        call = option(call)
    return call


def set_option(command: Any) -> Any:
    """The option that changes params, as ``changes``."""
    return click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a param of all requests: max_tokens=4096, model=…",
    )(command)


def settings_of(changes: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE options as a dict; raises InputError."""
    found = {}
    for each in changes:
        key, sign, value = each.partition("=")
        if not sign or not key:
            raise InputError(f"--set takes KEY=VALUE, not {safetext.line(each, 60)!r}")
        found[key] = value
    return found


def warn_of_unclear(service: Service, plan: Plan, sending: Sending) -> str:
    """Say what a list of batches that lags might hide; `` at 10:17 UTC`` when a plan is sent only then, else ""."""
    unclear = service.unclear_before(plan)
    for line in plan_words.unclear_lines(unclear):
        say(f"warning: {line}")
    if not unclear or sending.send_now:
        return ""
    at = plan_words.safe_at(unclear)
    say(f"it is sent at {at} if the list does not show it by then; --send-now sends it at once")
    return f" at {at}"


def say_sent_too(service: Service) -> None:
    """Say what waits from before, as it is sent with a plan that is agreed to."""
    now = service.context.clock()
    earlier = [r for r in service.records() if batch.due_to_send(r, now) and service.context.mine(r)]
    if earlier:
        ids = " ".join(r.local_id for r in earlier)
        say(
            batch.sent_too(earlier),
            f"batchtui cancel {ids}{' --demo' if service.is_demo else ''} drops what is not wanted",
        )


def agreed_to(session: Session, service: Service, plan: Plan, blocked: str | None, sending: Sending) -> bool:
    """Whether a plan is to be sent: what costs money asks first; what max_cost stops needs a person's yes to exactly that."""
    say_sent_too(service)
    when = warn_of_unclear(service, plan, sending)
    if blocked:
        agreed = session.asks and session.confirm(f"{blocked}.  Send anyway{when}?")
    else:
        agreed = session.demo or session.confirm(f"Send {plan_words.batches(plan)} for {plan_words.cost(plan)}{when}?")
    if not agreed:
        say_not_sent(blocked)
    return agreed


def say_not_sent(blocked: str | None) -> None:
    """That nothing was sent, and what of its cost stopped it."""
    say("nothing was sent" + (f": {blocked}" if blocked else ""))


def output_place(session: Session, sending: Sending, sources: Iterable[str] = ()) -> Destination | None:
    """Where the results go in the end, agreed on before anything is sent; None without ``-o``.  Raises InputError."""
    if sending.output is None:
        return None
    from batchtui.cli.place import choose_destination

    return choose_destination(session, sending.output, force=sending.force, sources=sources)


def send(
    session: Session, service: Service, plan: Plan, sending: Sending, place: Destination | None, **how: Any
) -> int:
    """Send a plan, settle what is in doubt, follow to the end when asked, write the results; the exit code.

    ``how`` is as for ``Service.submit``.  Raises as that does.
    """
    how = {"note": sending.note, "again": sending.allow_duplicate, "send_now": sending.send_now, **how}
    wait = sending.wait or place is not None
    held = not sending.send_now and bool(service.unclear_before(plan))
    before = set(_on_record(service))
    session.sending = True
    try:
        records = session.run(
            lambda: _follow(session, service, functools.partial(service.submit, plan, **how), wait, held), service
        )
    except KeyboardInterrupt:
        _below_ctrl_c()
        _say_what_goes_on([r for i, r in _on_record(service).items() if i not in before], session.demo)
        raise
    except SourceChanged:
        service.discard(plan)
        raise
    for record in records:
        words.say_skipped(service, record)
        for each in record.candidates:
            say(
                f"  it may be {each.id}, created {each.created_at:%H:%M:%S} UTC: batchtui adopt {record.local_id} {each.id}"
            )
    if place is not None and any(r.results == "stored" for r in records):
        _write(session, service, records, place)
    if session.json:
        print_json({"run": records[0].run if records else None, "batches": records})
    waiting = [r for r in records if r.waiting]
    if waiting:
        say(f"{batch.waiting_words(waiting, demo=session.demo)}; do not submit again")
        if session.troubles:
            return StoreError.exit_code
    return words.exit_code(records, waited=wait, strict=sending.strict)


def _write(session: Session, service: Service, records: Sequence[BatchRecord], place: Destination) -> None:
    """Write the results of what was sent; raises StoreError."""
    from batchtui.cli.commands.results import write_results

    try:
        written = write_results(session, service, records[0], run=len(records) > 1, place=place)
    except InputError as error:
        # All was sent: this is no error of what was asked for.
        advice = f"batchtui results {records[0].local_id} -o FILE writes the results"
        raise StoreError(str(error), advice=advice) from error
    say(written.line(str(place.dest or "standard output")))


def _below_ctrl_c() -> None:
    """Go on in a line of its own, below what a terminal shows of Ctrl-C."""
    if sys.stderr.isatty():
        say("")


def _on_record(service: Service) -> dict[str, BatchRecord]:
    """All batches that are on record, and those of confirmed plans whose folders are not made yet."""
    return {r.local_id: r for r in (*service.parts.committer.pending(), *service.records())}


def _say_what_goes_on(records: list[BatchRecord], demo: bool) -> None:
    """After an interrupt: what runs at the API all the same, and what still waits here; or that there is nothing."""
    if not records:
        say(_NOT_SENT)
    waiting = [r for r in records if r.waiting]
    due = [r for r in records if r.results_due]
    doubtful = [r for r in records if r.status == "unconfirmed"]
    running = [r for r in records if r.active and not r.waiting and r not in doubtful]
    if doubtful:
        say(f"{words.ids(doubtful)} may have been created: batchtui sync checks, and never sends twice")
    if due:
        say(f"{words.ids(due)} has ended and is not downloaded: batchtui sync downloads the results")
    if running:
        say(f"{words.ids(running)} is still running: batchtui watch follows it, batchtui cancel stops it")
    if waiting:
        say(batch.waiting_words(waiting, demo=demo))


@contextlib.asynccontextmanager
async def _countdown(session: Session, service: Service, until: datetime | None) -> AsyncIterator[None]:
    """On a terminal, a line that tells how long it still takes until then."""
    import asyncio

    bar, clock = Bar(session.bars and until is not None), service.context.clock
    began = clock()

    async def tick() -> None:
        while until is not None:
            done, total = ((each - began).total_seconds() for each in (clock(), until))
            bar(Progress("waiting", int(done), int(total), unit=f"of {int(total)} s"))
            await service.context.sleep(1.0)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        bar.clear()


async def _follow(
    session: Session, service: Service, send: Callable[[], Any], wait: bool, held: bool
) -> list[BatchRecord]:
    import asyncio

    if wait:
        await service.start(others=False)
    sent: list[BatchRecord] = await send()
    ids = [r.local_id for r in sent]
    narrator = words.Narrator(set(ids), session.bars)
    for record in sent:
        narrator.tell(record)
    if wait:
        ends = [service.subscribe(narrator), service.subscribe(words.BlindSayer())]
        try:
            await service.wait(ids)
        finally:
            for end in ends:
                end()
    elif any(r.status == "unconfirmed" or (r.waiting and r.next_try_at is not None) for r in sent):
        patience = words.SETTLE_PATIENCE
        until = max((r.next_try_at for r in sent if held and r.waiting and r.next_try_at), default=None)
        if until is not None:
            say(
                f"waiting until {until:%H:%M} UTC; Ctrl-C leaves the batch waiting, and the first command after that which "
                "submits or checks batches sends it, or the screen"
            )
            patience += (until - service.context.clock()).total_seconds()
        else:
            say("no clear reply; checking whether the batch was created …")
        try:
            async with asyncio.timeout(service.context.machine_seconds(patience)), _countdown(session, service, until):
                await service.settle(ids)
        except TimeoutError:
            say("not confirmed yet: run batchtui sync later; it checks again and never sends twice")
    records = [r for i in ids if (r := service.history.get(i)) is not None]
    for record in records:
        narrator.tell(record)
    return records
