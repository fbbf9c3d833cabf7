"""A page from the web: what is let through, and that nothing private is ever connected to."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import Response

from agent.errors import InputError
from agent.ingest.fetch import Rules, fetch_document, is_public
from tests.adversarial import cases
from tests.ingest.files import pdf_of

LOOPBACK = ipaddress.ip_address("127.0.0.1")
FAR = ipaddress.ip_address("93.184.216.34")
TEXT = "The bridge in Norvik opened in 1931."
PAGE = f"<!doctype html><html><head><title>Bridge</title></head><body><article><p>{TEXT}</p></article></body></html>"


def names(**known):
    """A resolver that knows these names; one with several answers gives them in turn."""
    turns = {name: iter(answers) for name, answers in known.items()}

    async def resolve(host, port):
        if host not in turns:
            raise socket.gaierror(f"no {host}")
        return tuple(ipaddress.ip_address(one) for one in next(turns[host]))

    return resolve


def rules(admits=lambda address: address == LOOPBACK, **known):
    """Names of a test; only loopback counts as public, so that nothing leaves this machine."""
    answers = {"public_example": [["127.0.0.1"]] * 9} | known
    options = {name: answers.pop(name) for name in ("max_bytes", "seconds", "hops") if name in answers}
    dotted = {name.replace("_", "."): found for name, found in answers.items()}
    return Rules(resolve=names(**dotted), admits=admits, **options)


def fetch(url, chosen=None):
    return asyncio.run(fetch_document(url, chosen or rules()))


def at(server, path="/", host="public.example"):
    return f"http://{host}:{server.port}{path}"


@contextmanager
def canary():
    """A server that counts who comes; nobody may."""
    hits = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(0.05)
        over = threading.Event()

        def watch():
            while not over.is_set():
                try:
                    hits.append(sock.accept()[0].close())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield sock.getsockname()[1], hits
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.7", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1",
        "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_open_web(address):
    """T20: also those that Python 3.11 calls global."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_open_web(address):
    """Ordinary ones are."""
    assert is_public(ipaddress.ip_address(address))


@given(st.integers(0, 2**32 - 1))
def test_no_private_address_becomes_public_in_another_form(number):
    """What is private as IPv4 is private inside IPv6."""
    plain = ipaddress.IPv4Address(number)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    carried = ipaddress.IPv6Address((0x64FF9B << 96) | number)
    assert is_public(mapped) == is_public(plain)
    assert not is_public(plain) or plain.is_global
    assert not is_public(carried)


def test_a_page_becomes_an_article(httpserver):
    """Its text, its title, and the address it was found at; the server sees the name that was asked for."""
    httpserver.expect_request("/a").respond_with_data(PAGE, content_type="text/html")
    found = fetch(at(httpserver, "/a#part"))
    assert (found.text, found.title) == (TEXT, "Bridge")
    assert found.url == at(httpserver, "/a")
    assert httpserver.log[0][0].headers["Host"] == f"public.example:{httpserver.port}"
    assert "Cookie" not in httpserver.log[0][0].headers


@pytest.mark.parametrize(
    ("body", "kind", "path"),
    [
        (TEXT.encode(), "text/plain; charset=utf-8", "/"), (f"# Bridge\n\n{TEXT}".encode(), "text/markdown", "/"),
        (pdf_of(TEXT), "application/pdf", "/"), (pdf_of(TEXT), "application/octet-stream", "/a.pdf"),
        (PAGE.encode("utf-16"), "text/html; charset=utf-16", "/"),
    ],
)  # fmt: skip
def test_kinds_that_are_read(httpserver, body, kind, path):
    """By what the server says they are."""
    httpserver.expect_request(path).respond_with_data(body, content_type=kind)
    assert TEXT in fetch(at(httpserver, path)).text


def test_the_servers_encoding_is_used(httpserver):
    """A text in Cyrillic of the nineties."""
    httpserver.expect_request("/").respond_with_data(
        "Мост открыт.".encode("windows-1251"), content_type="text/plain; charset=windows-1251"
    )
    assert fetch(at(httpserver)).text == "Мост открыт."


@pytest.mark.parametrize(
    "url",
    [
        *(row["text"] for row in cases("articles") if row["kind"] == "ssrf-url"), "http://127.1/", "http://0177.0.0.1/", "http://0x7f.1/", "http://localhost/",
        "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/", "gopher://a.example/", "javascript:alert(1)",
        "data:text/html,x", "http:///x", "//a.example", "http://a b/", "http://a\\b/", "http://a.example\r\nX: y/", "",
        "http://" + "a" * 70 + ".example/", "http://a..example/", "http://a.example:99999/", "http://a.example:x/",
    ],
)  # fmt: skip
def test_what_is_no_page_of_the_open_web_is_refused(url):
    """The corpus (adv-a37 to a41) and more, with the real resolver: each refused in words before a connection is made."""
    with pytest.raises(InputError, match=r"no address|public web|user name|host name|not found"):
        asyncio.run(fetch_document(url, Rules(seconds=5)))


