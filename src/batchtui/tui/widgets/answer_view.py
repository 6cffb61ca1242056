"""A widget that shows an answer's sections: Markdown, plain text, JSON with colors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content, Span
from textual.widget import Widget
from textual.widgets import Static

from batchtui import safetext
from batchtui.present import numbers
from batchtui.tui.bindings import key_of, scrolling

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

FORMAT_LIMIT = 2_000_000
"""Longer JSON is shown as it came, in bytes."""
COLOR_LIMIT = 200_000
"""Longer JSON is shown without colors, in characters."""

_TOKENS = re.compile(
    r'(?P<key>"(?:[^"\\\n]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<number>-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?P<constant>\b(?:true|false|null)\b)"
)
_STYLES = {
    "key": "$text-primary",
    "string": "$text-success",
    "number": "$text-warning",
    "constant": "bold $text-accent",
}


def pretty(raw: bytes) -> str:
    """JSON indented by two; as it came when it is too long, too deep or no JSON."""
    if len(raw) <= FORMAT_LIMIT:
        with suppress(msgspec.MsgspecError, RecursionError):
            raw = msgspec.json.format(raw, indent=2)
    return raw.decode("utf-8", "replace")


def colored(text: str, limit: int = COLOR_LIMIT) -> Content:
    """Cleaned text with JSON's colors."""
    clean = safetext.block(text, limit)
    if len(text) > limit:
        return Content(clean)
    spans = [Span(match.start(), match.end(), _STYLES[match.lastgroup or ""]) for match in _TOKENS.finditer(clean)]
    return Content(clean, spans=spans)


SHOWN = 100_000
"""Of one section, in characters; the rest is a key away in $PAGER."""
MARKDOWN_LIMIT = 30_000
"""Longer prose is shown plain, in characters: a widget a paragraph would be too many."""
MOST_SECTIONS = 60
"""Of one answer."""

MOST_HITS = 2_000
"""Of one search in an answer."""

Form = Literal["prose", "plain", "json", "note", "fields"]


@dataclass(frozen=True, slots=True)
class Section:
    """One piece: ``title`` stands above it (empty: none); ``body`` is text as it came, cleaned when it is shown."""

    title: str
    body: str
    form: Form = "plain"
    tone: str = ""
    """good, bad, warn or muted: the title's color; its words say the same."""


_TONES = {
    "good": "bold $text-success",
    "bad": "bold $text-error",
    "warn": "bold $text-warning",
    "muted": "dim",
    "": "bold $text-accent",
}


