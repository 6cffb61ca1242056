"""What failed before a byte of the request left is told as that: no batch can have been created."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtui.api import gateway as gateways
from batchtui.api.gateway import Gateway
from batchtui.api.upload import PIECE, SplicedBody
from batchtui.config.load import Profile
from batchtui.domain.errors import BatchtuiError, InputError, NoKey, NoNetwork, ServiceError, StoreError, Unconfirmed
from tests.cli.calling import program
from tests.demo_server import running_demo
from tests.service.harness import source

KEY = "sk-canary-7f3e9a-bird-of-passage"
AROUND = ["\r", "\n", "\r\n", " ", "\t", "\u00a0", "\ufeff"]


async def unsent(gateway: Gateway, body: Path, kind: type[BatchtuiError]) -> BatchtuiError:
    try:
        with pytest.raises(kind) as caught:
            await gateway.create(body)
    finally:
        await gateway.close()
    assert not isinstance(caught.value, Unconfirmed) and not caught.value.sent
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.advice} {caught.value.__cause__!r}"
    return caught.value


@pytest.mark.parametrize("around", AROUND, ids=repr)
@pytest.mark.parametrize(
    "way", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "api_key_env", "api_key_command", "given"]
)
async def test_what_was_copied_around_a_key_is_left_out(
    tmp_path: Path, around: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(way if way.isupper() else "MY_KEY", around + KEY + around)
    more = {"api_key_env": {"api_key_env": "MY_KEY"}, "api_key_command": {"api_key_command": "printenv MY_KEY"}}.get(
        way, {}
    )
    with running_demo(tmp_path / "server") as demo:
        gateway = Gateway(Profile(base_url=f" {demo.base_url}\n", **more), key=KEY + around if way == "given" else "")
        made = await gateway.create(source(tmp_path, 2))
        with pytest.raises(ServiceError, match="404"):
            await gateway.results(f"{made.id}x")
        await gateway.close()
        assert demo.stats()["creates"] == 1


@pytest.mark.parametrize("odd", [" ", "\n", "\r\nx-more: 1", "\u2026", "é", "\x01", "\udcff"], ids=repr)
async def test_a_key_that_cant_be_sent_is_named(tmp_path: Path, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{KEY[:9]}{odd}{KEY[9:]}")
    error = await unsent(Gateway(Profile(base_url="http://127.0.0.1:1")), source(tmp_path, 2), NoKey)
    assert "character 10" in str(error) and KEY[:9] not in str(error)


def test_a_submit_with_such_a_key_is_refused_at_once(tmp_path: Path, own_folders: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        env = {"ANTHROPIC_BASE_URL": demo.base_url, "ANTHROPIC_API_KEY": f"{KEY} {KEY}"}
        said = program("submit", source(own_folders, 2), "--yes", "--json", env=env)
        assert said.code == 3 and "can't be sent" in said.err
        assert not demo.demo.calls and KEY not in said.err


@pytest.mark.parametrize(
    ("headers", "version", "betas"),
    [
        ("", "2026-10-21\nx: y", ()),
        ("", "", ("\udc80",)),
        ("", "", ("a\r\nb",)),
        ("x odd: 1", "", ()),
    ],
)
async def test_a_header_that_cant_be_sent_leaves_no_doubt(
    tmp_path: Path, headers: str, version: str, betas: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", headers)
    with running_demo(tmp_path / "server") as demo:
        gateway = Gateway(Profile(base_url=demo.base_url), key=KEY)
        with pytest.raises(ServiceError) as caught:
            await gateway.create(source(tmp_path, 2), betas=betas, api_version=version)
        assert not isinstance(caught.value, Unconfirmed) and not caught.value.sent
        await gateway.close()
        assert not demo.demo.calls["create"]


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and closes at once."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                listening.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.close()


@pytest.mark.parametrize("url", ["https://127.0.0.1:{port}", "http://127.0.0.1:1", "https://no-such-host.invalid"])
async def test_no_connection_no_doubt(tmp_path: Path, silent: int, url: str) -> None:
    await unsent(Gateway(Profile(base_url=url.format(port=silent)), key=KEY), source(tmp_path, 2), NoNetwork)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a b", "http://127.0.0.1:1/\x01", "http://[::1", "http://127.0.0.1:99999"]
)
async def test_an_address_that_is_none_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="base URL"):
        await Gateway(Profile(base_url=url), key=KEY).create(source(tmp_path, 2))


async def test_a_file_that_vanishes_before_it_is_read_leaves_no_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Vanishing(SplicedBody):
        @property
        def length(self) -> int:
            size = super().length
            self._path.unlink()
            return size

    monkeypatch.setattr(gateways, "SplicedBody", Vanishing)
    with running_demo(tmp_path / "server") as demo:
        await unsent(Gateway(Profile(base_url=demo.base_url), key=KEY), source(tmp_path, 2), StoreError)


async def test_a_file_that_shrinks_while_it_is_sent_leaves_no_doubt(tmp_path: Path) -> None:
    body = tmp_path / "requests.jsonl"
    line = json.dumps({"custom_id": "a", "params": {"x": "y" * PIECE}}) + "\n"
    body.write_text(line * 4)

    def shrink(done: int, total: int) -> None:
        body.write_text(line)

    with running_demo(tmp_path / "server") as demo:
        gateway = Gateway(Profile(base_url=demo.base_url), key=KEY)
        with pytest.raises(InputError, match="shorter"):
            await gateway.create(body, on_sent=shrink)
        await gateway.close()
        assert demo.stats()["creates"] == 0


@pytest.mark.parametrize("fault", ["drop@create", "refuse@create", "torn-reply@create", "hang@create"])
async def test_what_left_is_unconfirmed(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "_CREATE_TIMEOUT", 0.3)
    with running_demo(tmp_path / "server", faults=[fault]) as demo:
        gateway = Gateway(Profile(base_url=demo.base_url), key=KEY)
        with pytest.raises(Unconfirmed):
            await gateway.create(source(tmp_path, 2))
        await gateway.close()
