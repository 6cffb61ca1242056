"""The gateway to the API: each call once, its reply taken in field by field, each field believed or left out.

A batch needs its id and its status; everything else may be refused without the rest.  What passes can be compared,
added to and written to a record without failing later.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from batchtui.api import call as calls
from batchtui.api import client, errors, redact
from batchtui.api import client as api_client
from batchtui.api.call import Call
from batchtui.api.download import Download, in_daemon
from batchtui.api.upload import SplicedBody
from batchtui.config.load import Profile
from batchtui.domain import times
from batchtui.domain.batch import Counts, RemoteBatch, RemotePage
from batchtui.domain.errors import BatchtuiError, StoreError, Unavailable, Unconfirmed, WrongKey
from batchtui.domain.model_rules import EFFORTS, THINKING
from batchtui.domain.plan import ModelInfo

if TYPE_CHECKING:
    import httpx2
    from anthropic import Anthropic, AsyncAnthropic

T = TypeVar("T")
_STATUSES = ("in_progress", "canceling", "ended")
MOST = 1_000_000_000
"""More of anything is not believed."""
_MOST_REQUESTS = 10_000_000
"""Nor are more requests in one batch: the limit is 100,000."""
_NULL = msgspec.Raw(b"null")


class BadReply(Exception):
    """A reply without what it can't do without."""


class _Batch(msgspec.Struct):
    id: msgspec.Raw = _NULL
    processing_status: msgspec.Raw = _NULL
    request_counts: msgspec.Raw = _NULL
    created_at: msgspec.Raw = _NULL
    expires_at: msgspec.Raw = _NULL
    ended_at: msgspec.Raw = _NULL
    cancel_initiated_at: msgspec.Raw = _NULL
    archived_at: msgspec.Raw = _NULL
    results_url: msgspec.Raw = _NULL


class _Page(msgspec.Struct):
    data: msgspec.Raw = _NULL
    has_more: msgspec.Raw = _NULL
    last_id: msgspec.Raw = _NULL


class _Counts(msgspec.Struct):
    processing: msgspec.Raw = _NULL
    succeeded: msgspec.Raw = _NULL
    errored: msgspec.Raw = _NULL
    canceled: msgspec.Raw = _NULL
    expired: msgspec.Raw = _NULL


class _Model(msgspec.Struct):
    id: msgspec.Raw = _NULL
    display_name: msgspec.Raw = _NULL
    max_input_tokens: msgspec.Raw = _NULL
    max_tokens: msgspec.Raw = _NULL
    lifecycle: msgspec.Raw = _NULL
    deprecated_at: msgspec.Raw = _NULL
    retires_at: msgspec.Raw = _NULL
    capabilities: msgspec.Raw = _NULL


class _Tokens(msgspec.Struct):
    input_tokens: msgspec.Raw = _NULL


def batch(raw: bytes | msgspec.Raw, secrets: tuple[str, ...] = ()) -> RemoteBatch:
    """One batch; raises BadReply without a usable id or status."""
    held = _decoded(raw, _Batch)
    batch_id = _id(held.id, secrets)
    status = _value(held.processing_status)
    if status not in _STATUSES:
        status = redact.text(status, secrets, 40)
    if batch_id is None or not status:
        raise BadReply
    return RemoteBatch(
        id=batch_id,
        processing_status=status,
        request_counts=_counts(held.request_counts),
        created_at=_time(held.created_at),
        expires_at=_time(held.expires_at),
        ended_at=_time(held.ended_at),
        cancel_initiated_at=_time(held.cancel_initiated_at),
        archived_at=_time(held.archived_at),
        has_results=isinstance(_value(held.results_url), str),
    )


def page(raw: bytes, secrets: tuple[str, ...] = ()) -> RemotePage:
    """A page of batches; entries that can't be read are counted.  Raises BadReply when it is no page."""
    held = _decoded(raw, _Page)
    entries = _list(held.data)
    found, refused = _each(entries, lambda entry: batch(entry, secrets))
    more = _value(held.has_more)
    # What is neither true nor false leaves open whether more follows, so it is asked for.
    return RemotePage(tuple(found), bool(more), _id(held.last_id, secrets), refused)


