"""The key is in no file, no output, no argument and no request to another host; what is written is private."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from batchtui.api.gateway import Gateway
from batchtui.config.load import Profile
from batchtui.domain.errors import BatchtuiError, InputError, NoKey, ServiceError
from tests.cli.calling import program
from tests.demo_server import running_demo
from tests.service.harness import source

CANARY = "sk-canary-7f3e9a-bird"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers every call with an error that holds all headers it got; redirects when told to."""

    seen: ClassVar[list[tuple[str, dict[str, str]]]] = []
    status = 400
    location = ""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        type(self).seen.append((self.path, dict(self.headers)))
        key = self.headers.get("x-api-key") or self.headers.get("authorization") or "none"
        said = f"{key} {dict(self.headers)}"
        body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": said}}).encode()
        self.send_response(self.status)
        if self.location:
            self.send_header("location", self.location + self.path)
        self.send_header("request-id", key)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def echo(status: int = 400, location: str = "") -> Iterator[tuple[str, type[Echo]]]:
    kind = type("One", (Echo,), {"seen": [], "status": status, "location": location})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", kind
    finally:
        server.shutdown()
        server.server_close()


def files_with(root: Path, word: str) -> list[Path]:
    return [p for p in root.rglob("*") if p.is_file() and word.encode() in p.read_bytes()]


FAULTS = [
    "status:401@list*1",
    "drop@create*1",
    "html@retrieve*1",
    "redirect@list*1",
    "tear@results*1",
    "foreign-url@retrieve",
]


@pytest.mark.parametrize(
    "way",
    [
        "variable",
        "api_key_command",
        pytest.param("api_key_env", marks=pytest.mark.slow),
        pytest.param("bearer", marks=pytest.mark.slow),
    ],
)
def test_the_key_is_nowhere_after_a_run_through_faults(tmp_path: Path, own_folders: Path, way: str) -> None:
    config = own_folders / "config"
    config.mkdir(mode=0o700)
    env = {"variable": {"ANTHROPIC_API_KEY": CANARY}, "bearer": {"ANTHROPIC_AUTH_TOKEN": CANARY}}.get(way, {})
    keys = {"api_key_env": 'api_key_env = "MY_KEY"', "api_key_command": 'api_key_command = "printenv MY_KEY"'}.get(
        way, ""
    )
    env = env or {"MY_KEY": CANARY}
    (config / "config.toml").write_text(f"[profiles.default]\n{keys}\n")
    log = own_folders / "debug.log"
    with running_demo(tmp_path / "server", faults=FAULTS, duration=0.05) as demo, echo() as (elsewhere, kind):
        demo.set_faults([*FAULTS[:-1], f"foreign-url:{elsewhere}@retrieve"])
        env |= {"ANTHROPIC_BASE_URL": demo.base_url}
        said = [program("submit", source(own_folders, 5), "--json", "--log", log, env=env)]
        for _ in range(100):
            said.append(program("sync", "--json", "--log", log, env=env))
            if (
                said[-1].code in (0, 1)
                and not said[-1].json["unconfirmed"]
                and program("list", "--json", env=env).json[0]["results"] == "stored"
            ):
                break
            time.sleep(0.02)
        said.append(program("show", "last", env=env))
        said.append(program("doctor", env=env))
        assert demo.stats()["creates"] == 1
        assert kind.seen == [], "results_url on another host was contacted"
    assert b"results      downloaded" in said[-2].out, said
    assert all(CANARY not in each.err and CANARY.encode() not in each.out for each in said)
    assert files_with(own_folders, CANARY) == []
    assert log.read_text() and stat.S_IMODE(log.stat().st_mode) == 0o600
    data = own_folders / "data"
    for path in data.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, (path, oct(path.stat().st_mode))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
async def test_an_error_that_echoes_the_key_is_told_without_it(tmp_path: Path, status: int) -> None:
    body = tmp_path / "requests.jsonl"
    body.write_bytes(b"{}\n")
    with echo(status) as (url, kind):
        gateway = Gateway(Profile(base_url=url), key=CANARY)
        for call in (gateway.page, lambda: gateway.retrieve("x"), lambda: gateway.create(body), lambda: gateway.results("x"),
                     gateway.models, lambda: gateway.message({}), lambda: gateway.count_tokens({}),
                     lambda: gateway.cancel("x")):  # fmt: skip
            with pytest.raises(ServiceError) as caught:
                await call()
            seen: BaseException | None = caught.value
            while seen is not None:
                told = f"{seen!r} {seen} {getattr(seen, 'advice', '')} {getattr(seen, 'request_id', '')} {vars(seen)}"
                assert CANARY not in told
                seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
        await gateway.close()
    assert all(CANARY in str(headers) for _, headers in kind.seen) and len(kind.seen) == 8


