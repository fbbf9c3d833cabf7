"""Addresses of web pages as sources: fetched when allowed, and each that cannot be used is named."""

from __future__ import annotations

from functools import partial

from agent.ingest.addresses import fetch_all, is_address
from agent.ingest.fetch import Rules, fetch_document
from agent.ingest.index import ingest
from agent.ingest.sources import Rejected
from tests.ingest.files import PAGE
from tests.ingest.test_index import ListStore, listed

OPEN = partial(fetch_document, rules=Rules(admits=lambda address: True))
"""Tests may reach loopback alone, which a user may not."""


def test_pages_come_in_beside_files(httpserver, tmp_path):
    """Served for real: the page with its address; one that is missing is on the list and stops nothing."""
    httpserver.expect_request("/bridge").respond_with_data(PAGE, content_type="text/html")
    addresses = [httpserver.url_for("/gone"), httpserver.url_for("/bridge")]
    store = ListStore()
    report = ingest(
        [listed(tmp_path, "It rained.")], store, listener=lambda step: None, pages=fetch_all(addresses, OPEN)
    )
    assert report.added == 2
    titles = [document.title for batch in store.batches for document, _ in batch]
    assert titles == ["", "Bridge at Velm closed"]
    (rejected,) = report.rejected
    assert "/gone' answered with status 500" in rejected.reason


def test_without_leave_nothing_is_opened(httpserver):
    """The address is named, with the option that allows it; the server hears nothing."""
    (rejected,) = fetch_all([httpserver.url_for("/bridge")], None)
    assert isinstance(rejected, Rejected)
    assert "is an address: give --allow-url" in rejected.reason
    assert httpserver.log == []


def test_what_is_an_address():
    """Files may be called anything else."""
    assert [is_address(given) for given in ("HTTPS://a.example", "http://a", "http", "a/https://b", "ftp://a")] == [
        True, True, False, False, False,
    ]  # fmt: skip
