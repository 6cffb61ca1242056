"""Templates that run away: stopped by the process's limits or by its watch, named, and the rest goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

import batchtui
from batchtui.domain.errors import Stopped
from batchtui.domain.plan import Plan
from batchtui.domain.work import Progress, Work
from batchtui.intake import template_process, template_protocol
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from batchtui.intake.preview import Previewer
from batchtui.intake.renderer import MAX_LIMIT_FAULTS
from batchtui.intake.template_process import Died, TemplateProcess
from tests.intake.helpers import PRICES, group, plan_of, staged
from tests.preloaded import FORKING, VERB, Child
from tests.until import until

HEAD = 'model = "claude-opus-5"\nmax_tokens = 5\n'
SRC = Path(batchtui.__file__).parents[1]
DEEP = (
    "{% set ns = namespace(a=[1], b=[1]) %}"
    "{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}"
)
IN_C = DEEP + "{% if ns.a == ns.b %}{% endif %}"
"""One call that ends no sooner than a minute, and lets no signal handler run."""
QUICK = [
    "{% set a %}{{ text }}{{ text }}{% endset %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 60 + "{{ a }}",
    "{% macro m0() %}x{% endmacro %}"
    + "".join(f"{{% macro m{n + 1}() %}}{{{{ m{n}() }}}}{{{{ m{n}() }}}}{{% endmacro %}}" for n in range(60))
    + "{{ m60() }}",
    "{{ (5).to_bytes(9000000000, 'big')|length }}",
    "{% set big = 'a b ' * 7000000 %}{% for i in range(9999) %}{% set x = big|title %}{% endfor %}",
    "{% set big = 'é' * 9000000 %}{{ big|urlencode|urlencode|urlencode|urlencode|length }}",
    DEEP + "{{ ns.a|tojson|length }}",
]
SLOW = [
    "{{ 1|round(900000000, 'ceil') }}",
    IN_C,
    "{{ 'x'|center(3000000000) }}",
    "{{ '%3000000000d' % 1 }}",
    "{{ range(99999)|map('string')|list|sort(reverse=true)|join('-' * 99999)|length }}",
    "{{ text|wordwrap(1)|indent(999999999) }}",
    "{{ [text] * 3000000000 }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% if j %}{% endif %}{% endfor %}{% endfor %}",
    "{{ 3 ** (9 ** 9) }}",
    "{{ ('a' * 30000000)|replace('a', 'b' * 1000)|length }}",
    "{{ ('a' * 30000000)|list|groupby(0)|list|length }}",
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are reached sooner."""
    monkeypatch.setattr(template_protocol, "MAX_SECONDS", 0.5)
    monkeypatch.setattr(template_protocol, "READ_SECONDS", 0.5)
    monkeypatch.setattr(template_process, "SILENCE", 120.0)


IMPATIENT = (
    "from batchtui.intake import template_protocol as limits\nlimits.MAX_SECONDS = limits.READ_SECONDS = 1.0\n" + VERB
)


def toml(prompt: str) -> str:
    return HEAD + f"prompt = {json.dumps(prompt)}\n"


def render(tmp_path: Path, prompt: str, rows: int, *, skip_bad: bool = False, **how: Any) -> Plan:
    (tmp_path / "in.csv").write_text("id,text\n" + "".join(f"{n},hello {n}\n" for n in range(1, rows + 1)))
    options = IntakeOptions(template_text=toml(prompt), skip_bad=skip_bad)
    return make_plan([str(tmp_path / "in.csv")], options, prices=PRICES, staging=tmp_path / "s", **how)


