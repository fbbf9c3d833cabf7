"""One page from the web, guarded: only public addresses, checked after resolution, on every hop, and connected to.

Whoever names an address to us must not reach through us what only this machine can reach. So a name is resolved here,
every address it has must be public, the connection goes to the address that was checked (the name is only sent along,
and the certificate must fit it), and a redirect begins all of it again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit

import httpx

from agent.domain import Document
from agent.errors import InputError
from agent.ingest.read import MAX_BYTES, read_document

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[tuple[Address, ...]]]

_KINDS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
_HEADERS = {"User-Agent": "factdesk", "Accept": ", ".join(_KINDS), "Accept-Encoding": "identity"}
_CARRIERS = tuple(ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
"""IPv6 addresses that carry an IPv4 address inside (NAT64, 6to4, Teredo); Python calls some of them global."""
_MOVED = frozenset((301, 302, 303, 307, 308))
_LONGEST_ADDRESS = 2000


def is_public(address: Address) -> bool:
    """Whether an address is one of the open web: not of this machine, a private network, or one hidden in another."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in net for net in _CARRIERS) or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """The addresses of a name, as the machine finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(str(place[4][0]).partition("%")[0]) for place in found))


@dataclass(frozen=True)
class Rules:
    """What a fetch may do; the resolver and who is admitted are here so that a test can bring its own."""

    resolve: Resolve = resolve
    admits: Callable[[Address], bool] = is_public
    max_bytes: int = MAX_BYTES
    seconds: float = 20
    """For everything together, all hops included."""
    hops: int = 3
    """Redirects that are followed."""


async def fetch_document(url: str, rules: Rules | None = None) -> Document:
    """The document at an address; its `url` is where it was found after redirects.

    Raises:
        InputError: no public http or https address, not reachable, too slow, too large, or not a document we read.
    """
    rules = rules or Rules()
    try:
        async with asyncio.timeout(rules.seconds):
            found, kind, data = await _follow(url.strip(), rules)
    except TimeoutError:
        raise InputError(
            f"{_shown(url)} gave no whole page in {rules.seconds:g} s: save it and open the file"
        ) from None
    host = urlsplit(found).hostname or "page"
    document = read_document(None, data=data, name=f"{host}/page{kind}", max_bytes=rules.max_bytes, untitled=host)
    return document.model_copy(update={"url": urldefrag(found).url})


async def _follow(url: str, rules: Rules) -> tuple[str, str, bytes]:
    for _ in range(rules.hops + 1):
        async with _answer(url, rules) as answer:
            if answer.status_code not in _MOVED:
                return url, _kind(answer, url), await _body(answer, url, rules.max_bytes)
            url = urljoin(url, answer.headers.get("location", ""))
    raise InputError(
        f"{_shown(url)}: more than {rules.hops} redirects; open the address in a browser and save the page"
    )


@asynccontextmanager
async def _answer(url: str, rules: Rules) -> AsyncIterator[httpx.Response]:
    """The beginning of an answer, from an address that was checked."""
    host, port = _place(url)
    addresses = await _checked(host, port, url, rules)
    parts = urlsplit(url)
    name = f"[{host}]" if ":" in host else host
    # no proxy, no redirects, no cookies: a client of one request
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=rules.seconds) as client:
        for number, address in enumerate(addresses, 1):
            pinned = f"[{address}]" if address.version == 6 else str(address)
            request = client.build_request(
                "GET",
                urlunsplit((parts.scheme, f"{pinned}:{port}", parts.path or "/", parts.query, "")),
                headers=_HEADERS | {"Host": name if parts.port is None else f"{name}:{port}"},
                extensions={"sni_hostname": host},
            )
            try:
                answer = await client.send(request, stream=True)
            except httpx.ConnectError as error:
                if number < len(addresses):
                    continue
                raise _unreachable(url, error) from error
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                raise _unreachable(url, error) from error
            try:
                yield answer
            finally:
                await answer.aclose()
            return


