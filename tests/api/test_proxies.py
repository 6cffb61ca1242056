"""The key goes through a proxy only where it can't be read there, and never when the API is this machine."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from batchtui.api import proxies
from batchtui.api.gateway import Gateway
from batchtui.config.load import Profile
from batchtui.domain.errors import BatchtuiError, InputError, NoNetwork, ServiceError
from tests.demo_server import running_demo
from tests.service.harness import source

CANARY = "sk-canary-7f3e9a-bird-of-passage"
VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


class Spy(http.server.BaseHTTPRequestHandler):
    """A proxy that refuses everything and remembers what it was told."""

    seen: ClassVar[list[str]] = []

    def _refuse(self) -> None:
        type(self).seen.append(f"{self.command} {self.path} {self.headers}")
        self.send_response(403)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_CONNECT = _refuse

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    kind = type("One", (Spy,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", kind.seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_this_machine_is_never_reached_through_a_proxy(
    tmp_path: Path, spy: tuple[str, list[str]], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, spy[0])
    with running_demo(tmp_path / "server", duration=0.01) as demo:
        for url in (demo.base_url, demo.base_url.replace("127.0.0.1", "127.1")):
            gateway = Gateway(Profile(base_url=url), key=CANARY)
            made = await gateway.create(source(tmp_path, 2))
            with pytest.raises(BatchtuiError):
                await gateway.results(f"{made.id}x")
            await gateway.close()
        gateway = Gateway(Profile(base_url=demo.base_url.replace("127.0.0.1", "localhost.")), key=CANARY)
        with contextlib.suppress(NoNetwork):  # Not every resolver knows the name.
            await gateway.page()
        await gateway.close()
    assert spy[1] == []


async def test_the_system_s_proxies_are_judged_too(
    tmp_path: Path, spy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"http": spy[0], "https": spy[0]})
    with running_demo(tmp_path / "server") as demo:
        gateway = Gateway(Profile(base_url=demo.base_url), key=CANARY)
        await gateway.page()
        await gateway.close()
    with pytest.raises(InputError, match="unencrypted through the proxy"):
        await Gateway(Profile(base_url="http://10.9.8.7", allow_http=True), key=CANARY).ready()
    assert spy[1] == []


async def test_a_proxy_that_can_read_the_key_needs_a_word_of_the_profile(
    spy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", spy[0])
    url = "http://batchtui-elsewhere.invalid"
    with pytest.raises(InputError, match="unencrypted through the proxy") as caught:
        await Gateway(Profile(base_url=url, allow_http=True), key=CANARY).page()
    assert "allow_http_proxy" in caught.value.advice and spy[1] == []
    gateway = Gateway(Profile(base_url=url, allow_http=True, allow_http_proxy=True), key=CANARY)
    for call in (gateway.page, lambda: gateway.results("msgbatch_x")):
        with pytest.raises(ServiceError):
            await call()
    await gateway.close()
    assert len(spy[1]) == 2 and all(CANARY in each for each in spy[1]), "both clients go the way that was allowed"


async def test_a_tunnel_that_is_refused_is_no_unconfirmed_batch(
    tmp_path: Path, spy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", spy[0].replace("//", "//me:pass-word-of-mine@"))
    gateway = Gateway(Profile(base_url="https://batchtui-elsewhere.invalid"), key=CANARY)
    with pytest.raises(NoNetwork, match="proxy") as caught:
        await gateway.create(source(tmp_path, 2))
    assert not caught.value.sent
    with pytest.raises(NoNetwork):
        await gateway.results("msgbatch_x")
    await gateway.close()
    assert len(spy[1]) == 2 and all(each.startswith("CONNECT") and CANARY not in each for each in spy[1])


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://", "http://[::1", "http://host:99999", "ftp://x:1"])
async def test_a_proxy_that_is_no_address_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(InputError, match="proxy"):
        await Gateway(Profile(base_url="https://x.example"), key=CANARY).ready()


HERE = ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1", "127.255.255.254", "0x7f.0.0.1", "2130706433", "::1",
        "[::1]", "::ffff:127.0.0.1", "0.0.0.0", "::", "::1%lo"]  # fmt: skip
ELSEWHERE = ["localhost.example.com", "127.0.0.1.example.com", "example.com", "128.0.0.1", "::2", "10.0.0.1", "", "127",
             "localhost..", "1270.0.0.1", "mylocalhost", "fe80::1"]  # fmt: skip


@pytest.mark.parametrize("host", HERE)
def test_names_of_this_machine(host: str) -> None:
    assert proxies.is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_names_that_only_look_like_this_machine(host: str) -> None:
    assert not proxies.is_loopback(host)


@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [
        ("*", "https://a.example", True), ("a.example", "https://a.example", True), (".example", "https://a.example", True),
        ("*.example", "https://a.example", True), ("example", "https://a.example", True),
        ("ample", "https://a.example", False), ("b.example, a.example", "https://a.example", True),
        ("a.example:443", "https://a.example", True), ("a.example:8443", "https://a.example", False),
        ("https://a.example", "https://a.example", True), ("http://a.example", "https://a.example", False),
        ("10.0.0.0/8", "https://10.2.3.4", True), ("10.0.0.0/8", "https://11.2.3.4", False),
        ("10.2.3.4", "https://10.2.3.4", True), ("2001:db8::/32", "https://[2001:db8::7]", True),
        ("[2001:db8::7]", "https://[2001:db8::7]:9", True), ("2001:db8::8", "https://[2001:db8::7]", False),
        ("A.EXAMPLE", "https://a.example.", True), (",", "https://a.example", False), ("10.0.0.0/99", "https://10.2.3.4", False),
    ],
)  # fmt: skip
def test_no_proxy_in_every_form(entry: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", entry)
    assert proxies.proxy_for(url, allow_http=False) == (None if direct else "http://proxy.example:3128")


def test_credentials_that_the_sdk_exchanges_stay_off_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(InputError):
        proxies.check_exchange("http://127.0.0.1:1", allow_http=False)
    proxies.check_exchange("https://api.anthropic.com", allow_http=False)


def test_a_setting_of_config_toml_allows_it() -> None:
    from batchtui.config.load import parse_config

    config: Any = parse_config("[profiles.default]\nallow_http_proxy = true\n", Path("config.toml"))
    assert config.profile().allow_http_proxy and config.warnings == ()
