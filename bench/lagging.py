"""The real screen with a heart that beats on its event loop, while uploads and downloads run beside it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, ClassVar

from batchtui import tui
from batchtui.intake.options import IntakeOptions
from batchtui.results.filter import parse_filter
from batchtui.results.search import select
from batchtui.service import Service, ServiceThread
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.results.screen import ResultsScreen

BEAT = 0.005


class Lagging(BatchtuiApp):
    """Does one thing after the other and notes the worst pause of each."""

    # Textual looks for stylesheets beside the subclass.
    CSS_PATH: ClassVar = [Path(tui.__file__).parent / path for path in BatchtuiApp.CSS_PATH]

    def __init__(self, service: Service, given: dict[str, str]) -> None:
        super().__init__(service, ServiceThread(service))
        self._given = given
        self._worst = 0.0
        self.measured: dict[str, float] = {}

    async def on_ready(self) -> None:
        """Begin once the first picture stands."""
        self._task = asyncio.create_task(self._measure())
        self._heart = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT)
            self._worst = max(self._worst, time.perf_counter() - before - BEAT)

    async def _during(self, phase: str, work: Awaitable[Any]) -> Any:
        self._worst = 0.0
        began = time.perf_counter()
        found = await work
        self.measured[phase] = self._worst * 1000
        self.measured[f"{phase}_seconds"] = time.perf_counter() - began
        return found

    async def _measure(self) -> None:
        service, local_id = self.service, self._given["local_id"]
        await asyncio.wrap_future(self.service_thread.call(service.gateway.ready()))
        await asyncio.sleep(1.0)
        await self._during("fetch", asyncio.wrap_future(self.service_thread.call(service.fetch(local_id))))
        plan = await self._during("check", asyncio.to_thread(service.plan, [self._given["source"]], IntakeOptions()))
        await self._during("upload", asyncio.wrap_future(self.service_thread.call(service.submit(plan, again=True))))
        (service.history.folder(local_id) / "results.index").unlink()
        view = await self._during("index", asyncio.to_thread(service.open_results, local_id))
        wanted = parse_filter(f'"{self._given["text"]}"')
        await self._during("search", asyncio.to_thread(select, view, wanted))
        await self._during("open", self._open(local_id))
        Path(self._given["told"]).write_text(json.dumps(self.measured), encoding="utf-8")
        self.pop_screen()
        self.home.say("lag measured")

    async def _open(self, local_id: str) -> None:
        await self.push_screen(ResultsScreen(local_id))
        await asyncio.sleep(1.0)


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    app = Lagging(Service(Path(wanted["data"])), wanted)
    app.run()
    app.service_thread.stop()