async def test_custom_headers_and_a_url_password_are_not_told_either(monkeypatch: pytest.MonkeyPatch) -> None:
    with echo() as (url, _):
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"authorization: Bearer {CANARY}")
        gateway = Gateway(Profile(base_url=url.replace("//", f"//me:{CANARY}-pass@")))
        with pytest.raises(ServiceError) as caught:
            await gateway.page()
        await gateway.close()
        assert CANARY not in str(caught.value)
        assert CANARY not in gateway.base_url


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_never_followed(tmp_path: Path, status: int) -> None:
    body = tmp_path / "requests.jsonl"
    body.write_bytes(b"{}\n")
    with echo() as (elsewhere, other), echo(status, elsewhere) as (url, _):
        gateway = Gateway(Profile(base_url=url), key=CANARY)
        for call in (gateway.page, lambda: gateway.create(body), lambda: gateway.results("x")):
            with pytest.raises(ServiceError):
                await call()
        await gateway.close()
    assert other.seen == []


@pytest.mark.parametrize(
    "url",
    ["http://example.com", "http://10.0.0.1:80", "http://localhost.example.com", "ftp://x", "http://", "nonsense"],
)
async def test_plain_http_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        await Gateway(Profile(base_url=url), key=CANARY).ready()
    if url.startswith("http://e"):
        await Gateway(Profile(base_url=url, allow_http=True), key=CANARY).ready()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost", "http://[::1]:2", "https://example.com"])
async def test_loopback_and_https_are_fine(url: str) -> None:
    await Gateway(Profile(base_url=url), key=CANARY).ready()


@pytest.mark.parametrize("command", ["exit 3", "true", "echo a; echo b", "printf '\\377\\376'", "no-such-command-here"])
async def test_a_command_that_gives_no_key_is_said_without_its_output(command: str) -> None:
    with pytest.raises(NoKey) as caught:
        await Gateway(Profile(api_key_command=f"echo {CANARY} >&2; {command}")).ready()
    assert CANARY not in str(caught.value) + caught.value.advice


async def test_a_key_that_was_replaced_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_demo(tmp_path) as demo:
        monkeypatch.setenv("MY_KEY", "sk-revoked-key")
        gateway = Gateway(Profile(base_url=demo.base_url, api_key_env="MY_KEY"))
        with pytest.raises(ServiceError):
            await gateway.page()
        monkeypatch.setenv("MY_KEY", "sk-good")
        assert (await gateway.page()).data == ()
        await gateway.close()


def test_the_key_is_not_in_the_arguments_of_any_process_of_ours(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["hang@create"]) as demo:
        env = {**os.environ, "ANTHROPIC_BASE_URL": demo.base_url, "ANTHROPIC_API_KEY": CANARY}
        child = subprocess.Popen(
            [sys.executable, "-m", "batchtui", "submit", str(source(tmp_path, 2))], env=env, stderr=subprocess.PIPE
        )
        try:
            while not demo.demo.calls["create"]:
                assert child.poll() is None
                time.sleep(0.02)
            for where in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    assert CANARY.encode() not in where.read_bytes()
        finally:
            child.kill()
            child.communicate()


def test_an_unexpected_error_shows_no_locals(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom batchtui.cli.output import guarded\n"
        f"def run():\n    key = {CANARY[:9]!r} + {CANARY[9:]!r}\n    raise RuntimeError('odd')\nsys.exit(guarded(run))\n"
    )
    said = program(code=code)
    assert said.code == 3 and "RuntimeError\n" in said.err and "odd" not in said.err and CANARY not in said.err


@pytest.mark.parametrize("name", ["results.jsonl.part", "batch.json", "results.jsonl"])
async def test_a_symlink_in_the_place_of_a_file_of_ours_is_not_followed(tmp_path: Path, name: str) -> None:
    from tests.service.harness import plan_of, service_on

    outside = tmp_path / "outside"
    outside.write_text("precious")
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 3)))
        place = service.history.folder(record.local_id) / name
        place.unlink(missing_ok=True)
        place.symlink_to(outside)
        with contextlib.suppress(BatchtuiError):
            for _ in range(3):
                await service.sync()
        await service.close()
    assert outside.read_text() == "precious"
