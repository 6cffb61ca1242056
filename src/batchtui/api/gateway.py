"""The service's calls as our values, its errors as ours.

Every call is made once (``max_retries=0``): the SDK has no idempotency key, so one of its own retries of a create could
make a second paid batch, and all waiting is the poller's to decide.  Redirects are not followed, so a key never goes to
another host; results always come from our own base URL, whatever ``results_url`` says.
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

from batchtui.api import call as calls
from batchtui.api import clients, faults, keys, redact, replies
from batchtui.api.body import SplicedBody
from batchtui.api.call import Call
from batchtui.api.download import Download, in_daemon
from batchtui.config import Profile
from batchtui.domain.batch import RemoteBatch, RemotePage
from batchtui.domain.errors import BatchtuiError, StoreError, Unavailable, Unconfirmed, WrongKey
from batchtui.domain.models import ModelInfo

if TYPE_CHECKING:
    import httpx2
    from anthropic import Anthropic, AsyncAnthropic

T = TypeVar("T")
log = logging.getLogger("batchtui")
BATCHES = "/v1/messages/batches"
_CREATE_TIMEOUT = 600.0
_TOTAL = 90.0
"""Seconds a whole call may take, however steadily its reply comes; results are measured by their progress instead."""
_UPLOAD_STALL = 300.0
"""Seconds in which a piece of an upload (``body.PIECE`` bytes) has to get away."""
_MOST_PAGES = 1_000
"""Pages of one list that are read."""


class Gateway:
    """One profile's way to the service.  Methods raise errors of domain.errors only."""

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
        """Seconds the service's clock is ahead of ours, by its last reply; None before one came."""
        self.organization = ""
        """The organization that the last reply named; "" before one did."""
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def base_url(self) -> str:
        """Where calls go, without user or password; "" before the first call when nothing says so."""
        if self._shown_url:
            return self._shown_url
        if self._client is not None:
            return keys.public_url(str(self._client.base_url))
        return keys.public_url(self._given_url or keys.default_base_url())

    @property
    def url_known(self) -> bool:
        """False until the client is built when nothing else says where calls go: one of the SDK's profiles may."""
        return bool(self._shown_url or self._client or self._given_url or keys.default_base_url())

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
                made = clients.build(self.profile, self._given_url, self._given_key)
                self._secrets, self._make_receiver, self._receiver = made.secrets, made.receiver, None
                self._client = made.sender

    def mended(self, error: BaseException, call: Call | None = None) -> BatchtuiError:
        """Our error for whatever the SDK or the connection raised, without secrets."""
        return faults.translate(error, self._secrets, call.sent if call is not None else None)

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
            self.clock_offset = faults.clock_offset(response.headers, self.clock())
            self._heard(response.headers)
            return response
        except Exception as error:
            self._heard(getattr(getattr(error, "response", None), "headers", {}))
            ours = self.mended(error, call)
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
        except replies.BadReply:
            raise Unavailable(
                "the reply is not the API's"
                + (" (a web page came back)" if "html" in response.headers.get("content-type", "") else ""),
                advice=faults.PORTAL_ADVICE,
                status=response.status_code,
            ) from None

    def _batch(self, response: httpx2.Response, batch_id: str = "") -> RemoteBatch:
        """A reply about one batch, the one with ``batch_id`` if that is given; raises Unavailable."""
        remote = self._read(lambda raw: replies.batch(raw, self._secrets), response)
        if batch_id and remote.id != batch_id:
            raise Unavailable(
                f"the reply is about another batch than {batch_id}",
                advice=faults.PORTAL_ADVICE,
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

        Raises Unconfirmed whenever the answer does not say plainly that nothing was created, and the other service errors
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
                f"can't read {requests}: {error.strerror or error}", advice="see that it can be read; it is sent then"
            ) from error
        headers = {"content-type": "application/json", "content-length": str(body.length)}
        if betas:
            headers["anthropic-beta"] = ",".join(betas)
        if api_version:
            headers["anthropic-version"] = api_version
        options: dict[str, Any] = {
            "headers": headers,
            "max_retries": 0,
            "timeout": faults.timeout(_CREATE_TIMEOUT, clients.CONNECT_TIMEOUT),
        }
        try:
            response = await self._send("POST", BATCHES, options=options, content=body, limit=limit)
            return self._batch(response)
        except BatchtuiError as error:
            if not error.sent or faults.nothing_made(error):
                raise
            raise Unconfirmed(
                f"no clear answer came: {error}",
                advice="batchtui looks whether the batch was made before anything is sent again",
            ) from None

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """One batch."""
        return self._batch(await self._send("GET", f"{BATCHES}/{keys.path_id(batch_id)}"), batch_id)

    async def page(self, limit: int = 20, after_id: str | None = None) -> RemotePage:
        """One page of the workspace's batches, newest first; ``limit`` is 1 to 1000."""
        params: dict[str, Any] = {"limit": limit}
        if after_id:
            params["after_id"] = after_id
        response = await self._send("GET", BATCHES, options={"params": params}, most=calls.LIST_MOST)
        return self._read(lambda raw: replies.page(raw, self._secrets), response)

    async def pages(self, first: int = 100, later: int = 1000) -> AsyncIterator[RemotePage]:
        """Page after page of the workspace's batches, until one is the last, or brings nothing new.

        ``first`` and ``later`` are the limits of the first page and of those that follow.  A last page whose ``has_more``
        is true did not end the list: what is not in it may exist all the same.
        """
        seen: set[str] = set()
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self.page(later if after else first, after)
            yield page
            new = {b.id for b in page.data} - seen
            after, before = page.last_id or (page.data[-1].id if page.data else None), after
            if not page.has_more or not new or after is None or after == before:
                return
            seen |= new

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for a batch to be canceled."""
        return self._batch(await self._send("POST", f"{BATCHES}/{keys.path_id(batch_id)}/cancel"), batch_id)

    async def delete(self, batch_id: str) -> None:
        """Delete an ended batch at the service, its results with it."""
        await self._send("DELETE", f"{BATCHES}/{keys.path_id(batch_id)}")

    async def results(self, batch_id: str, *, start: int = 0) -> Download:
        """Begin to receive results from byte ``start``; the caller closes the Download."""
        headers = {"X-Stainless-Raw-Response": "stream", "Accept": "application/binary"}
        if start:
            headers |= {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
        await self.ready()
        client = self._client
        assert client is not None
        path = f"{BATCHES}/{keys.path_id(batch_id)}/results"
        call = Call(None)

        async def ask() -> httpx2.Response:
            # The thread ends by itself, at the latest with the name look-up that nothing interrupts.
            async with asyncio.timeout(_TOTAL + clients.CONNECT_TIMEOUT):
                return await in_daemon(lambda: self._ask_for_results(path, headers, call), lambda late: late.close())

        response = await self._reply(f"GET {path}", client, call, ask())
        if "html" in response.headers.get("content-type", ""):
            response.close()
            raise Unavailable(
                "a web page came back in place of the results", advice=faults.PORTAL_ADVICE, status=response.status_code
            )
        return Download(response, self.mended)

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
        return self._read(lambda raw: replies.models(raw, self._secrets), response)

    async def count_tokens(self, params: Mapping[str, Any]) -> int:
        """Input tokens of one request's params (free; an estimate)."""
        response = await self._send("POST", "/v1/messages/count_tokens", body=dict(params))
        return self._read(replies.tokens, response)

    async def message(self, params: Mapping[str, Any], betas: tuple[str, ...] = ()) -> bytes:
        """Send one request's params to the plain Messages endpoint; the answer as received."""
        options: dict[str, Any] = {"timeout": faults.timeout(_CREATE_TIMEOUT, clients.CONNECT_TIMEOUT)}
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
        return self._read(replies.message, response)

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.close()
        if client is not None:
            await client.close()