def models(raw: bytes, secrets: tuple[str, ...] = ()) -> tuple[ModelInfo, ...]:
    """The list of models, without entries that can't be read; raises BadReply when it is no list."""
    found, _ = _each(_list(_decoded(raw, _Page).data), lambda entry: _model(entry, secrets))
    return tuple(found)


def tokens(raw: bytes) -> int:
    """The answer of count_tokens; raises BadReply."""
    number = _number(_decoded(raw, _Tokens).input_tokens)
    if number is None:
        raise BadReply
    return number


def message(raw: bytes) -> bytes:
    """A message as received; raises BadReply when it is no JSON object."""
    _decoded(raw, dict[str, msgspec.Raw])
    return raw


def _model(raw: msgspec.Raw, secrets: tuple[str, ...]) -> ModelInfo:
    held = _decoded(raw, _Model)
    name = _value(held.id)
    if not isinstance(name, str) or not name or len(name) > 200 or redact.text(name, secrets, 200) != name:
        raise BadReply
    lifecycle, capabilities = _value(held.lifecycle), _value(held.capabilities)
    can = capabilities if isinstance(capabilities, dict) else {}
    return ModelInfo(
        id=name,
        display_name=redact.text(_value(held.display_name), secrets, 200),
        max_input_tokens=_number(held.max_input_tokens),
        max_tokens=_number(held.max_tokens),
        lifecycle=redact.text(lifecycle, secrets, 40) or "active",
        deprecated_at=_time(held.deprecated_at),
        retires_at=_time(held.retires_at),
        batch=_supported(can.get("batch")),
        thinking=_thinking(can.get("thinking")),
        efforts=_efforts(can.get("effort")),
        structured_outputs=_supported(can.get("structured_outputs")),
        image_input=_supported(can.get("image_input")),
        pdf_input=_supported(can.get("pdf_input")),
    )


def _supported(value: object) -> bool | None:
    """Whether a capability is there (``{"supported": …}``), None when that is not told."""
    told = value.get("supported") if isinstance(value, dict) else value
    return told if isinstance(told, bool) else None


def _thinking(value: object) -> dict[str, bool]:
    """The types of thinking that are told of."""
    types = value.get("types") if isinstance(value, dict) else None
    told = {kind: _supported(types.get(kind)) for kind in THINKING} if isinstance(types, dict) else {}
    return {kind: each for kind, each in told.items() if each is not None}


def _efforts(value: object) -> tuple[str, ...] | None:
    """The efforts a model takes, none when it takes no effort; None when that is not told."""
    if _supported(value) is False:
        return ()
    told = {effort: _supported(value.get(effort)) for effort in EFFORTS} if isinstance(value, dict) else {}
    if all(each is None for each in told.values()):
        return None
    return tuple(effort for effort, each in told.items() if each)


