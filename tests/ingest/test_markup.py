"""Date and publisher of a page: as its markup says them for machines, and never guessed from what it shows."""

from __future__ import annotations

import json

import pytest

from agent.ingest.read import read_document

STORY = "<p>The bridge at Velm was closed for repairs on Monday after engineers found cracks in two of its pillars.</p>"


def page(head="", body="", title="Bridge closed"):
    text = f"<!doctype html><html><head><title>{title}</title>{head}</head><body><article>{body}{STORY}</article></body></html>"
    return read_document(None, data=text.encode(), name="a.html")


def ld(*nodes):
    return f'<script type="application/ld+json">{json.dumps(nodes[0] if len(nodes) == 1 else nodes)}</script>'


@pytest.mark.parametrize(
    "body",
    [
        "<p class='date'>03/04/2016</p>",
        "<time>Updated 5 May 2019</time>",
        "<div class='published'>2016-04-03</div>",
        "<time class='published' datetime='3 April 2016'>3 April 2016</time>",
        "<p>Paris fell on <time datetime='1940-06-14'>14 June 1940</time>.</p>",
        "<footer>Copyright 2015</footer>",
    ],
)
def test_a_date_that_only_readers_see_is_none(body):
    """Days and months may be the other way round, and the date of a story is not that of its publication."""
    assert page(body=body).published is None


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="article:published_time" content="03/04/2016">',
        '<meta property="article:modified_time" content="2016-04-03">',
        '<link rel="canonical" href="https://courier.example/2016/04/03/bridge">',
        ld({"@type": "ItemList", "itemListElement": [{"@type": "NewsArticle", "datePublished": "2016-04-03"}]}),
        ld({"@type": "Thing", "comment": {"datePublished": "2016-04-03"}}),
        '<script type="application/ld+json">{"datePublished": "2016-04-03"</script>',
        f'<script type="application/ld+json">{"[" * 100_000}</script>',
    ],
)
def test_markup_of_another_meaning_or_form_says_no_date(head):
    """Mended pages, addresses, other pages listed, and what cannot be read."""
    assert page(head).published is None


@pytest.mark.parametrize(
    ("head", "body", "published"),
    [
        ('<meta property="article:published_time" content="2016-05-02T10:00:00Z">', "", "2016-05-02"),
        ('<meta name="DC.date.issued" content=" 2016-05 ">', "", "2016-05"),
        ('<meta itemprop="datePublished" content="2016-05-02">', "", "2016-05-02"),
        (ld({"@type": "NewsArticle", "datePublished": "2016-05-02T10:00:00+02:00"}), "", "2016-05-02"),
        (ld({"@graph": [{"@type": "Person"}, {"@type": "Article", "datePublished": "2016-05-02"}]}), "", "2016-05-02"),
        (ld({"@type": "WebPage", "datePublished": "2016"}, {"datePublished": "2017-01-02"}), "", "2017-01-02"),
        ("", "<time class='entry-date updated' datetime='2016-05-02T10:00'>Monday</time>", "2016-05-02"),
        ("", "<time pubdate datetime='2016-05-02'>Monday</time>", "2016-05-02"),
        ("", "<time itemprop='datePublished' datetime='2016-05-02'>Monday</time>", "2016-05-02"),
        (
            '<meta name="pubdate" content="2016-05-02">' + ld({"datePublished": "2018-01-01"}),
            "<time pubdate datetime='2019-01-01'></time>",
            "2016-05-02",
        ),
    ],
)
def test_a_date_in_the_markup_is_taken(head, body, published):
    """From meta tags, else JSON-LD, else a `<time>` marked so; of two the later: nothing may be seen too early."""
    assert page(head, body).published == published


@pytest.mark.parametrize("title", ["How Node.js works - Node.js guide", "Bridge closed | Velm Courier"])
def test_a_title_or_an_address_names_no_publisher(title):
    """It may be anything."""
    assert page('<link rel="canonical" href="https://courier.example/bridge">', title=title).publisher is None


@pytest.mark.parametrize(
    ("head", "publisher"),
    [
        ('<meta property="og:site_name" content=" the Velm &amp; Orsk  Courier ">', "the Velm & Orsk Courier"),
        ('<meta name="citation_publisher" content="Orsk Press">', "Orsk Press"),
        (ld({"@type": "NewsArticle", "publisher": {"@type": "Organization", "name": "Velm Courier"}}), "Velm Courier"),
        (ld({"@type": "NewsArticle", "publisher": [{"name": ""}, "Velm Courier"]}), "Velm Courier"),
        (ld({"@graph": [{"publisher": {"@id": "#o"}}, {"@id": "#o", "name": "Velm Courier"}]}), "Velm Courier"),
        (ld({"@type": "NewsArticle", "publisher": {"@id": "#gone"}}), None),
        ('<meta name="twitter:site" content="@velm">', None),
    ],
)
def test_a_publisher_in_the_markup_is_taken(head, publisher):
    """As it is written there."""
    assert page(head).publisher == publisher