def test_a_name_with_one_private_address_is_refused():
    """Also when the others are public: such a name is meant to deceive."""
    with canary() as (port, hits):
        chosen = rules(is_public, public_example=[["93.184.216.34", "127.0.0.1"]])
        with pytest.raises(InputError, match="public web"):
            fetch(f"http://public.example:{port}/", chosen)
        assert hits == []


def test_the_address_that_was_checked_is_the_one_that_is_used(httpserver):
    """A name that is public once and private at the second look is asked only once a hop."""
    httpserver.expect_request("/").respond_with_data(TEXT, content_type="text/plain")
    chosen = rules(public_example=[["127.0.0.1"], ["10.0.0.1"]])
    assert fetch(at(httpserver), chosen).text == TEXT
    with pytest.raises(InputError, match="public web"):
        fetch(at(httpserver), chosen)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_each_hop_is_checked_again(httpserver, status):
    """adv-a42: a public page that leads to a private one; the private one is never connected to."""
    with canary() as (port, hits):
        for target in (f"http://inner.example:{port}/", f"http://10.0.0.1:{port}/", "file:///etc/passwd"):
            httpserver.clear()
            httpserver.expect_request("/").respond_with_response(Response(status=status, headers={"Location": target}))
            chosen = rules(inner_example=[["10.0.0.9"]], **{"10_0_0_1": [["10.0.0.1"]]})
            with pytest.raises(InputError, match=r"public web|no address"):
                fetch(at(httpserver), chosen)
        assert hits == []


def test_redirects_are_followed_but_not_for_ever(httpserver):
    """Three, relative ones too; the fourth is refused."""
    for number in range(5):
        httpserver.expect_request(f"/{number}").respond_with_response(
            Response(status=302, headers={"Location": f"{number + 1}"})
        )
    httpserver.expect_request("/5").respond_with_data(TEXT, content_type="text/plain")
    assert fetch(at(httpserver, "/2")).url == at(httpserver, "/5")
    with pytest.raises(InputError, match="more than 3 redirects"):
        fetch(at(httpserver, "/1"))


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(b"\x89PNG\r\n", content_type="image/png"), "'image/png', no text"),
        (Response("{}", content_type="application/json"), "no text"),
        (Response("gone", status=404), "status 404"),
        (Response(b"x" * 2001, content_type="text/plain"), "more than 2,000 bytes"),
        (Response(iter([b"x" * 1500, b"x" * 1500]), content_type="text/plain"), "more than 2,000 bytes"),
        (Response(gzip.compress(b"x" * 3000), headers={"Content-Encoding": "gzip"}, content_type="text/plain"), "more than"),
        (Response(gzip.compress(b"x" * 300)[:-9], headers={"Content-Encoding": "gzip"}, content_type="text/plain"), "breaks off"),
        (Response(b"xx", headers={"Content-Encoding": "br"}, content_type="text/plain"), "packed as 'br'"),
        (Response(b"", content_type="text/plain"), "empty"),
        (Response(b"\x00\x01" * 50, content_type="text/plain"), "binary"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(httpserver, response, words):
    """Another kind, an error, too much, also when it is packed or sent without a length."""
    httpserver.expect_request("/").respond_with_response(response)
    with pytest.raises(InputError, match=words):
        fetch(at(httpserver), rules(max_bytes=2000))


def test_packed_pages_are_unpacked(httpserver):
    """Some servers pack although they were asked not to."""
    packed = Response(gzip.compress(TEXT.encode()), headers={"Content-Encoding": "gzip"}, content_type="text/plain")
    httpserver.expect_request("/").respond_with_response(packed)
    assert fetch(at(httpserver)).text == TEXT
    assert httpserver.log[0][0].headers["Accept-Encoding"] == "identity"


def test_a_server_that_drips_does_not_defeat_the_limit(httpserver):
    """One byte now and then: the limit is for all of it."""

    def drip():
        for _ in range(40):
            time.sleep(0.1)
            yield b"x"

    httpserver.expect_request("/").respond_with_response(Response(drip(), content_type="text/plain"))
    began = time.monotonic()
    with pytest.raises(InputError, match="no whole page in 0.5 s"):
        fetch(at(httpserver), rules(seconds=0.5))
    assert time.monotonic() - began < 3


def test_the_next_address_of_a_name_is_tried(httpserver):
    """The first does not answer."""
    httpserver.expect_request("/").respond_with_data(TEXT, content_type="text/plain")
    chosen = rules(
        lambda address: address.is_loopback, public_example=[["::1", "127.0.0.1"]]
    )  # nobody listens on ::1 at this port
    assert fetch(at(httpserver), chosen).text == TEXT


def test_the_certificate_must_fit_the_name():
    """TLS goes to the checked address but names the host; without a good certificate nothing is read."""
    told = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda sock, name, ctx: told.append(name)
    with socket.create_server(("127.0.0.1", 0)) as sock:

        def serve():
            connection, _ = sock.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(InputError, match="could not be opened"):
            fetch(f"https://public.example:{sock.getsockname()[1]}/", rules())
        thread.join()
    assert told == ["public.example"]
