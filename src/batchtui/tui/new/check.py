"""What the form shows is checked in a thread, which tells progress, the first problems and the plan as they come."""

from __future__ import annotations

import io
import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from textual.message import Message

from batchtui.domain.errors import InputError, Stopped
from batchtui.domain.plan import Plan, Problem, ProblemGroup
from batchtui.domain.work import Progress, Work
from batchtui.intake.compose import Form
from batchtui.intake.options import IntakeOptions, RunChoice, TableOptions
from batchtui.paths import expanded
from batchtui.service.again import AgainChange
from batchtui.service.run_sources import is_run
from batchtui.tui.new.problem_list import ProblemGathering

if TYPE_CHECKING:
    from batchtui.service import Service

EVERY = 0.25
"""Seconds between two tellings."""


@dataclass(frozen=True, slots=True)
class CheckInput:
    """What is to be checked: paths, or the lines of composed requests."""

    paths: tuple[str, ...] = ()
    lines: bytes = b""
    options: IntakeOptions = field(default_factory=IntakeOptions)
    again: str = ""
    """Local id of the run that is made again, "" for none; without paths its own rows are meant."""
    reread: bool = False
    """True when these come from its files as they are now."""

    @property
    def change(self) -> AgainChange:
        """What is other than in the run that is made again."""
        settings = (
            {"model": msgspec.json.encode(self.options.default_model).decode()} if self.options.default_model else {}
        )
        return AgainChange(
            sources=self.paths,
            reread=self.reread,
            template=self.options.template,
            template_text=self.options.template_text,
            set=settings,
        )

    @property
    def empty(self) -> bool:
        """True when there is nothing to check."""
        return not (self.paths or self.lines)


@dataclass(frozen=True, slots=True)
class FormState:
    """What the form shows: the one thing that is checked and planned, and compared with before anything is sent."""

    typed: str = ""
    """The paths as they were typed."""
    format: str | None = None
    table: TableOptions = field(default_factory=TableOptions)
    template_path: str = ""
    template_text: str | None = None
    """The template as its pane shows it; None where there is none, or its file can't be read."""
    model: str = ""
    skip_bad: bool = False
    cache_prefix: bool = False
    close_schemas: bool = False
    choice: RunChoice = field(default_factory=RunChoice)
    """Which rows of a run are meant."""
    again: str = ""
    """Local id of the run that is made again, "" for none."""
    own_rows: bool = False
    """True when the rows are that run's own."""
    reread: bool = False
    """True when they are read from its files as they are now."""
    forms: tuple[Form, ...] = ()
    """The composed requests, where they are composed."""
    account: tuple[object, ...] = ()
    """Profile and limits that the plan is made for."""

    def options(self) -> IntakeOptions:
        """How the sources are to be read."""
        return IntakeOptions(
            format=self.format,
            table=self.table,
            template=expanded(self.template_path) if self.template_path else None,
            template_text=self.template_text,
            template_name=self.template_path or "template",
            skip_bad=self.skip_bad,
            cache_prefix=self.cache_prefix,
            close_schemas=self.close_schemas,
            default_model=self.model or None,
            choice=self.choice,
        )

    def source(self) -> CheckInput:
        """The files that are to be checked; raises InputError."""
        paths = () if self.own_rows else split_paths(self.typed)
        return CheckInput(paths=paths, options=self.options(), again=self.again, reread=self.reread)


class CheckMoved(Message):
    """A check came further; ``groups`` are the problems so far."""

    def __init__(self, number: int, progress: Progress | None, groups: tuple[ProblemGroup, ...]) -> None:
        super().__init__()
        self.number = number
        self.progress = progress
        self.groups = groups