def _decoded(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadReply from None


def _value(raw: msgspec.Raw) -> Any:
    """A field as it is, None when it can't be read."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    if bytes(memoryview(raw)[:1]) != b"[":
        # Nothing is not the same as an empty list.
        raise BadReply
    return _decoded(raw, list[msgspec.Raw])


def _each(entries: list[msgspec.Raw], read: Callable[[msgspec.Raw], T]) -> tuple[list[T], int]:
    found: list[T] = []
    for entry in entries:
        try:
            found.append(read(entry))
        except BadReply:
            continue
    return found, len(entries) - len(found)


def _id(raw: msgspec.Raw, secrets: tuple[str, ...]) -> str | None:
    value = _value(raw)
    return value if client.is_id(value) and not redact.holds(value, secrets) else None


def _time(raw: msgspec.Raw) -> Any:
    return times.read_time(_value(raw))


def _number(raw: msgspec.Raw, most: int = MOST) -> int | None:
    value = _value(raw)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def _counts(raw: msgspec.Raw) -> Counts:
    """The counts, all 0 when one of them can't be believed: a sum of the others would be wrong."""
    try:
        held = _decoded(raw, _Counts)
    except BadReply:
        return Counts()
    told = {name: getattr(held, name) for name in held.__struct_fields__}
    numbers = {name: 0 if value == _NULL else _number(value, _MOST_REQUESTS) for name, value in told.items()}
    if any(number is None for number in numbers.values()):
        return Counts()
    return Counts(**{name: number or 0 for name, number in numbers.items()})


log = logging.getLogger("batchtui")
BATCHES = "/v1/messages/batches"
_CREATE_TIMEOUT = 600.0
_TOTAL = 90.0
"""Seconds a whole call may take, however steadily its reply comes; results are measured by their progress instead."""
_UPLOAD_STALL = 300.0
"""Seconds in which a piece of an upload (``upload.PIECE`` bytes) has to get away."""


class Gateway:
    """One profile's way to the API.  Methods raise errors of domain.errors only."""

    def __init__(self, profile: Profile, *, key: str = "", shown_url: str = "") -> None:
        """``key`` and ``shown_url`` are the demo's: a key of no worth, and a name for a server whose port changes."""
        self.profile = profile
        self.is_demo = bool(key)
        self._given_url = profile.base_url.strip()
        self._shown_url = shown_url
        self._given_key = key
        self._client: AsyncAnthropic | None = None
        self._receiver: Anthropic | None = None
        """The same for results, which a thread receives; made when the first come."""
        self._make_receiver: Callable[[], Anthropic]
        self._building = threading.Lock()
        self._secrets: tuple[str, ...] = ()
        self.clock_offset: float | None = None
        """Seconds the API's clock is ahead of ours, by its last reply; None before one came."""
        self.organization = ""
        """The organization that the last reply named; "" before one did."""
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def base_url(self) -> str:
        """Where calls go, without user or password; "" before the first call when nothing says so."""
        if self._shown_url:
            return self._shown_url
        if self._client is not None:
            return api_client.public_url(str(self._client.base_url))
        return api_client.public_url(self._given_url or api_client.default_base_url())

    @property
    def url_known(self) -> bool:
        """False until the client is built when nothing else says where calls go: one of the SDK's profiles may."""
        return bool(self._shown_url or self._client or self._given_url or api_client.default_base_url())

    def key_mark(self, salt: bytes) -> str:
        """8 bytes in hexadecimal that tell this key and workspace from others; "" for a key that is not known or changes.

        The key can't be had from it; without the salt it can't even be compared.
        """
        client = self._client
        secret = client and (client.api_key or client.auth_token)
        if client is None or not secret:
            return ""
        workspace = str(client.default_headers.get("anthropic-workspace-id") or "")
        return hashlib.blake2b(f"{secret}\0{workspace}".encode(), key=salt[:64], digest_size=8).hexdigest()

    async def ready(self) -> None:
        """Build the client off the loop and see that there is a key; raises NoKey, InputError, ServiceError."""
        if self._client is None:
            await asyncio.to_thread(self._build_once)

    def _build_once(self) -> None:
        # Calls come together at the start, and a key's command must not ask the person twice.
        with self._building:
            if self._client is None:
                made = api_client.build(self.profile, self._given_url, self._given_key)
                self._secrets, self._make_receiver, self._receiver = made.secrets, made.receiver, None
                self._client = made.sender

    def translated(self, error: BaseException, call: Call | None = None) -> BatchtuiError:
        """Our error for whatever the SDK or the connection raised, without secrets."""
        return errors.translate(error, self._secrets, call.sent if call is not None else None)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        options: dict[str, Any] | None = None,
        content: Any = None,
        body: Any = None,
        most: int = calls.ONE_MOST,
        total: float | None = None,
        limit: asyncio.Timeout | None = None,
    ) -> httpx2.Response:
        """One call, its reply read whole within ``total`` seconds; ``limit`` is a deadline that the caller moves."""
        await self.ready()
        client = self._client
        assert client is not None
        import httpx2

        more: dict[str, Any] = {}
        if content is not None:
            more["content"] = content
        elif body is not None:
            more["body"] = body
        send: Any = {"GET": client.get, "DELETE": client.delete, "POST": client.post}[method]
        call = Call(most)
        until = limit or asyncio.timeout(total or _TOTAL)

        async def ask() -> httpx2.Response:
            async with until:
                reply: httpx2.Response = await send(path, cast_to=httpx2.Response, options=options or {}, **more)
                return reply

        with calls.made(call):
            return await self._reply(f"{method} {path}", client, call, ask())

    async def _reply(
        self, name: str, client: AsyncAnthropic, call: Call, asked: Awaitable[httpx2.Response]
    ) -> httpx2.Response:
        log.debug("%s", name)
        try:
            response = await asked
            self.clock_offset = errors.clock_offset(response.headers, self.clock())
            self._heard(response.headers)
            return response
        except Exception as error:
            self._heard(getattr(getattr(error, "response", None), "headers", {}))
            ours = self.translated(error, call)
            if isinstance(ours, WrongKey) and ours.status == 401 and self._client is client:
                # A key that was revoked may have been replaced since: the next call asks for it anew.
                self._client = None
            log.debug("%s: %s", name, ours)
            raise ours from None

    def _heard(self, headers: Mapping[str, str]) -> None:
        told = redact.text(headers.get("anthropic-organization-id"), self._secrets, 80)
        self.organization = told or self.organization

    def _read(self, read: Callable[[bytes], T], response: httpx2.Response) -> T:
        """A reply taken in; raises Unavailable when it is not the API's."""
        try:
            return read(response.content)
        except BadReply:
            raise Unavailable(
                "the reply is not the API's"
                + (" (a web page came back)" if "html" in response.headers.get("content-type", "") else ""),
                advice=errors.PORTAL_ADVICE,
                status=response.status_code,
            ) from None

    def _batch(self, response: httpx2.Response, batch_id: str = "") -> RemoteBatch:
        """A reply about one batch, the one with ``batch_id`` if that is given; raises Unavailable."""
        remote = self._read(lambda raw: batch(raw, self._secrets), response)
        if batch_id and remote.id != batch_id:
            raise Unavailable(
                f"the reply is about another batch than {batch_id}",
                advice=errors.PORTAL_ADVICE,
                status=response.status_code,
            )
        return remote

    async def create(
        self,
        requests: Path,
        betas: tuple[str, ...] = (),
        on_sent: Callable[[int, int], None] | None = None,
        api_version: str = "",
    ) -> RemoteBatch:
        """Send a requests.jsonl as one batch, once; ``api_version`` "" is the profile's or the SDK's own.

        Raises Unconfirmed whenever the answer does not say plainly that nothing was created, and another error of the API
        when it does.
        """
        await self.ready()
        loop, limit = asyncio.get_running_loop(), asyncio.timeout(_UPLOAD_STALL)

        def moved(done: int, total: int) -> None:
            # Once it is all away, only the answer is waited for.
            limit.reschedule(loop.time() + (_UPLOAD_STALL if done + 1 < total else _CREATE_TIMEOUT))
            if on_sent is not None:
                on_sent(done, total)

        try:
            body = SplicedBody(requests, moved)
        except OSError as error:
            raise StoreError(
                f"can't read {requests}: {error.strerror or error}", advice="make the file readable; it is sent then"
            ) from error
        headers = {"content-type": "application/json", "content-length": str(body.length)}
        if betas:
            headers["anthropic-beta"] = ",".join(betas)
        if api_version:
            headers["anthropic-version"] = api_version
        options: dict[str, Any] = {
            "headers": headers,
            "max_retries": 0,
            "timeout": errors.timeout(_CREATE_TIMEOUT, api_client.CONNECT_TIMEOUT),
        }
        try:
            response = await self._send("POST", BATCHES, options=options, content=body, limit=limit)
            return self._batch(response)
        except BatchtuiError as error:
            if not error.sent or errors.nothing_made(error):
                raise
            raise Unconfirmed(
                f"no clear reply from the API: {error}",
                advice="batchtui checks whether the batch was created before it sends anything again",
            ) from None

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """One batch."""
        return self._batch(await self._send("GET", f"{BATCHES}/{api_client.path_id(batch_id)}"), batch_id)

    async def page(self, limit: int = 20, after_id: str | None = None) -> RemotePage:
        """One page of the workspace's batches, newest first; ``limit`` is 1 to 1000."""
        params: dict[str, Any] = {"limit": limit}
        if after_id:
            params["after_id"] = after_id
        response = await self._send("GET", BATCHES, options={"params": params}, most=calls.LIST_MOST)
        return self._read(lambda raw: page(raw, self._secrets), response)

    async def pages(self, first: int = 100, later: int = 1000) -> AsyncIterator[RemotePage]:
        """Page after page of the workspace's batches, until one is the last, or brings nothing new.

        ``first`` and ``later`` are the limits of the first page and of those that follow.  A last page whose ``has_more``
        is true did not end the list: what is not in it may exist all the same.
        """
        seen: set[str] = set()
        after: str | None = None
        for _ in range(calls.MOST_PAGES):
            page = await self.page(later if after else first, after)
            yield page
            new = {b.id for b in page.data} - seen
            after, before = page.last_id or (page.data[-1].id if page.data else None), after
            if not page.has_more or not new or after is None or after == before:
                return
            seen |= new

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for a batch to be canceled."""
        return self._batch(await self._send("POST", f"{BATCHES}/{api_client.path_id(batch_id)}/cancel"), batch_id)

    async def delete(self, batch_id: str) -> None:
        """Delete an ended batch at the API, its results with it."""
        await self._send("DELETE", f"{BATCHES}/{api_client.path_id(batch_id)}")

    async def results(self, batch_id: str, *, start: int = 0) -> Download:
        """Begin to receive results from byte ``start``; the caller closes the Download."""
        headers = {"X-Stainless-Raw-Response": "stream", "Accept": "application/binary"}
        if start:
            headers |= {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
        await self.ready()
        client = self._client
        assert client is not None
        path = f"{BATCHES}/{api_client.path_id(batch_id)}/results"
        call = Call(None)

        async def ask() -> httpx2.Response:
            # The thread ends by itself, at the latest with the name look-up that nothing interrupts.
            async with asyncio.timeout(_TOTAL + api_client.CONNECT_TIMEOUT):
                return await in_daemon(lambda: self._ask_for_results(path, headers, call), lambda late: late.close())

        response = await self._reply(f"GET {path}", client, call, ask())
        if "html" in response.headers.get("content-type", ""):
            response.close()
            raise Unavailable(
                "a web page came back instead of the results", advice=errors.PORTAL_ADVICE, status=response.status_code
            )
        return Download(response, self.translated)

    def _ask_for_results(self, path: str, headers: dict[str, str], call: Call) -> httpx2.Response:
        import httpx2

        with self._building:
            if self._receiver is None:
                self._receiver = self._make_receiver()
            client = self._receiver
        call.until = time.monotonic() + _TOTAL
        with calls.made(call):
            return client.get(path, cast_to=httpx2.Response, options={"headers": headers})

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models this key may use."""
        response = await self._send("GET", "/v1/models", options={"params": {"limit": 1000}}, most=calls.LIST_MOST)
        return self._read(lambda raw: models(raw, self._secrets), response)

    async def count_tokens(self, params: Mapping[str, Any]) -> int:
        """Input tokens of one request's params (free; an estimate)."""
        response = await self._send("POST", "/v1/messages/count_tokens", body=dict(params))
        return self._read(tokens, response)

    async def message(self, params: Mapping[str, Any], betas: tuple[str, ...] = ()) -> bytes:
        """Send one request's params to the plain Messages endpoint; the answer as received."""
        options: dict[str, Any] = {"timeout": errors.timeout(_CREATE_TIMEOUT, api_client.CONNECT_TIMEOUT)}
        if betas:
            options["headers"] = {"anthropic-beta": ",".join(betas)}
        response = await self._send(
            "POST",
            "/v1/messages",
            options=options,
            body=dict(params),
            most=calls.MESSAGE_MOST,
            total=_CREATE_TIMEOUT + _TOTAL,
        )
        return self._read(message, response)

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.close()
        if client is not None:
            await client.close()