def _place(url: str) -> tuple[str, int]:
    """Host and port of an address that is http or https and hides nothing."""
    clean = all(char.isprintable() and not char.isspace() for char in url) and "\\" not in url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        clean, host, port, parts = False, None, None, urlsplit("")
    if not clean or not host or len(url) > _LONGEST_ADDRESS or parts.scheme not in {"http", "https"}:
        raise InputError(f"{_shown(url)} is no address of a web page: give one that begins with http:// or https://")
    if "@" in parts.netloc:
        raise InputError(f"{_shown(url)} has a user name in it: give the address without")
    try:
        host = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise InputError(f"{_shown(url)} has no valid host name: check it") from None
    return host, port or (443 if parts.scheme == "https" else 80)


async def _checked(host: str, port: int, url: str, rules: Rules) -> tuple[Address, ...]:
    """The addresses of the host. One that is not public refuses them all: such a name is meant to deceive."""
    try:
        addresses = await rules.resolve(host, port)
    except (OSError, UnicodeError, ValueError) as error:
        raise InputError(f"{_shown(url)}: the host {host[:100]!r} was not found; check the address") from error
    if not addresses or not all(rules.admits(address) for address in addresses):
        raise InputError(f"{_shown(url)} is not on the public web: only pages that anybody can reach are opened")
    return addresses


def _kind(answer: httpx.Response, url: str) -> str:
    """The suffix for what was sent."""
    if answer.status_code != 200:
        raise InputError(f"{_shown(url)} answered with status {answer.status_code}: open it in a browser and save it")
    sent = answer.headers.get("content-type", "")
    kind = sent.partition(";")[0].strip().lower()
    suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    if not kind or (kind == "application/octet-stream" and suffix in _KINDS.values()):
        return suffix if suffix in _KINDS.values() else ".html"
    if kind not in _KINDS:
        raise InputError(
            f"{_shown(url)} is {kind[:60]!r}, no text: give the address of an HTML, text, PDF or Word file"
        )
    return _KINDS[kind]


async def _body(answer: httpx.Response, url: str, most: int) -> bytes:
    """The bytes, as long as they are few enough; unpacked no further than that."""
    too_many = InputError(f"{_shown(url)} has more than {most:,} bytes: save the part you need and open the file")
    if int(answer.headers.get("content-length", "0") or 0) > most:
        raise too_many
    data = bytearray()
    try:
        async for piece in answer.aiter_raw():
            data += piece
            if len(data) > most:
                raise too_many
    except httpx.HTTPError as error:
        raise _unreachable(url, error) from error
    unpacked = _unpacked(bytes(data), answer.headers, url, most)
    if len(unpacked) > most:
        raise too_many
    return _as_utf8(unpacked, answer)


def _unpacked(data: bytes, headers: Mapping[str, str], url: str, most: int) -> bytes:
    """Some servers pack although they were asked not to."""
    packing = headers.get("content-encoding", "identity").strip().lower()
    if packing in {"", "identity"}:
        return data
    if packing not in {"gzip", "x-gzip"}:
        raise InputError(f"{_shown(url)} is packed as {packing[:30]!r}, which was not asked for: save it as a file")
    packed = zlib.decompressobj(wbits=31)
    try:
        found = packed.decompress(data, most + 1)
    except zlib.error as error:
        raise _unreachable(url, error) from error
    if not packed.eof and len(found) <= most:
        raise _unreachable(url, EOFError("it breaks off"))
    return found


def _as_utf8(data: bytes, answer: httpx.Response) -> bytes:
    """Text in the encoding the server names, as UTF-8, when it is not that already."""
    encoding = answer.charset_encoding
    if encoding is None or not answer.headers.get("content-type", "").lower().startswith("text/"):
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return data.decode(encoding).encode("utf-8")
        except (UnicodeError, LookupError):
            return data
    return data


def _unreachable(url: str, error: Exception) -> InputError:
    why = str(error).partition("\n")[0][:150] or type(error).__name__
    return InputError(f"{_shown(url)} could not be opened ({why}): check the address, or save the page as a file")


def _shown(url: str) -> str:
    return repr(url[:200])
