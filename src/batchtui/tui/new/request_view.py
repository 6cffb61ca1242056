"""Shows one of the requests that a plan would send, the others one key away."""

from __future__ import annotations

from collections.abc import Sequence

from batchtui.domain.plan import Problem
from batchtui.tui.widgets.answer_view import AnswerView, Section


class RequestView(AnswerView):
    """The first few requests as they would be sent; a problem's request when one was jumped to."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._sample: tuple[str, ...] = ()
        self._at = 0

    @property
    def line(self) -> str:
        """The request that is shown, as a JSON line; "" for none."""
        return self._sample[self._at] if self._sample else ""

    async def show_sample(self, sample: Sequence[str]) -> None:
        """Show the first of these request lines, or the one at the same place as before."""
        self._sample = tuple(sample)
        self._at = min(self._at, max(0, len(self._sample) - 1))
        await self._draw()

    async def step(self, by: int) -> None:
        """Another of them."""
        if self._sample:
            self._at = (self._at + by) % len(self._sample)
            await self._draw()

    async def show_problem(self, problem: Problem, text: str) -> None:
        """Show the text a problem is about."""
        tone = "bad" if problem.level == "error" else "warn"
        sections = [Section(problem.message, "", tone=tone), Section("", text, "json")]
        await self.show(sections, title=problem.where, markdown=False)

    async def _draw(self) -> None:
        from batchtui.tui.widgets.sections import request_sections

        if not self._sample:
            await self.show([Section("", "No requests yet.", "note")])
            return
        first = f"request {self._at + 1} of the first {len(self._sample)}: [ ] previous, next"
        await self.show(request_sections(self.line.encode("utf-8", "surrogatepass")), title=first, markdown=False)
