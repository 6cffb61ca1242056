"""What all verbs share: their options, the service they open, progress on a terminal, and waiting that can be interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from batchtui import paths, safetext
from batchtui.cli.options import data_dir_option, log_option, profile_option
from batchtui.cli.output import end_soon, say
from batchtui.domain.errors import StoreError
from batchtui.domain.work import Progress, Work
from batchtui.present import batch
from batchtui.service import Service
from batchtui.service.events import RecordChanged, Transfer, Trouble
from batchtui.service.service_thread import close_loop

T = TypeVar("T")
CLOSING = 1.0
"""Seconds that connections have to be closed."""


@dataclass
class Session:
    """The options of one call and what was opened for it."""

    json: bool = False
    yes: bool = False
    profile: str = ""
    data_dir: str | None = None
    demo: bool = False
    log_file: str | None = None
    lines_only: bool = False
    """True where nothing is to be drawn over."""
    stop: threading.Event = field(default_factory=threading.Event)
    sending: bool = False
    """True from the moment on in which something new may be sent."""
    tells: set[str] = field(default_factory=set)
    """Batches whose sending the verb itself tells of."""
    troubles: list[str] = field(default_factory=list)
    """What the service told of that nobody waited for."""
    _close: list[Callable[[], None]] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def data(self) -> Path:
        """The data folder in use."""
        base = paths.data_dir(self.data_dir)
        return paths.demo_dir(base) if self.demo else base

    def service(self) -> Service:
        """The service for this call; with --demo on the demo server, started when it does not run."""
        from batchtui.config.load import load_config
        from batchtui.debuglog import open_log

        if self.log_file:
            open_log(Path(self.log_file))
        config = load_config()
        for warning in config.warnings:
            say(f"warning: {warning}")
        if not self.demo:
            return Service(self.data, config, profile=self.profile)
        from batchtui.demo.runner import ensure

        handle = ensure(self.data)
        self._close.append(handle.close)
        return demo_service(self.data, config, handle.base_url)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], service: Service) -> T:
        """Run a coroutine to its end; Ctrl-C, SIGTERM and SIGHUP cancel it and let it put things on record."""
        if self._loop is None:
            # One loop for all of a call: what the service made on it must not meet another.
            self._loop = loop = asyncio.new_event_loop()
            self._close.insert(0, lambda: _end(loop, service))
        with TransferBars(service, self.bars), self._troubles(service), self._sent_too(service):
            return self._loop.run_until_complete(self._main(work))

    async def _main(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()

        def end() -> None:
            self.stop.set()
            task.cancel()
            end_soon()

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        # What nohup or a background job has us ignore stays ignored.
        heard = [number for number, handler in before.items() if handler != signal.SIG_IGN]
        for number in heard:
            loop.add_signal_handler(number, end)
        try:
            return await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            # Between two runs of the loop a signal must reach Python again.
            for number in heard:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number] or signal.SIG_DFL)

    def _troubles(self, service: Service) -> contextlib.AbstractContextManager[None]:
        """Say what went wrong beside the work, each thing once."""

        def hear(event: object) -> None:
            if not isinstance(event, Trouble) or event.message in self.troubles:
                return
            record = service.history.get(event.local_id) if event.local_id else None
            if record is None or record.status != "refused":  # A refused record's own line says why.
                self.troubles.append(event.message)
                say(f"warning: {event.message}", event.advice)

        return _hearing(service, hear)

    def _sent_too(self, service: Service) -> contextlib.AbstractContextManager[None]:
        """Say of batches that waited from before that they were sent meanwhile."""
        waiting: set[str] = set()
        with contextlib.suppress(StoreError):  # Whoever needs the records is told.
            waiting = {r.local_id for r in service.records() if r.waiting}

        def hear(event: object) -> None:
            if not isinstance(event, RecordChanged) or event.record.local_id not in waiting - self.tells:
                return
            record = event.record
            if record.id is not None or record.status == "unconfirmed":
                self.tells.add(record.local_id)
                say(f"also sent, left waiting earlier: {batch.line(record)}")

        return _hearing(service, hear)

    @contextlib.contextmanager
    def work(self, shown: bool = True) -> Iterator[Work]:
        """Long work of this call: ends by the signals that end the call, its progress one line on a terminal."""
        bar = Bar(self.bars and shown)
        try:
            yield Work(bar, self.stop)
        finally:
            bar.clear()

    def close(self) -> None:
        """Let go of the demo server."""
        for each in self._close:
            each()

    @property
    def bars(self) -> bool:
        """Progress bars only on a terminal, and not where only lines are wanted."""
        return sys.stderr.isatty() and not self.lines_only

    @property
    def asks(self) -> bool:
        """True when there is a person to ask."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.yes

    def confirm(self, question: str) -> bool:
        """Ask yes or no, No by default; True without asking when --yes was given or nobody is there."""
        return not self.asks or click.confirm(question, default=False, err=True)