class CheckEnded(Message):
    """A check is over: with a plan, stopped (neither), or with an error."""

    def __init__(
        self,
        number: int,
        plan: Plan | None,
        error: BaseException | None,
        stopped_by: str = "",
        difference: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.difference = difference
        self.number = number
        self.plan = plan
        self.error = error
        self.stopped_by = stopped_by


def split_paths(typed: str) -> tuple[str, ...]:
    """Paths from one line: the line itself when such a file exists, else separated by spaces, quotes hold together."""
    whole = typed.strip()
    if not whole:
        return ()
    if not is_run(whole) and expanded(whole).exists():
        return (str(expanded(whole)),)
    try:
        words = shlex.split(whole)
    except ValueError as error:
        raise InputError(f"the paths can't be read: {error}", advice="close the quotes") from error
    return tuple(word if is_run(word) else str(expanded(word)) for word in words)


def join_paths(paths: list[str]) -> str:
    """Paths as one line that ``split_paths`` reads back."""
    return paths[0] if len(paths) == 1 else shlex.join(paths)


class SourceCheck:
    """One check at a time; starting another stops the one that runs, and throws away what it made."""

    def __init__(self, service: Callable[[], Service], post: Callable[[Message], object]) -> None:
        self._service = service
        self._post = post
        self._work = Work()
        self.number = 0
        self.running = False

    def start(self, make: Callable[[], CheckInput]) -> None:
        """Check what ``make`` (called in the thread) gives."""
        self.stop()
        self.number += 1
        self.running = True
        telling = _Telling(self.number, self._post)
        self._work = Work(telling.progressed)
        arguments = (self._service(), make, telling, self._work)
        threading.Thread(target=self._run, args=arguments, name="batchtui-check", daemon=True).start()

    def stop(self) -> None:
        """Stop what runs."""
        self._work.stop()

    def forget(self) -> None:
        """Stop what runs and hear no more of it."""
        self._work.stop()
        self.number += 1
        self.running = False

    def _run(self, service: Service, make: Callable[[], CheckInput], telling: _Telling, work: Work) -> None:
        number = telling.number
        plan: Plan | None = None
        error: BaseException | None = None
        stopped_by = ""
        difference: tuple[str, ...] = ()
        try:
            source = make()
            plan, difference = self._plan(service, source, telling, work)
            stopped_by = service.max_cost_problem(plan) or ""
        except Stopped:
            pass
        except Exception as caught:
            error = caught
        if number != self.number:
            if plan is not None:
                service.discard(plan)
            return
        self.running = False
        self._post(CheckEnded(number, plan, error, stopped_by, difference))

    @staticmethod
    def _plan(service: Service, source: CheckInput, telling: _Telling, work: Work) -> tuple[Plan, tuple[str, ...]]:
        """The plan, and what it does otherwise than the run that is made again."""
        if source.again:
            again = service.again(service.resolve(source.again))
            # The model is part of the change: as an option it would be a warning that it replaces the template's.
            options = msgspec.structs.replace(source.options, default_model=None)
            plan = service.plan_again(again, source.change, options, work=work)
            return plan, tuple(again.difference(plan, work)) if plan.ok else ()
        stdin = io.BytesIO(source.lines) if source.lines else None
        paths = ["-"] if source.lines else list(source.paths)
        return service.plan(paths, source.options, work=work, on_problem=telling.found, stdin=stdin), ()


class CheckedForm:
    """The form as it was checked last, and the plan that came of it; a plan's staged copy goes when the plan does."""

    def __init__(self, discard: Callable[[Plan], object]) -> None:
        self._discard = discard
        self.form: FormState | None = None
        """What the plan, or the check that runs, is of.  None once something else is shown."""
        self.plan: Plan | None = None
        self.difference: tuple[str, ...] = ()
        """What the plan does otherwise than the run that is made again."""
        self.stopped_by = ""
        """The sentence that says what forbids the plan, "" when nothing does."""

    def begin(self, form: FormState) -> None:
        """This form is checked now; the plan there was goes."""
        self.form = form
        self.drop_plan()

    def forget(self) -> None:
        """Something else is shown than what was checked: there is no plan of it."""
        self.form = None
        self.drop_plan()

    def drop_plan(self) -> None:
        """Throw the plan away, and its staged copy."""
        plan = self.hand_over()
        if plan is not None:
            self._discard(plan)

    def hand_over(self) -> Plan | None:
        """The plan, for whoever sends it or throws it away from here on."""
        plan, self.plan = self.plan, None
        return plan


class _Telling:
    """Gathers what a check tells and passes it on now and then."""

    def __init__(self, number: int, post: Callable[[Message], object]) -> None:
        self.number = number
        self._post = post
        self._gathered = ProblemGathering()
        self._last = time.monotonic()
        self._progress: Progress | None = None

    def progressed(self, progress: Progress) -> None:
        self._progress = progress
        self._tell()

    def found(self, problem: Problem) -> None:
        self._gathered.add(problem)
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self._post(CheckMoved(self.number, self._progress, self._gathered.groups()))
