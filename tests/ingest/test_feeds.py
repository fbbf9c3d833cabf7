"""RSS, Atom and Parquet: every entry a document with what it says of itself; a bad one is listed by its place."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from agent.ingest.sources import find_sources

RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Velm Courier</title><link>https://courier.example/</link>
<item><title>Bridge closed</title><link>https://courier.example/bridge</link>
<pubDate>Mon, 02 May 2016 23:30:00 -0500</pubDate><description>Short.</description>
<content:encoded><![CDATA[<p>The bridge at Velm was closed for <b>repairs</b>.</p><p>Lorries took the ferry.</p>]]></content:encoded></item>
<item><title>Nothing but a title</title></item>
<item><title>Mayor</title><description>The mayor of Orsk resigned &amp; left.</description><pubDate>soon</pubDate></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Orsk Daily</title><entry><title type="html">Grain</title>
<link rel="self" href="https://orsk.example/self"/><link href="https://orsk.example/grain"/>
<published>2016-09-17T10:00:00Z</published><updated>2017-01-01T00:00:00Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Grain prices rose by 12 percent in Velm.</p></div></content>
</entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Old Post</title></channel>
<item><title>Flood</title><link>https://post.example/flood</link><description>The river rose.</description>
<dc:date>2015-02-03</dc:date></item></rdf:RDF>"""


def found_in(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return find_sources([path])


def test_rss(tmp_path):
    """The fullest text without its HTML, the day as it was where it was written, the feed as publisher."""
    (bridge, mayor), (rejected,) = found_in(tmp_path, "news.rss", RSS)
    assert bridge.text == "The bridge at Velm was closed for repairs.\nLorries took the ferry."
    assert (bridge.title, bridge.publisher) == ("Bridge closed", "Velm Courier")
    assert (bridge.url, bridge.published) == ("https://courier.example/bridge", "2016-05-02")
    assert (mayor.text, mayor.published, mayor.url) == ("The mayor of Orsk resigned & left.", None, None)
    assert rejected.line == 6
    assert rejected.reason == "entry 2: text is '': give each document its text"


def test_atom(tmp_path):
    """Content written as XHTML, the link that leads to the entry, the day it was published rather than mended."""
    ((grain,), rejected) = found_in(tmp_path, "feed.atom", ATOM)
    assert rejected == ()
    assert grain.text == "Grain prices rose by 12 percent in Velm."
    assert (grain.title, grain.publisher, grain.url) == ("Grain", "Orsk Daily", "https://orsk.example/grain")
    assert grain.published == "2016-09-17"


def test_rdf(tmp_path):
    """The old form of RSS, whose entries stand beside the channel."""
    ((flood,), _) = found_in(tmp_path, "old.xml", RDF)
    assert (flood.text, flood.publisher, flood.published) == ("The river rose.", "Old Post", "2015-02-03")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (RSS[:400], "is no readable XML"),
        ("<note><to>you</to></note>", "is XML but no RSS or Atom feed"),
        ("", "is no readable XML"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><note>&x;</note>', "is XML but no RSS"),
    ],
)
def test_what_is_no_feed_is_rejected(tmp_path, content, said):
    """With the file's name and the reason."""
    documents, (rejected,) = found_in(tmp_path, "a.xml", content)
    assert documents == ()
    assert said in rejected.reason
    assert "a.xml" in rejected.reason


def test_a_feed_reads_no_other_file(tmp_path):
    """An entity that stands for a file of this machine stays empty."""
    (tmp_path / "secret").write_text("canary-91f3", encoding="utf-8")
    entity = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{(tmp_path / "secret").as_uri()}">]>'
    hostile = entity + RSS.partition("?>")[2].replace("Short.", "&x;").replace("<![CDATA[", "&x;<![CDATA[")
    documents, rejected = found_in(tmp_path, "a.rss", hostile)
    assert "canary" not in repr((documents, rejected))


def test_entities_cannot_blow_up(tmp_path):
    """A billion laughs are an error, not a gigabyte."""
    nested = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE rss [<!ENTITY a0 "ha">{nested}]>' + RSS.partition("?>")[2].replace("Short.", "&a9;")
    documents, rejected = found_in(tmp_path, "a.rss", bomb)
    assert sum(len(document.text) for document in documents) + len(repr(rejected)) < 10_000


def test_parquet(tmp_path):
    """Rows of a table, days and points in time as dates; a row without text is listed by its number."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    rows = [
        {"ID": "a", "Text": "It rained.", "published": date(2016, 5, 2), "at": None},
        {"ID": "b", "Text": None, "published": None, "at": None},
        {"ID": "c", "Text": "It snowed.", "published": date(2016, 12, 24), "at": datetime(2016, 1, 1)},  # noqa: DTZ001
    ]
    write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    documents, (rejected,) = find_sources([tmp_path / "t.parquet"])
    assert [(d.id, d.text, d.published) for d in documents] == [
        ("a", "It rained.", "2016-05-02"),
        ("c", "It snowed.", "2016-12-24"),
    ]
    assert (rejected.line, rejected.reason) == (2, "text is None: give each document its text")


def test_bad_parquet(tmp_path):
    """A file that is none, and one whose columns have other names."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    _, (broken,) = found_in(tmp_path, "a.parquet", b"PAR1 but not really")
    assert "is no readable Parquet file" in broken.reason
    write_table(pa.Table.from_pylist([{"body": "It rained."}]), tmp_path / "b.parquet")
    _, (other,) = find_sources([tmp_path / "b.parquet"])
    assert "has no column 'text' but ['body']" in other.reason
    _, (gone,) = find_sources([tmp_path / "gone.parquet"])
    assert "does not exist" in gone.reason
