"""A server that answers by the byte, without end or packed beyond measure holds no call for longer than it may."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from batchtui.api import call, download, gateway
from batchtui.api.gateway import Gateway
from batchtui.config.load import Profile
from batchtui.domain.errors import NoNetwork, ServiceError, TooLarge, Unavailable

BATCH = b'{"id":"msgbatch_1","processing_status":"in_progress","created_at":"2026-11-27T12:00:00Z"}'
Answer = Callable[[socket.socket, threading.Event], object]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server that reads a request's head and lets ``answer`` do the rest."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                while connection.recv(65536):
                    answer(connection, over)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.close()


def said(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


def by_the_byte(connection: socket.socket, over: threading.Event) -> None:
    """Headers, a byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 10_000:
        connection.sendall(bytes([byte]))
        if over.wait(0.02):
            return


def hints(connection: socket.socket, over: threading.Event) -> None:
    """One 103 after the other, as fast as they go."""
    while not over.is_set():
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n" * 20)


@pytest.mark.parametrize("answer", [by_the_byte, hints])
@pytest.mark.parametrize("what", ["page", "results", "cancel", "models"])
async def test_headers_that_do_not_end_are_left(answer: Answer, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_TOTAL", 0.4)
    with answering(answer) as url:
        way = Gateway(Profile(base_url=url), key="sk-secret-of-mine")
        await way.ready()
        before = threading.active_count()
        calls = {
            "page": way.page, "results": lambda: way.results("msgbatch_1"), "cancel": lambda: way.cancel("msgbatch_1"),
            "models": way.models,
        }  # fmt: skip
        async with asyncio.timeout(120):
            with pytest.raises(NoNetwork, match="in time"):
                await calls[what]()
            # Nothing is left behind that reads on.
            while any(thread.name == "transfer" for thread in threading.enumerate()):
                await asyncio.sleep(0.01)
        assert threading.active_count() <= before + 2
        await way.close()


async def test_an_upload_that_nobody_reads_is_left(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_UPLOAD_STALL", 0.4)
    body = tmp_path_factory.mktemp("up") / "requests.jsonl"
    body.write_bytes((b'{"a":"' + b"x" * 1_000_000 + b'"}\n') * 20)
    with answering(lambda connection, over: over.wait(600)) as url:
        way = Gateway(Profile(base_url=url), key="sk-secret-of-mine")
        async with asyncio.timeout(120):
            with pytest.raises(ServiceError, match="in time") as caught:
                await way.create(body)
        assert caught.value.sent
        await way.close()


PACKED = {
    "gzip": (lambda: gzip.compress(b" " * 400_000_000, 1), "content-encoding: gzip\r\n"),
    "many parts": (lambda: gzip.compress(b" " * 1_000_000) * 80, "content-encoding: gzip\r\n"),
    "deflate": (lambda: zlib.compress(b" " * 1_000_000), "content-encoding: deflate\r\n"),
}


@pytest.mark.parametrize("name", PACKED)
async def test_a_small_reply_that_unpacks_to_a_large_one_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "LIST_MOST", 4_000_000)
    pack, headers = PACKED[name]
    raw = pack()
    for status, kind in (("200 OK", Unavailable), ("413 Too Large", TooLarge)):
        whole = said(raw, status, headers)

        def answer(connection: socket.socket, over: threading.Event, whole: bytes = whole) -> None:
            connection.sendall(whole)

        with answering(answer) as url:
            way = Gateway(Profile(base_url=url), key="sk-secret-of-mine")
            with pytest.raises(kind):
                await way.page()
            await way.close()


async def test_a_packed_reply_is_read() -> None:
    raw = gzip.compress(BATCH)
    with answering(lambda connection, over: connection.sendall(said(raw, headers="content-encoding: gzip\r\n"))) as url:
        way = Gateway(Profile(base_url=url), key="sk-secret-of-mine")
        assert (await way.retrieve("msgbatch_1")).processing_status == "in_progress"
        taken: list[bytes] = []
        answer = await way.results("msgbatch_1")
        await answer.receive(taken.append)
        assert b"".join(taken) == BATCH and answer.length is None
        await way.close()


@pytest.mark.parametrize("length", ["\u00b2", "9" * 4999, "-1", "1e3"])
async def test_a_length_that_is_none_harms_nobody(length: str) -> None:
    def answer(connection: socket.socket, over: threading.Event) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        connection.close()

    with answering(answer) as url:
        way = Gateway(Profile(base_url=url), key="sk-secret-of-mine")
        for ask in (way.page, lambda: way.results("msgbatch_1")):
            try:
                answer = await ask()
            except ServiceError:
                continue
            assert isinstance(answer, download.Download) and (answer.length or 0) >= 0
        await way.close()


async def test_results_larger_than_they_can_be_are_left() -> None:
    def endless(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while not over.is_set():
            connection.sendall(b'{"custom_id":"a"}\n' * 1000)

    with answering(endless) as url:
        way = Gateway(Profile(base_url=url), key="sk-secret-of-mine")
        answer = await way.results("msgbatch_1")
        taken = 0

        def take(piece: bytes) -> None:
            nonlocal taken
            taken += len(piece)

        with pytest.raises(Unavailable, match="larger than they can be"):
            await answer.receive(take, 3_000_000)
        assert taken <= 3_000_000
        await answer.close()
        await way.close()


async def test_a_download_that_all_but_stops_is_left_and_one_that_goes_on_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "WINDOW", 1.0)
    monkeypatch.setattr(download, "LEAST", 1_000)

    def sending(size: int, ends: bool) -> Answer:
        def answer(connection: socket.socket, over: threading.Event) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
            for _ in range(60) if ends else itertools.count():
                connection.sendall(b"x" * (size - 1) + b"\n")
                if over.wait(0.02):
                    return
            connection.close()

        return answer

    for size, ends in ((2, False), (5_000, True)):
        with answering(sending(size, ends)) as url:
            way = Gateway(Profile(base_url=url), key="sk-secret-of-mine")
            answer = await way.results("msgbatch_1")
            if ends:
                await answer.receive(lambda piece: None)
            else:
                with pytest.raises(NoNetwork, match="the download stalled"):
                    await answer.receive(lambda piece: None)
            await answer.close()
            await way.close()