@contextlib.contextmanager
def _hearing(service: Service, hear: Callable[[object], None]) -> Iterator[None]:
    end = service.subscribe(hear)
    try:
        yield
    finally:
        end()


def _end(loop: asyncio.AbstractEventLoop, service: Service) -> None:
    """Close connections and the loop, without waiting for the network."""
    with contextlib.suppress(TimeoutError):
        loop.run_until_complete(asyncio.wait_for(service.close(), CLOSING))
    close_loop(loop)


def demo_service(data: Path, config: Any, base_url: str) -> Service:
    """A service on a demo server at ``base_url``."""
    import msgspec

    from batchtui.api.gateway import Gateway
    from batchtui.config.load import Profile

    profile = Profile(name="demo", base_url=base_url)
    config = msgspec.structs.replace(config, profiles={**config.profiles, "demo": profile})
    # The port differs from start to start, but it is the same server: records keep one name for it.
    return Service(
        data, config, profile="demo", gateway=Gateway(profile, key="demo-key", shown_url="http://demo.localhost")
    )


def verb(name: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A verb with the options of all verbs; the function gets the Session first."""

    def wrap(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def call(
            *, json: bool, yes: bool, profile: str, data_dir: str | None, demo: bool, log_file: str | None, **rest: Any
        ) -> Any:
            session = Session(json=json, yes=yes, profile=profile, data_dir=data_dir, demo=demo, log_file=log_file)
            try:
                return function(session, **rest)
            finally:
                session.close()

        make: Any = click.command(name, **settings)
        command: click.Command = make(call)
        for option in reversed(_COMMON):
            command = option(command)
        return command

    return wrap


_COMMON: list[Callable[[Any], Any]] = [
    click.option("--json", is_flag=True, help="Print one JSON value on standard output and nothing else."),
    profile_option,
    data_dir_option,
    click.option(
        "--demo", is_flag=True, help="Use the built-in demo server: no key, no cost, a data folder of its own."
    ),
    click.option("--yes", "-y", is_flag=True, help="Answer yes to all questions."),
    log_option,
]


class Bar:
    """One progress line on a terminal's standard error; silent elsewhere."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._text = ""
        self._waited_for = ""

    def __call__(self, progress: Progress) -> None:
        """Show how far it has come; what is waited for is said once, on a terminal or not."""
        if progress.waiting_for and progress.waiting_for != self._waited_for:
            self._waited_for = progress.waiting_for
            self.clear()
            say(f"waiting for {progress.waiting_for}")
        if not self._shown:
            return
        if progress.total:
            part = min(1.0, progress.done / progress.total)
            text = f"{progress.stage} {'█' * int(part * 20):░<20} {part:4.0%} {_amount(progress)} {progress.note}"
        else:
            text = f"{progress.stage} {_amount(progress)} {progress.note}"
        text = safetext.line(text, 78)
        if text != self._text:
            self._text = text
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._text:
            self._text = ""
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _amount(progress: Progress) -> str:
    if progress.unit == "bytes":
        return f"{progress.done / 1e6:,.1f} MB"
    return f"{progress.done:,} {progress.unit}"


class TransferBars:
    """Shows uploads and downloads of a service as one line."""

    def __init__(self, service: Service, shown: bool) -> None:
        self._bar = Bar(shown)
        self._service = service

    def __enter__(self) -> TransferBars:
        self._end = self._service.subscribe(self._on_event)
        return self

    def _on_event(self, event: object) -> None:
        if isinstance(event, Transfer):
            if event.progress is None:
                self._bar.clear()
            else:
                self._bar(event.progress)

    def __exit__(self, *_: object) -> None:
        self._end()
        self._bar.clear()
