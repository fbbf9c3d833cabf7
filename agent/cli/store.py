"""`factdesk store`: the sources a desk knows."""

from __future__ import annotations

import json as js
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import options as opt

if TYPE_CHECKING:
    from agent.store.hybrid import Store

app = typer.Typer(no_args_is_help=True, help="Add, list, search and mend the sources verdicts are drawn from.")


@contextmanager
def _open(
    folder: Path | None, *, write: bool = False, create: bool = False, files: Sequence[Path] = ()
) -> Iterator[Store]:
    from agent.desk import embedder_of
    from agent.ingest.vectors import with_given
    from agent.settings import load_settings
    from agent.store.hybrid import Store

    settings = load_settings({"store_dir": folder, "profile": "local"})
    embedder = with_given(embedder_of(settings), files)
    with Store.open(settings.store_dir, embedder, chroma_url=settings.chroma_url, write=write, create=create) as store:
        yield store


@app.command()
def add(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, feeds, lists of documents: docs/sources.md.")
    ],
    allow_url: Annotated[
        bool, typer.Option("--allow-url", metavar="", help="Also open addresses of web pages among them.")
    ] = False,
    store: opt.StoreOption = None,
    json: opt.JsonOption = False,
) -> None:
    """Add sources. What is already there unchanged is skipped, so the same command again goes on."""
    from agent.cli.view import progress_view
    from agent.ingest.addresses import fetch_all, is_address
    from agent.ingest.fetch import fetch_document
    from agent.ingest.index import ingest

    files = [Path(given) for given in paths if not is_address(given)]
    pages = fetch_all([given for given in paths if is_address(given)], fetch_document if allow_url else None)
    with progress_view() as view, _open(store, write=True, create=True, files=files) as opened:
        report = ingest(files, opened, listener=view.ingested, pages=pages)
    if json:
        print(report.model_dump_json(indent=2))
    else:
        print(f"{report.added} added, {report.replaced} replaced, {report.unchanged} unchanged")
    for rejected in report.rejected:
        view.rejected(rejected)


@app.command("list")
def list_(store: opt.StoreOption = None, json: opt.JsonOption = False) -> None:
    """List the documents."""
    from agent.cli.view import plain

    with _open(store) as opened:
        rows = opened.list()
    if json:
        shown = [document.model_dump(mode="json", exclude={"text"}) | {"passages": count} for document, count in rows]
        print(js.dumps(shown, indent=2, ensure_ascii=False))
        return
    for document, count in rows:
        facts = f"{document.id}  {document.published or 'undated':<10}  {count:>4}"
        print(plain(f"{facts}  {document.publisher or ''}  {document.title}"))


@app.command()
def show(document_id: str, store: opt.StoreOption = None, json: opt.JsonOption = False) -> None:
    """Show one document; citations are offsets into its text."""
    from agent.cli.view import plain
    from agent.errors import InputError

    with _open(store) as opened:
        found = opened.documents((document_id,)).get(document_id)
    if found is None:
        raise InputError(f"no document {document_id!r} in the store: see `factdesk store list`")
    print(found.model_dump_json(indent=2) if json else plain(f"{found.title}\n\n{found.text}"))


@app.command()
def search(
    query: str,
    store: opt.StoreOption = None,
    as_of: opt.AsOfOption = None,
    undated: opt.UndatedOption = None,
    only: opt.OnlyOption = None,
    exclude: opt.ExcludeOption = None,
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, max=100, help="Passages to show.")] = 5,
    json: opt.JsonOption = False,
) -> None:
    """Search as a claim would: by meaning and by words, fused; re-ranked if the settings say so."""
    from agent.cli.view import plain
    from agent.desk import reranker_of
    from agent.domain import Claim, claim_id
    from agent.settings import load_settings
    from agent.sources import StoreSources
    from agent.stages.queries import plan_queries
    from agent.store.base import TimeLimit

    chosen = {"as_of": as_of, "undated": undated, "only": only or None, "exclude": exclude or None, "profile": "local"}
    settings = load_settings(chosen)
    when = TimeLimit(as_of=settings.as_of, undated=settings.undated, scope=settings.scope)
    with _open(store) as opened:
        sources = StoreSources(opened, limit=k, when=when, reranker=reranker_of(settings))
        hits = sources.find(plan_queries(Claim(id=claim_id(query, None), text=query), round=1), frozenset())
    if json:
        print(js.dumps([hit.model_dump(mode="json") for hit in hits], indent=2, ensure_ascii=False))
        return
    for hit in hits:
        text = plain(" ".join(hit.passage.text.split())[:160])
        read = "" if hit.reranked is None else f"  {hit.reranked:.3f}"
        print(f"{hit.rank:>2}  {hit.score:.4f}{read}  {hit.passage.document_id}  {text}")


@app.command()
def edit(
    document_id: str,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Its title.")] = None,
    publisher: Annotated[str | None, typer.Option("--publisher", metavar="NAME", help="Who published it.")] = None,
    published: Annotated[
        str | None, typer.Option("--published", metavar="DATE", help="YYYY, YYYY-MM or a day.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="ADDRESS", help="Where it was found.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="official, wire, newspaper ...")] = None,
    store: opt.StoreOption = None,
    json: opt.JsonOption = False,
) -> None:
    """Mend what is known of a document; it stays so when its file is added again. 'unknown' takes a value away."""
    from agent.cli.mend import edit_of
    from agent.cli.view import plain

    given = {"title": title, "publisher": publisher, "published": published, "url": url, "kind": kind}
    wanted = edit_of({name: value for name, value in given.items() if value is not None})
    with _open(store, write=True) as opened:
        found = opened.edit(document_id, wanted)
    if json:
        print(found.model_dump_json(indent=2, exclude={"text"}))
        return
    known = f"{found.published or 'undated'}  {found.kind.value}  {found.publisher or 'publisher unknown'}"
    print(plain(f"{found.id}  {known}  {found.title}"))


@app.command()
def remove(document_id: str, store: opt.StoreOption = None) -> None:
    """Remove a document and its passages."""
    with _open(store, write=True) as opened:
        opened.remove(document_id)
    print(f"removed {document_id}")


@app.command()
def check(store: opt.StoreOption = None, json: opt.JsonOption = False) -> None:
    """Prove that every passage is in both indexes, search for a sample, mend what can be. Exit code 1: it is wrong."""
    with _open(store, write=True) as opened:
        report = opened.check()
    print(report.model_dump_json(indent=2) if json else report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def rebuild(store: opt.StoreOption = None) -> None:
    """Make the dense index again from the record."""
    from agent.desk import embedder_of
    from agent.settings import load_settings
    from agent.store.hybrid import rebuild_store

    settings = load_settings({"store_dir": store, "profile": "local"})
    count = rebuild_store(settings.store_dir, embedder_of(settings), chroma_url=settings.chroma_url)
    print(f"{count} passages indexed again")
