"""Numbers as text: durations, counts, sizes, tokens, dollars; rounded so that they change no more often than they must."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from batchtui.present.symbols import GLYPHS

NO_PRICE = "no price"
"""What stands for dollars that nobody knows."""


def short(span: timedelta) -> str:
    """``45s`` (in steps of 15), ``14m``, ``5h``, ``12d``; a negative span is none."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds // 15 * 15}s" if seconds >= 15 else "now"
    if seconds < 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 48 * 3600 else f"{seconds // 86400}d"


def left(span: timedelta) -> str:
    """Time that remains: ``28d``, ``23h46`` (to ten minutes above two hours), ``46m``, ``over``."""
    seconds = int(span.total_seconds())
    if seconds <= 0:
        return "over"
    if seconds >= 48 * 3600:
        return f"{seconds // 86400}d"
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours >= 2:
        minutes = minutes // 10 * 10
    return f"{hours}h{minutes:02}" if hours else f"{minutes}m"


def words(span: timedelta) -> str:
    """A span in words: ``just now`` apart, ``20 s``, ``14 min``, ``5 h``, ``12 days``; seconds in steps of five."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{max(5, seconds // 5 * 5)} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def at(moment: datetime | None) -> str:
    """A moment in the person's own time zone, to the minute; "" for none."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""


CENT = Decimal("0.01")
_UNITS = ("B", "kB", "MB", "GB", "TB")


def count(value: int) -> str:
    """A whole number with thousands marked: ``12,345``."""
    return f"{value:,}"


def plural(value: int, one: str, many: str = "") -> str:
    """``1 batch``, ``2 batches``: the number and the right word."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def size(value: int) -> str:
    """Bytes in decimal units, as the API counts them: ``12.3 MB``."""
    amount = float(value)
    for unit in _UNITS:
        if amount < 999.5 or unit == _UNITS[-1]:
            return (
                f"{value} B" if unit == "B" else f"{amount:.0f} {unit}" if amount >= 99.95 else f"{amount:.1f} {unit}"
            )
        amount /= 1000
    return f"{value} B"


def tokens(value: int) -> str:
    """Tokens, short: ``812``, ``14.2k``, ``1.25M``."""
    if value < 10_000:
        return f"{value:,}"
    if value < 999_500:
        return f"{value / 1000:.1f}k" if value < 99_950 else f"{value / 1000:.0f}k"
    return f"{value / 1_000_000:.2f}M" if value < 9_995_000 else f"{value / 1_000_000:,.0f}M"


def usd(value: Decimal | None) -> str:
    """What something cost: to the cent, and under a cent with two digits (``$0.0081``); None has no price."""
    if value is None:
        return NO_PRICE
    if value == 0 or abs(value) >= CENT:
        return f"${value.quantize(CENT, ROUND_HALF_UP):,}"
    shown = f"{value:.{_places(value)}f}".rstrip("0")
    return f"${shown}" if Decimal(shown) else "<$0.000001"


def usd_cell(value: Decimal) -> str:
    """A cost in a list: as everywhere, and from a thousand dollars on without cents (``$12,346``)."""
    return f"${value:,.0f}" if abs(value) >= 1_000 else usd(value)


def usd_alike(values: Sequence[Decimal | None]) -> list[str]:
    """Costs to compare, all to the same digit: the second of the smallest, at least the cent (``$0.031``, ``$0.102``)."""
    places = max((_places(value) for value in values if value), default=2)
    return [NO_PRICE if value is None else f"${value:,.{places}f}" for value in values]


def usd_and_paid(
    costs: Sequence[Decimal | None], paid: Sequence[Decimal | None]
) -> tuple[Sequence[str], Sequence[str]]:
    """What is compared, and all that was paid, each by side and all to the same digit; no second where that says the same."""
    shown = usd_alike([*costs, *paid])
    first, second = shown[: len(costs)], shown[len(costs) :]
    return first, second if second != first else ()


def usd_request(value: Decimal | None) -> str:
    """What one request cost, to the same digit whatever it is: ``$0.000082``."""
    return NO_PRICE if value is None else f"${value:,.6f}"


def usd_column(values: Sequence[Decimal]) -> list[str]:
    """Costs that stand below each other, their points in one column."""
    shown = [usd(value) for value in values]
    longest = max((len(text.rpartition(".")[2]) for text in shown), default=0)
    return [text + " " * (longest - len(text.rpartition(".")[2])) for text in shown]


def _places(value: Decimal) -> int:
    """Digits after the point that show two of a value: 2 to 6."""
    return min(6, max(2, 1 - value.adjusted()))


def usd_short(value: Decimal) -> str:
    """An estimate: as a list has it, and under a cent with one digit (``$0.0004``)."""
    if value == 0 or abs(value) >= CENT:
        return usd_cell(value)
    return f"${value:.{-value.adjusted()}f}" if value.adjusted() >= -4 else "<$0.0001"


def at_least(shown: str, missing: bool) -> str:
    """A cost that is not known whole: ``≥ $0.12``."""
    return f"≥ {shown}" if missing and shown.startswith(("$", "<")) else shown


def span(low: str, high: str) -> str:
    """A range, or the one figure when both ends read the same."""
    return low if low == high else f"{low}–{high}"


def usd_range(pair: tuple[Decimal, Decimal]) -> str:
    """An estimate: ``$3.10–4.80``, or ``~$3.10`` when both ends read the same."""
    low, high = usd_short(pair[0]), usd_short(pair[1])
    if low == high:
        return about(pair[0])
    return f"{low}–{high.removeprefix('$')}"


UNKNOWN = "unknown"
"""What stands for an estimate of which no part is known."""


def estimated(pair: tuple[Decimal, Decimal], unpriced: bool) -> str:
    """An estimated cost: a range; where a model has no price ``at least $3.10–4.80``, that of the others, or ``unknown``."""
    if not unpriced:
        return usd_range(pair)
    return f"at least {usd_range(pair).removeprefix('~')}" if pair[1] else UNKNOWN


def about(value: Decimal) -> str:
    """An estimate in one figure: ``~$3.10``."""
    shown = usd_short(value)
    return shown if shown.startswith("<") else f"~{shown}"


def of(part: int, total: int) -> str:
    """A number with its total: ``225 of 600 (38%)``."""
    return f"{part:,} of {total:,} ({_percent(part, total)}%)" if total else f"{part:,}"


def share(part: int, total: int) -> str:
    """``99,500 (99%)``."""
    return f"{part:,} ({_percent(part, total)}%)" if total else f"{part:,}"


def _percent(part: int, total: int) -> int:
    """Never 0 of some, nor 100 of fewer than all."""
    return max(1, part * 100 // total) if part else 0


def likely(value: Decimal | None) -> str:
    """What earlier runs say it will cost: ``~$3.10 likely``; empty where there were none."""
    return f"{about(value)} likely" if value is not None else ""


def token_range(pair: tuple[int, int]) -> str:
    """``1.2M–2.0M``."""
    return span(tokens(pair[0]), tokens(pair[1]))


def bar(done: int, total: int, width: int = 10) -> str:
    """A bar that is read by its shape, ``███████░░░``; neither empty nor full before it is."""
    filled = min(width, max(0, done * width // total)) if total > 0 else 0
    if 0 < done < total:
        filled = min(max(1, filled), width - 1)
    return GLYPHS.full * filled + GLYPHS.empty * (width - filled)
