"""The pieces of the gateway: the body's splice, errors as ours, what may be shown of an address."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchtui.api import client
from batchtui.api import errors as api_errors
from batchtui.api.upload import OVERHEAD, PIECE, SplicedBody
from batchtui.domain import errors
from batchtui.domain.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


async def spliced(path: Path) -> bytes:
    body = SplicedBody(path)
    first = b"".join([piece async for piece in body])
    assert first == b"".join([piece async for piece in body]), "it can be sent again"
    assert len(first) == body.length == path.stat().st_size + OVERHEAD
    return first


@given(
    requests=st.lists(
        st.fixed_dictionaries({"custom_id": st.text(max_size=9), "params": VALUES}), min_size=1, max_size=8
    )
)
@settings(suppress_health_check=list(HealthCheck), max_examples=60)
def test_the_body_holds_exactly_the_requests(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    import asyncio

    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in requests))
    assert json.loads(asyncio.run(spliced(path))) == {"requests": requests}


async def test_a_body_of_many_pieces_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    lines = [json.dumps({"custom_id": f"r{n}", "params": "x" * 997}) for n in range(PIECE * 3 // 1000)]
    path.write_text("\n".join(lines) + "\n")
    assert len(json.loads(await spliced(path))["requests"]) == len(lines)


@pytest.mark.parametrize("raw", [b"", b'{"custom_id":"a"}'])
def test_a_body_that_was_cut_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "r").write_bytes(raw)
    with pytest.raises(InputError):
        SplicedBody(tmp_path / "r")


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("5", 5, 5), ("0.5", 0.5, 0.5), ("-3", 0, 0), ("1e9", 3600, 3600), ("", None, None), ("soon", None, None),
     ("nan", None, None), ("inf", None, None), ("in half an hour", 1700, 1800), ("Mon, 01 Jan 1990 00:00:00 GMT", 0, 0)],
)  # fmt: skip
def test_retry_after_in_every_form(value: str, low: float | None, high: float | None) -> None:
    if value == "in half an hour":
        value = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
    got = api_errors.retry_after({"retry-after": value})
    assert (got is None and low is None) or (
        got is not None and low is not None and high is not None and low <= got <= high
    )


@given(st.text(max_size=40))
def test_retry_after_never_fails(value: str) -> None:
    got = api_errors.retry_after({"retry-after": value})
    assert got is None or 0 <= got <= 3600


@given(st.text(max_size=40))
def test_a_date_that_is_none_gives_no_offset(value: str) -> None:
    api_errors.clock_offset({"date": value}, datetime.now(UTC))


SURE = [errors.Rejected("x", status=400, kind="k"), errors.WrongKey("x", status=401, kind="k"), errors.RateLimited("x"),
        errors.TooLarge("x", status=413, kind="k"), errors.SpendLimit("x", status=402, kind="k"), errors.NoKey("x"),
        errors.NoNetwork("x", sent=False), errors.InputError("x")]  # fmt: skip
UNSURE = [errors.NoNetwork("x"), errors.Unavailable("x", status=500), errors.Unavailable("x", status=200),
          errors.ServiceError("x"), errors.TooLarge("x", status=413), errors.RateLimited("x", kind=""),
          errors.WrongKey("x", status=401), errors.SpendLimit("x", status=402),
          errors.Rejected("x", status=408, kind="timeout"), errors.Rejected("x", status=400)]  # fmt: skip


@pytest.mark.parametrize("error", SURE, ids=repr)
def test_what_says_plainly_that_nothing_was_made(error: errors.BatchtuiError) -> None:
    assert api_errors.nothing_made(error)


@pytest.mark.parametrize("error", UNSURE, ids=repr)
def test_what_does_not_say_it_plainly(error: errors.BatchtuiError) -> None:
    assert not api_errors.nothing_made(error)


@pytest.mark.parametrize(
    ("url", "shown"),
    [("https://me:secret@host:1/path/?key=secret#x", "https://host:1/path"), ("http://[::1]:8/", "http://[::1]:8"),
     ("", "https://api.anthropic.com")],
)  # fmt: skip
def test_an_address_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert client.public_url(url) == shown


@given(st.text(max_size=30))
def test_an_id_never_leaves_its_step_of_the_path(text: str) -> None:
    try:
        step = client.path_id(text)
    except (UnicodeEncodeError, InputError):
        return
    assert "/" not in step and "?" not in step and "#" not in step and step.strip(".")


def test_an_unexpected_error_is_ours_and_loses_the_key() -> None:
    ours = api_errors.translate(RuntimeError("odd \x1b[2J sk-secret"), ("sk-secret",))
    assert "sk-secret" not in str(ours) and "\x1b" not in str(ours) and ours.advice


async def test_certificates_that_cant_be_read_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from batchtui.api.gateway import Gateway
    from batchtui.config.load import Profile

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(errors.NoKey, match="certificates can't be read") as caught:
        await Gateway(Profile(base_url="https://x.example"), key="sk-secret").ready()
    assert "SSL_CERT_FILE" in caught.value.advice
