"""Progress of work in a thread: the message that tells it to a screen, and the line that shows it."""

from __future__ import annotations

from textual.content import Content
from textual.message import Message
from textual.message_pump import MessagePump

from batchtui import safetext
from batchtui.domain.work import Progress, Work
from batchtui.present import numbers


class Progressed(Message):
    """Work of this screen came further."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress


def work_for(screen: MessagePump) -> Work:
    """Work for a thread, which posts Progressed to the screen; that may be gone by then."""
    return Work(lambda progress: screen.post_message(Progressed(progress)))


def progress_line(progress: Progress) -> Content:
    """How far the work has come, and the key that stops it."""
    stage = safetext.line(progress.stage, 40)
    if progress.unit == "bytes":
        done = numbers.size(progress.done)
        total = f" of {numbers.size(progress.total)}" if progress.total else ""
    else:
        done = numbers.count(progress.done)
        total = f" of {numbers.count(progress.total)}" if progress.total else ""
        total += f" {safetext.line(progress.unit, 20)}"
    bar = f"{numbers.bar(progress.done, progress.total, 20)} " if progress.total else ""
    note = f" · {safetext.line(progress.note, 60)}" if progress.note else ""
    return Content.assemble((stage.capitalize() + "  ", "bold"), bar, f"{done}{total}{note}", ("   esc stops", "dim"))