class AnswerView(VerticalScroll):
    """A scrolling pane with a title line; ``show`` replaces what is in it."""

    DEFAULT_CSS = """
    AnswerView {
        height: 1fr; border-top: solid $foreground 25%; border-title-color: $foreground; border-title-style: bold;
        padding: 0 1; scrollbar-size-vertical: 1; background: $background;
        &:focus { border-top: heavy $primary; }
        & > .section-title { height: auto; margin-top: 1; }
        & > .section-title.first { margin-top: 0; }
        & > .section-body { height: auto; width: 1fr; }
        & > Markdown { padding: 0; margin: 0; background: transparent; }
        & > .gap { margin-top: 1; }
        & MarkdownH1, & MarkdownH2, & MarkdownH3 { content-align: left middle; margin: 0 0 1 0; }
        & MarkdownBlock:last-child { margin-bottom: 0; }
        & MarkdownFence { margin: 0 0 1 0; }
        &:ansi { border-top: solid ansi_bright_black; &:focus { border-top: heavy ansi_blue; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = scrolling("answer")

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._label = title
        self._shown: tuple[object, ...] | None = None
        self._given: tuple[tuple[Section, ...], str, str, bool] = ((), "", "", True)
        self._searched = ""
        self._hits: list[tuple[Static, Content, int, int]] = []
        """The text's place in the pane: widget, its text, start and end of the hit."""
        self._hit = 0

    def on_mount(self) -> None:
        """Only the name, until something is shown."""
        self.border_title = Content(self._label)

    async def show(
        self, sections: Sequence[Section], *, title: str = "", note: str = "", markdown: bool = True
    ) -> None:
        """Show these sections from the top; nothing is drawn when they are shown already."""
        self._given = (tuple(sections), title, note, markdown)
        wanted = (*self._given, self._searched)
        if wanted == self._shown:
            return
        self._shown = wanted
        self._hits, self._hit = [], 0
        heading = Content(safetext.line(f"{self._label} {title}".strip(), 200))
        self.border_title = (
            heading + Content.styled(f"  {safetext.line(note, 200)}", "not bold dim") if note else heading
        )
        widgets: list[Widget] = []
        for section in sections[:MOST_SECTIONS]:
            widgets += self._widgets(section, markdown=markdown, first=not widgets)
        if len(sections) > MOST_SECTIONS:
            more = numbers.plural(len(sections) - MOST_SECTIONS, "more block")
            opens = any(each.binding.id == "results.pager" for each in self.screen.active_bindings.values())
            how = f": {key_of('results.pager')} opens the full answer" if opens else ""
            widgets.append(Static(f"… {more} not shown{how}", markup=False))
        async with self.batch():
            await self.remove_children()
            await self.mount_all(widgets)
        self.scroll_home(animate=False)
        if self._searched:
            self.call_after_refresh(self._show_hit)

    # --- searching in it --------------------------------------------------------------------------------------------

    async def find(self, text: str) -> None:
        """Mark each place that holds a text, capitals alike, and go to the first; an empty text ends the search."""
        self._searched = text
        sections, title, note, markdown = self._given
        await self.show(sections, title=title, note=note, markdown=markdown)

    @property
    def found(self) -> str:
        """Which hit of how many is shown, in words; "" while nothing is looked for."""
        if not self._searched:
            return ""
        return f"hit {self._hit + 1:,} of {len(self._hits):,}" if self._hits else "no hit in this answer"

    @property
    def has_hits(self) -> bool:
        """Whether what is looked for is in what is shown."""
        return bool(self._hits)

    def to_hit(self, by: int) -> None:
        """Go to the next or previous hit, round the ends."""
        if self._hits:
            self._hit = (self._hit + by) % len(self._hits)
            self._show_hit()

    def _show_hit(self) -> None:
        """Mark the hits, the one that is gone to differently, and scroll to it."""
        texts: dict[Static, Content] = {}
        for number, (widget, content, start, end) in enumerate(self._hits):
            style = "bold reverse underline" if number == self._hit else "reverse"
            texts[widget] = texts.get(widget, content).stylize(style, start, end)
        for widget, content in texts.items():
            widget.update(content, layout=False)
        if self._hits:
            widget, content, start, _ = self._hits[self._hit]
            above = content[:start].get_height({}, max(1, widget.content_size.width)) if start else 1
            y = widget.virtual_region.y + above - 1
            self.scroll_to(y=max(0, y - self.size.height // 3), animate=False)

    def _look(self, widget: Static, content: Content) -> None:
        for match in re.finditer(re.escape(self._searched), content.plain, re.IGNORECASE):
            if len(self._hits) < MOST_HITS:
                self._hits.append((widget, content, match.start(), match.end()))

    def _widgets(self, section: Section, *, markdown: bool, first: bool) -> list[Widget]:
        made: list[Widget] = []
        if section.title:
            title = Content.styled(safetext.line(section.title, 300), _TONES.get(section.tone, _TONES[""]))
            made.append(Static(title, markup=False, classes="section-title first" if first else "section-title"))
        if not section.body:
            return made
        gap = "" if section.title or first or section.form == "note" else " gap"
        if section.form == "prose" and markdown and not self._searched and len(section.body) <= MARKDOWN_LIMIT:
            made.append(prose(section.body, gap))
            return made
        if section.form == "json":
            body = colored(section.body, SHOWN)
        else:
            body = Content(safetext.block(section.body, SHOWN))
            if section.form == "note":
                body = body.stylize("dim")
            elif section.form == "fields":
                body = _names_dimmed(body)
        shown = Static(body, markup=False, classes=f"section-body {section.form}{gap}")
        if self._searched:
            self._look(shown, body)
        made.append(shown)
        return made


def _names_dimmed(body: Content) -> Content:
    """Lines of a name, two spaces or more and a value, the names dimmed."""
    at = 0
    for line in body.plain.split("\n"):
        name = line.partition("  ")[0]
        body = body.stylize("$foreground 60%", at, at + len(name))
        at += len(line) + 1
    return body


def prose(text: str, gap: str = "") -> Widget:
    """Text as Markdown; its links open nothing, and its tags are text, with all that stands between them."""
    from textual.widgets import Markdown

    return Markdown(
        safetext.block(text), parser_factory=_markdown_parser, open_links=False, classes=f"section-body{gap}"
    )


def _markdown_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Textual draws no HTML and no definition of a link's target: what it parsed as one would be left out.
    return MarkdownIt("gfm-like", {"html": False}).disable("reference")