forks: list[Child] = []
"""The processes that a test started without an interpreter's start."""


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where not the start of a process is tested, but what becomes of it."""

    def start(*command: Any, **how: Any) -> Child:
        forks.append(FORKING.Popen(*command, **how))
        return forks[-1]

    monkeypatch.setattr(template_process, "subprocess", SimpleNamespace(**{**vars(FORKING), "Popen": start}))
    yield
    forks.clear()


def children() -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        found += [psutil.Process(each.pid) for each in forks if each.poll() is None]
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if each.status() != psutil.STATUS_ZOMBIE and template_process.WORKER in each.cmdline():
                found.append(each)
    return found


def gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


@pytest.mark.parametrize("prompt", [*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)])
@pytest.mark.usefixtures("impatient", "forked")
def test_what_runs_away_is_stopped_and_named_with_its_row(tmp_path: Path, prompt: str) -> None:
    plan = render(tmp_path, "{% if row_number == 2 %}" + prompt + "{% endif %}{{ text }}", 3, skip_bad=True)
    found = group(plan, "template_limit")
    assert [each.where for each in found.first] == [f"{tmp_path}/in.csv:3"]
    assert " in prompt" in found.message
    assert [each["custom_id"] for each in staged(plan)] == ["1", "3"]
    assert plan.skipped == 1
    assert not children()


@pytest.mark.usefixtures("impatient", "forked")
def test_one_call_that_never_ends_costs_its_row_and_a_process(tmp_path: Path) -> None:
    plan = render(tmp_path, "{% if row_number == 700 %}" + IN_C + "{% endif %}{{ text }}", 1_000, skip_bad=True)
    found = group(plan, "template_limit")
    assert [each.where for each in found.first] == [f"{tmp_path}/in.csv:701"]
    assert "takes longer than 0.5 s in prompt" in found.message
    assert [each["custom_id"] for each in staged(plan)] == [str(n) for n in range(1, 1001) if n != 700]


@pytest.mark.usefixtures("impatient", "forked")
def test_a_template_that_always_runs_away_is_given_up(tmp_path: Path) -> None:
    plan = render(tmp_path, "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", 5_000)
    assert plan.errors == MAX_LIMIT_FAULTS + 1
    assert "the rest is not read" in plan.problems[-1].message


@pytest.mark.slow
@pytest.mark.usefixtures("impatient", "forked")
def test_a_template_that_always_ends_its_process_is_given_up(tmp_path: Path) -> None:
    plan = render(tmp_path, IN_C, 5_000)
    assert plan.errors == MAX_LIMIT_FAULTS + 1


@pytest.mark.usefixtures("forked")
def test_the_line_of_the_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,a\n")
    text = HEAD + 'prompt = """\n{{ text }}\n{{ nothing }}\n"""\nsystem = "{{ 1 / 0 }}"\n'
    plan = plan_of(tmp_path / "in.csv", template_text=text)
    assert "in system (line 7 of the template)" in group(plan, "template_row").message
    plan = plan_of(tmp_path / "in.csv", template_text=text.replace("1 / 0", "nothing"))
    assert "in system (line 7 of the template): the row has" in group(plan, "template_undefined").message


@pytest.mark.usefixtures("forked")
def test_loops_in_loops_that_python_refuses_are_named(tmp_path: Path) -> None:
    deep = "{% for a in [1] %}" * 30 + "x" + "{% endfor %}" * 30
    plan = render(tmp_path, deep, 2)
    assert not plan.ok
    assert "nested too deeply" in group(plan, "template").message
    for text in (
        "{{ " + "(" * 100_000 + ")" * 100_000 + " }}",
        "{% if x %}" * 5_000,
        "{{ 1" + " + 1" * 100_000 + " }}",
    ):
        plan = render(tmp_path, text, 1)
        assert not plan.ok
        assert plan.problems[0].code.startswith("template")


@pytest.mark.usefixtures("forked")
def test_a_process_that_is_killed_from_outside_loses_no_row(tmp_path: Path) -> None:
    killed = threading.Event()

    def kill(progress: Progress) -> None:
        for each in children() if progress.done and not killed.is_set() else ():
            each.kill()
            killed.set()

    plan = render(tmp_path, "{{ text }}", 30_000, work=Work(kill))
    assert killed.is_set()
    assert plan.ok
    assert [each["custom_id"] for each in staged(plan)] == [str(n) for n in range(1, 30_001)]


@pytest.mark.usefixtures("forked")
def test_stopping_ends_the_process(tmp_path: Path) -> None:
    stop = threading.Event()
    timer = threading.Thread(target=lambda: (until(children), stop.set()))
    timer.start()
    slow = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(Stopped):
        render(tmp_path, slow, 50, work=Work(stop=stop))
    timer.join()
    assert not children()


def test_silence_and_nonsense_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    process = TemplateProcess()
    try:
        process.compile(toml("{{ text }}"))
        [child] = children()
        child.suspend()
        monkeypatch.setattr(template_process, "SILENCE", 0.1)
        process.send(1, [b"\x80"])
        with pytest.raises(Died, match="takes longer"):
            process.answers()
        assert gone(child)
    finally:
        process.close()


def test_memory_is_watched_where_the_system_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert template_process.resident(os.getpid()) > 1_000_000
    process = TemplateProcess()
    try:
        process.compile(toml("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"))
        monkeypatch.setattr(template_protocol, "MAX_MEMORY", 1_000_000)
        process.send(1, [b"\x80"])
        with pytest.raises(Died, match="of memory"):
            process.answers()
    finally:
        process.close()


def test_it_has_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "WORK_ANTHROPIC_KEY", "OPENAI_API_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "sk-secret")
    process = TemplateProcess()
    try:
        process.compile(toml("{{ text }}"))
        [child] = children()
        assert "sk-secret" not in child.environ().values()
    finally:
        process.close()


def test_a_preview_keeps_its_process_and_the_last_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    previewer = Previewer()
    slow = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

    def show(prompt: str) -> object:
        options = IntakeOptions(template_text=toml(prompt))
        return previewer.preview({"text": "hello"}, 1, options, prices=PRICES)

    try:
        assert show("{{ text }}")
        [first] = children()
        assert show("{{ text }}!")
        assert children() == [first]
        monkeypatch.setattr(template_protocol, "MAX_SECONDS", 600.0)
        found: list[object] = []
        thread = threading.Thread(target=lambda: found.append(show(slow)))
        thread.start()
        until(lambda: first.cpu_times().user > 0.4 or gone(first))
        assert show("{{ text }}?")
        thread.join()
        assert found == [None]
    finally:
        previewer.close()
    assert not children()
    assert show("{{ text }}") is None


# --- from the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[list[str]]:
    (tmp_path / "in.csv").write_text("id,text\n1,hello\n2,world\n")
    (tmp_path / "t.toml").write_text(toml("{{ text }}"))
    (tmp_path / "slow.toml").write_text(toml(IN_C))
    yield ["check", str(tmp_path / "in.csv"), "--json", "--data-dir", str(tmp_path / "data"), "--template"]


def shell(script: str, sources: list[str], template: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "batchtui", *sources, str(template)]
    return subprocess.run(command, capture_output=True, env={**os.environ, **env}, check=False, timeout=120)


@pytest.mark.parametrize("script", ['"$@" <&- >"$OUT" 2>&-', 'nohup "$@" >"$OUT" 2>/dev/null </dev/null'])
def test_it_needs_no_streams_of_its_parent(tmp_path: Path, sources: list[str], script: str) -> None:
    done = shell(script, sources, tmp_path / "t.toml", OUT=str(tmp_path / "out"))
    assert done.returncode == 0
    assert json.loads((tmp_path / "out").read_bytes())["requests"] == 2


def test_it_starts_from_a_path_with_a_space(tmp_path: Path, sources: list[str]) -> None:
    odd = tmp_path / "my library é"
    odd.mkdir()
    (odd / "batchtui").symlink_to(SRC / "batchtui")
    done = shell('"$@"', sources, tmp_path / "t.toml", PYTHONPATH=str(odd))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["requests"] == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_stays_when_its_parent_is_gone(tmp_path: Path, sources: list[str], how: int) -> None:
    command = [sys.executable, "-c", IMPATIENT, *sources, str(tmp_path / "slow.toml")]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: psutil.Process(parent.pid).children())
        [child] = psutil.Process(parent.pid).children()
        until(lambda: child.cpu_times().user > 0.3)
        parent.send_signal(how)
        assert parent.wait() in (-how, 130)
        until(lambda: gone(child))
    finally:
        parent.kill()
        parent.wait()
