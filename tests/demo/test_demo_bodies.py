"""Bodies of a create: any valid JSON is taken, anything else is refused with the service's kind of sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_help import http, lines_of, params, requests, sdk, until_ended
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.demo.body_parser import BadBody, split
from demo_server import RunningDemo, running_demo

ODD = [
    {
        "custom_id": "nested",
        "params": params(metadata={"list": [{"custom_id": "x", "params": {}}, {"custom_id": "y", "params": {}}]}),
    },
    {"custom_id": "strings", "params": params('},{"custom_id":"fake","params":{}}] } \\" \\\\')},
    {"params": params("params first"), "custom_id": "turned"},
    {"custom_id": "unicode", "params": params("naïve \u2028 日本 \U0001f600")},
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with running_demo(tmp_path_factory.mktemp("demo"), max_requests=50, max_bytes=200_000) as running:
        yield running


def _send(demo: RunningDemo, body: bytes, *, chunked: bool = False) -> Any:
    headers = {"content-type": "application/json"}
    with http(demo) as client:
        content = iter([body[:7], body[7:]]) if chunked else body
        return client.post("/v1/messages/batches", content=content, headers=headers)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "form",
    [
        lambda wanted: json.dumps({"requests": wanted}, separators=(",", ":")),
        lambda wanted: json.dumps({"requests": wanted}, indent=2),
        lambda wanted: json.dumps({"requests": wanted}, indent="\t", ensure_ascii=False) + "\r\n ",
        lambda wanted: " \n" + '{"requests" :[' + ",\n".join(json.dumps(each) for each in wanted) + "]}",
        lambda wanted: (
            '{"requests":['
            + " ,".join(json.dumps(each) if n % 2 else json.dumps(each, indent=1) for n, each in enumerate(wanted))
            + "]}"
        ),
    ],
)
def test_every_form_of_json_is_taken(demo: RunningDemo, form: Any, chunked: bool) -> None:
    wanted = ODD + requests("a", "b")
    reply = _send(demo, form(wanted).encode(), chunked=chunked)
    assert reply.status_code == 200, reply.text
    batch = until_ended(sdk(demo), reply.json()["id"])
    assert batch.request_counts.succeeded + batch.request_counts.errored + batch.request_counts.expired == len(wanted)
    assert {line["custom_id"] for line in lines_of(demo, batch.id)} == {each["custom_id"] for each in wanted}


GOOD = '{"custom_id":"a","params":{}}'


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "empty"),
        ("[]", "expected '{'"),
        ("{}", "requests: Field required"),
        ('{"requests":[]}', "at least 1 item"),
        ('{"requests":{}}', "valid list"),
        ('{"requests":[' + GOOD + "]", "not valid JSON"),
        ('{"requests":[' + GOOD + ",]}", "not valid JSON"),
        ('{"requests":[' + GOOD + "]} x", "trailing"),
        ('{"requests":[' + GOOD + '],"model":"x"}', "model: Extra inputs"),
        ('{"requests":[' + GOOD + '],"requests":[' + GOOD + "]}", "twice"),
        ('{"requests":[' + GOOD + "," + GOOD + "]}", "requests.1.custom_id: duplicate"),
        ('{"requests":[{"custom_id":"a b","params":{}}]}', "should match pattern"),
        ('{"requests":[{"custom_id":"","params":{}}]}', "should match pattern"),
        ('{"requests":[{"custom_id":"' + "x" * 65 + '","params":{}}]}', "should match pattern"),
        ('{"requests":[{"custom_id":"a\\n","params":{}}]}', "should match pattern"),
        ('{"requests":[{"custom_id":7,"params":{}}]}', "custom_id: Input should be a valid string"),
        ('{"requests":[{"params":{}}]}', "custom_id: Field required"),
        ('{"requests":[{"custom_id":"a"}]}', "params: Field required"),
        ('{"requests":[{"custom_id":"a","params":[]}]}', "params: Input should be a valid dictionary"),
        ('{"requests":[{"custom_id":"a","params":{},"model":"x"}]}', "requests.0.model: Extra inputs"),
        ('{"requests":["a"]}', "requests.0: Input should be a valid dictionary"),
        ('{"requests":[' + GOOD + ',{"custom_id":"b","params":{"x":}}]}', "not valid JSON"),
        ('{"requests":[' + ",".join(GOOD.replace('"a"', f'"a{n}"') for n in range(51)) + "]}", "at most 50 items"),
    ],
)
def test_a_bad_envelope_fails_the_whole_create(demo: RunningDemo, body: str, says: str) -> None:
    before = demo.stats()["creates"]
    reply = _send(demo, body.encode())
    assert reply.status_code == 400
    assert says in reply.json()["error"]["message"]
    assert demo.stats()["creates"] == before


def test_bad_utf8_and_other_content_types_are_refused(demo: RunningDemo) -> None:
    bad = GOOD.encode().replace(b"{}}", b'{"x":"\xff"}}')
    assert _send(demo, b'{"requests":[' + bad + b"]}").status_code == 400
    with http(demo) as client:
        assert (
            client.post("/v1/messages/batches", content=b"{}", headers={"content-type": "text/plain"}).status_code
            == 400
        )


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413_and_leaves_nothing_behind(demo: RunningDemo, chunked: bool) -> None:
    body = json.dumps({"requests": requests("a", system="x" * 250_000)}).encode()
    reply = _send(demo, body, chunked=chunked)
    assert reply.status_code == 413
    assert reply.json()["error"]["type"] == "request_too_large"
    assert not [folder for folder in demo.demo.store.root.iterdir() if folder.name.startswith(".new")]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["custom_id", "params", "a", '"},{"']), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    values=st.lists(
        st.dictionaries(st.sampled_from(["custom_id", "params", "x"]), json_values, max_size=3), min_size=1, max_size=6
    ),
    indent=st.sampled_from([None, 0, 3, "\t"]),
    glue=st.sampled_from([",", ", ", " ,\n", "\r\n,\t"]),
    turned=st.booleans(),
)
def test_the_splitter_finds_the_requests_a_parser_finds(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], indent: Any, glue: str, turned: bool
) -> None:
    wanted = [{"custom_id": f"r{n}", "params": value} for n, value in enumerate(values)]
    pieces = [
        json.dumps(dict(reversed(list(each.items()))) if turned else each, indent=indent, ensure_ascii=n % 2 == 0)
        for n, each in enumerate(wanted)
    ]
    body = ('{"requests": [' + glue.join(pieces) + "]}").encode()
    path = tmp_path_factory.getbasetemp() / "splitter-body"
    path.write_bytes(body)
    places = split(path, 100)
    found = [json.loads(body[start:end]) for start, end in zip(places[::2], places[1::2], strict=True)]
    assert found == wanted


@settings(deadline=None)
@given(body=st.binary(max_size=200) | st.text('{}[]",:requstcmdi_pa \\01', max_size=120).map(str.encode))
def test_the_splitter_refuses_anything_else_in_words(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "splitter-noise"
    path.write_bytes(body)
    with pytest.raises(BadBody):
        split(path, 100)


def test_a_cut_body_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    body = json.dumps({"requests": requests("a", "b")}).encode()
    path = tmp_path / "body"
    for end in range(0, len(body), 7):
        path.write_bytes(body[:end])
        with pytest.raises(BadBody):
            split(path, 100)


@pytest.mark.slow
def test_a_hundred_thousand_requests_of_250_megabytes_go_through(tmp_path: Path) -> None:
    text = "lorem ipsum dolor sit amet " * 88

    def body() -> Iterator[bytes]:
        yield b'{"requests":['
        for n in range(96_000):
            yield (b"," if n else b"") + json.dumps({"custom_id": f"r{n}", "params": params(text)}).encode()
        yield b"]}"

    with running_demo(tmp_path) as demo, http(demo) as client:
        reply = client.post(
            "/v1/messages/batches", content=body(), headers={"content-type": "application/json"}, timeout=120
        )
        assert reply.status_code == 200
        batch = until_ended(sdk(demo), reply.json()["id"])
        assert batch.request_counts.succeeded > 80_000
        with client.stream("GET", f"/v1/messages/batches/{batch.id}/results") as results:
            assert sum(piece.count(b"\n") for piece in results.iter_raw()) == 96_000


def test_a_large_batch_made_in_its_own_process_keeps_its_ids(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        wanted = requests(*(f"id-{n}" for n in range(2_500)))
        batch = sdk(demo).messages.batches.create(requests=wanted)
        until_ended(sdk(demo), batch.id)
        assert {line["custom_id"] for line in lines_of(demo, batch.id)} == {each["custom_id"] for each in wanted}
