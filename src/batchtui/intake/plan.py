"""From sources to a plan, in one pass: nothing is sent, and nothing is held whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from batchtui.domain.money import PriceTable
from batchtui.domain.plan import CheckedSource, Plan, Problem
from batchtui.domain.work import UNWATCHED, Progress, Work
from batchtui.intake import detect_format
from batchtui.intake.answer_table import answer_of
from batchtui.intake.checker import Checker
from batchtui.intake.estimate import total
from batchtui.intake.options import FORMATS, IntakeOptions
from batchtui.intake.problems import Found, Problems, error, warning
from batchtui.intake.readers import Reader
from batchtui.intake.renderer import Renderer, load_template, read_template, template_mark
from batchtui.intake.run_rows import RunSource
from batchtui.intake.source_watch import Watch, Watched
from batchtui.intake.sources import HEAD, Source, SourceFault, Stream, expand, open_source
from batchtui.intake.template_process import TemplateProcess
from batchtui.intake.wording import quoted
from batchtui.store.files import make_private_dir, write_atomic
from batchtui.store.records import ANSWER

replace = msgspec.structs.replace
Loaded = tuple[TemplateProcess | None, list[tuple[str, Found]]]
"""A template, or what is wrong with it, each with its place."""
_PATIENCE = 2.0
"""Seconds after which it is said that a named pipe has no writer."""


def make_plan(
    sources: Sequence[str],
    options: IntakeOptions,
    *,
    prices: PriceTable,
    staging: Path | None,
    work: Work = UNWATCHED,
    on_problem: Callable[[Problem], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Plan:
    """Read, check, split and price all requests of ``sources`` (files, folders, ``-``).

    With ``staging`` the requests are written to ``part-NNN.jsonl`` there, ready to be sent; when an error stops the
    plan nothing stays staged.  What is wrong with the sources comes as problems of the plan.  Raises Stopped, and
    StoreError when staging can't be written.
    """
    if staging is not None:
        make_private_dir(staging)
    return _Making(sources, options, prices, staging, work, on_problem, stdin).run()


@dataclass
class _Making:
    given: Sequence[str]
    options: IntakeOptions
    prices: PriceTable
    staging: Path | None
    work: Work
    on_problem: Callable[[Problem], None] | None
    stdin: BinaryIO | None

    def __post_init__(self) -> None:
        self._problems = Problems(self.on_problem)
        self._checker = Checker(self.options, self.prices, self._problems, self.staging)
        self._watch = Watch(self.given, self.options, fingerprints=self.staging is not None)
        self._template_file: CheckedSource | None = None
        self._stream: Stream | None = None
        self._name = ""
        self._done = 0
        self._total = 0
        self._piped_since: float | None = None
        self._faults = 0
        self._tables: set[Path | None] = set()
        self._template: TemplateProcess | None = None
        self._renderer: Renderer | None = None

    def run(self) -> Plan:
        try:
            self._read_all()
        except BaseException:
            self._checker.splitter.discard()
            raise
        finally:
            if self._template is not None:
                self._template.close()
            self._checker.skipped.close()
            self._watch.close()
        return self._plan()

    def _read_all(self) -> None:
        self._template, faults = self._load_template()
        for where, found in faults:
            self._stopping(found, where)
        if self.options.format is not None and self.options.format not in FORMATS:
            what = f"unknown format: one of {', '.join(FORMATS)}"
            self._stopping(error("format", what), self.options.format[:60])
        if wrong := self.options.table.problem():
            self._stopping(error("table_options", wrong), "table options")
        if self._problems.errors:
            self._reader = Reader(self.options, self._checker, None, self._tick)
            return
        self._renderer = Renderer(self._template, self._checker) if self._template is not None else None
        self._reader = Reader(self.options, self._checker, self._renderer, self._tick)
        found_sources = list(
            expand([each for each in self.given if each not in self.options.runs], self.options.template)
        )
        self._tables = {each.folder for each in found_sources if isinstance(each, Source) and each.looks_like_table}
        self._total = sum(each.size for each in found_sources if isinstance(each, Source))
        if any(isinstance(each, Source) and not each.size for each in found_sources):
            self._total = 0
        for run in self.options.runs.values():
            self._read_run(run)
        for each in found_sources:
            if isinstance(each, Source):
                self._read(each)
            else:
                self._stopping(each[1], each[0])
        if self._renderer is not None:
            self._renderer.finish()
        if not self._checker.builder.requests and not self._problems.errors and not self._checker.skipped.count:
            self._stopping(error("empty", "no requests found"), ", ".join(self.given)[:200])

    def _read_run(self, run: RunSource) -> None:
        self._name = run.name
        try:
            self._reader.read_run(run, self._template.names if self._template is not None else None)
        except SourceFault as fault:
            self._stopping(fault.found, run.name)

    def _load_template(self) -> Loaded:
        """The template, compiled, its text kept as it was read; or what is wrong with it."""
        path = self.options.template
        if self.options.template_text is not None or path is None:
            return self._with_model(load_template(self.options, wait=self._tick))
        text, self._template_file, found = read_template(path)
        if found is not None:
            return None, [(str(path), found)]
        self.options = replace(self.options, template_text=text, template_name=str(path))
        self._watch.options = self.options
        return self._with_model(load_template(self.options, wait=self._tick))

    def _with_model(self, loaded: Loaded) -> Loaded:
        """Say it when the model that was asked for goes before the template's own."""
        template = loaded[0]
        if template is not None and template.replaced_model:
            model, own = quoted(self.options.default_model or ""), quoted(template.replaced_model)
            self._problems.add(warning("model_option", f"model {model} replaces the template's {own}"), "--model")
        return loaded

    def _read(self, source: Source) -> None:
        self._name = source.name
        self._piped_since = time.monotonic() if source.path is not None and source.path.is_fifo() else None
        try:
            raw = open_source(source, self.stdin, self._tick)
            try:
                watched = self._watch.reading(source, raw)
                self._stream = stream = Stream(watched)
                self._read_stream(source, stream, watched)
                self._watch.note(source, watched)
            finally:
                if source.path is not None:
                    raw.close()
        except SourceFault as fault:
            self._fault(fault, source)
        self._done += self._stream.taken if self._stream is not None else 0
        self._stream = None

    def _read_stream(self, source: Source, stream: Stream, watched: Watched) -> None:
        head = stream.peek()
        if not head.strip():
            if len(head) >= HEAD:
                raise SourceFault(error("blank", "it begins with more than 64 KB of white space"))
            self._problems.add(warning("source_empty", "the file is empty"), source.name)
            return
        detected = detect_format.detect(stream, source.name, self.options)
        if detected.kind == "text" and source.folder in self._tables and source.folder is not None:
            raise SourceFault(error("format", "a text file among tables"))
        # Requests on lines have ids of their own: nothing has to tell their source from another.
        named = self.staging is not None and not (detected.kind == "native" and detected.layout == "lines")
        # A file that is not packed is hashed on its way already.
        apart = stream.packed or not watched.hashes
        if named and apart:
            stream.hash()
        try:
            self._reader.read(source, stream, detected)
        except SourceFault:
            self._flush()
            raise
        self._flush()
        if named:
            self._checker.hashed(stream.digest() if apart else watched.fingerprint())

    def _flush(self) -> None:
        """Have the rows of a source checked while it is the one that places are named by."""
        if self._renderer is not None:
            self._renderer.flush()

    def _fault(self, fault: SourceFault, source: Source) -> None:
        """Note why a source can't be read; in a folder, what holds no requests is only left out."""
        found = fault.found
        if source.folder is not None and found.code in ("format", "no_template_text"):
            self._problems.add(warning("left_out", f"ignored: {found.message}"), source.name)
            self._watch.note_left_out(source)
            return
        self._stopping(found, f"{source.name}:{fault.line}" if fault.line else source.name)

    def _stopping(self, found: Found, where: str) -> None:
        """Note a problem that leaving out single requests does not cure."""
        self._problems.add(found, where)
        self._faults += 1
        self._checker.splitter.stop_staging()

    def _tick(self) -> None:
        self.work.check("stopped while reading", advice="nothing was sent")
        if not self.work.due:
            return
        taken = self._stream.taken if self._stream is not None else 0
        note = f"{self._checker.builder.requests:,} requests"
        if self._problems.errors:
            note += f", {self._problems.errors:,} problems"
        found = self._problems.errors + self._problems.warnings
        stage, writer = f"reading {self._name}", ""
        if not taken and self._piped_since is not None and time.monotonic() - self._piped_since >= _PATIENCE:
            writer = f"a writer of {self._name}"
        self.work.pass_on(
            Progress(stage, self._done + taken, self._total, note=note, problems=found, waiting_for=writer)
        )

    def _plan(self) -> Plan:
        checker = self._checker
        errors = self._faults if self.options.skip_bad else self._problems.errors
        keep = checker.builder.requests > 0 and not errors
        parts = checker.splitter.finish(self.prices, checker.marks(), keep=keep)
        if keep and self.staging is not None and self.options.template_text is not None:
            self._keep_schema(self.staging, self.options.template_text)
        return Plan(
            source=source_name(self.given, self.options),
            requests=checker.builder.requests,
            bytes=checker.builder.bytes,
            parts=parts,
            problems=self._problems.groups(),
            errors=errors,
            warnings=self._problems.warnings,
            skipped=checker.skipped.count,
            skipped_path=checker.skipped.written,
            skipped_kept=checker.skipped.kept,
            estimate=total((each for part in parts for each in part.estimate.models), self.prices),
            mark=checker.mark,
            staging=self.staging,
            format=self._reader.words,
            sample=tuple(checker.builder.sample),
            longest=checker.builder.longest.decode(),
            template=template_mark(self.options.template_text),
            origin=self._watch.origin(self._template_file),
        )

    @staticmethod
    def _keep_schema(staging: Path, template: str) -> None:
        """Keep the whole schema of a template's answers where what is sent is only a part of it."""
        pair = answer_of(template)
        if pair is not None and pair[0] != pair[1]:
            from batchtui.results.asked import SchemaPair  # All that reads results comes with it.

            write_atomic(staging / ANSWER, msgspec.json.encode([SchemaPair(*pair)]))


def source_name(given: Sequence[str], options: IntakeOptions) -> str:
    """What a plan of these sources says it came from."""
    called = {name: run.name for name, run in options.runs.items()}
    names = ", ".join("standard input" if name == "-" else called.get(name, name) for name in given[:3])
    more = f" and {len(given) - 3} more" if len(given) > 3 else ""
    template = options.template.name if options.template else options.template_name if options.template_text else ""
    return names + more + (f" with {template}" if template else "")
