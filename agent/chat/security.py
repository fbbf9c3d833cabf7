"""What stands before the page: only our own page may talk to the server, and only so much at once. Plain ASGI."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from agent.errors import ConfigError, InputError
from agent.ingest.read import MAX_BYTES

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_JSON = 4_000_000
_SAFE = {"GET", "HEAD"}
_COOKIE = "factdesk"
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Refused(Exception):  # noqa: N818 (it is an answer, not a fault)
    """A request that is not let in."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def is_loopback(host: str) -> bool:
    """Whether an address is this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_token(host: str, token: str | None) -> None:
    """Refuse to serve others without a token.

    Raises:
        ConfigError: the address is not loopback, and there is no token of some length.
    """
    if not is_loopback(host) and len(token or "") < 16:
        raise ConfigError(f"address {host!r} can be reached by others: give --token with at least 16 characters")


class Guard:
    """Checks every request before the application sees it, and adds the headers of protection to every answer."""

    def __init__(self, app: App, *, port: int, host: str = "127.0.0.1", token: str | None = None) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]", host)}
        if port == 80:
            self._hosts |= {"127.0.0.1", "localhost", "[::1]", host}
        self._any_host = not is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            extra = self._check(scope, headers)
            limit = MOST_JSON if "json" in headers.get("content-type", "json") else MAX_BYTES
            _check_length(headers.get("content-length") or "0", limit)
        except Refused as refusal:
            await _refuse(refusal, send)
            return
        except ValueError:
            await _refuse(Refused(400, "content-length is no number"), send)
            return
        await self._app(scope, _limited(receive, limit), _protected(send, extra))

    def _check(self, scope: Scope, headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
        host = headers.get("host", "")
        if not self._any_host and host not in self._hosts:
            raise Refused(403, f"host {host!r} is not this desk: open it by its own address")
        _check_origin(scope, headers, host)
        return self._check_token(scope, headers)

    def _check_token(self, scope: Scope, headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
        if self._token is None:
            return ()
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(hmac.compare_digest(given.encode(), self._token.encode()) for given in (_cookie(headers), bearer)):
            return ()
        if scope["path"] == "/" and hmac.compare_digest(asked.encode(), self._token.encode()):
            cookie = f"{_COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            return ((b"set-cookie", cookie.encode("latin-1")),)
        raise Refused(401, "this desk wants its token: open the address that `factdesk chat` printed")


def _check_origin(scope: Scope, headers: dict[str, str], host: str) -> None:
    """Other sites may lead here, but not read or change anything."""
    site = headers.get("sec-fetch-site", "none")
    is_visit = scope["method"] in _SAFE and headers.get("sec-fetch-mode") == "navigate"
    if site not in {"none", "same-origin"} and not is_visit:
        raise Refused(403, "another site may not use this desk")
    if scope["method"] in _SAFE:
        return
    origin = headers.get("origin")
    if origin is not None and origin not in {f"http://{host}", f"https://{host}"}:
        raise Refused(403, f"origin {origin[:80]!r} may not use this desk")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/json", "application/octet-stream"}:
        raise Refused(415, "send application/json, or a file as application/octet-stream")


def _check_length(announced: str, limit: int) -> None:
    if int(announced) > limit:
        raise Refused(413, f"more than {limit:,} bytes: split it into smaller files")


def _cookie(headers: dict[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _limited(receive: Receive, limit: int) -> Receive:
    """The body, as long as it is no longer than allowed."""
    size = 0

    async def read() -> MutableMapping[str, Any]:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise InputError(f"more than {limit:,} bytes: split it into smaller files")
        return message

    return read


def _protected(send: Send, extra: tuple[tuple[bytes, bytes], ...]) -> Send:
    async def answer(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS, *extra]
        await send(message)

    return answer


async def _refuse(refusal: Refused, send: Send) -> None:
    body = json.dumps({"error": str(refusal)}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *_HEADERS]
    await send({"type": "http.response.start", "status": refusal.status, "headers": head})
    await send({"type": "http.response.body", "body": body})
