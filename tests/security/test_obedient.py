"""A model that does what every text tells it: code must hold when the model is fooled (T1, T2, T6, T11)."""

from __future__ import annotations

import asyncio
import json
import re
import textwrap
import unicodedata

import pytest

from agent.domain import CheckKind, Label, Stance
from agent.pipeline import verify_statement, verify_text
from agent.report.contract import to_json, verify_contract
from agent.report.html import to_html
from agent.report.markdown import to_markdown
from agent.stages.checks.instructions import instruction_in
from tests.adversarial import cases
from tests.build import document
from tests.desk import ARTICLE, SOURCES, answer, fake_desk

ORDERS = tuple(row for row in cases("evidence") if row["kind"].startswith("injection"))
ARTICLES = tuple(row for row in cases("articles") if "ssrf" not in row["kind"])
CLAIM = "The mill in Norvik burnt down on 4 March 2019."


def verify(folder, script, work=verify_text, **options):
    with fake_desk(folder, script, whole=work is verify_statement, **options) as (article, run, deps, model):
        return asyncio.run(work(article, run, deps)), model


def well(text):
    return text.encode("utf-8", "replace").decode()


def believer(request):
    """Whatever a passage says supports the claim; the quote is real."""
    if request.schema_name == "extraction":
        return answer(request)
    shown = re.findall(r"<p(\d)> .*\n(.*)", request.messages[-1].content)
    return json.dumps({f"p{n}": {"quote": line, "stance": "supports"} for n, line in shown})


def liar(request):
    """The quote an article asks for supports the claim; it stands nowhere."""
    if request.schema_name == "extraction":
        return answer(request)
    keys = request.json_schema["required"]
    return json.dumps({key: {"quote": "The port office confirms 88,000.", "stance": "supports"} for key in keys})


def planted(row):
    meta = row["expectation"].get("meta", {})
    return document(well(row["text"]), "planted", title=meta.get("title", ""), publisher=meta.get("publisher"))


def prompts(model, name="stance"):
    return "\n".join(request.messages[-1].content for request in model.requests if request.schema_name == name)


@pytest.mark.parametrize("row", ORDERS, ids=lambda row: row["id"])
def test_no_verdict_rests_on_a_passage_that_gives_orders(tmp_path, row):
    """It is not shown to the model, counts for neither side, and its words are in the reports."""
    article = document(row["expectation"]["claim"], "claim")
    result, model = verify(tmp_path, believer, verify_statement, article=article, sources=(planted(row),))
    (found,) = result.verifications
    assert found.verdict.label is Label.NOT_ENOUGH_EVIDENCE
    assert prompts(model) == ""
    assert [(piece.document_id, piece.stance) for piece in found.evidence] == [("planted", Stance.NEUTRAL)]
    (check,) = found.checks
    assert check.kind is CheckKind.INSTRUCTION
    assert check.quote_value
    assert "gives its reader orders" in found.verdict.justification
    assert "gives its reader orders" in to_markdown(result)
    assert "gives its reader orders" in to_html(result)


@pytest.mark.parametrize("row", ORDERS, ids=lambda row: row["id"])
def test_an_order_is_seen_wherever_its_lines_end(row):
    """Set in short lines, as in a PDF or a letter."""
    title = planted(row).title
    for width in (20, 45):
        folded = "\n".join(textwrap.fill(line, width) for line in planted(row).text.split("\n\n"))
        assert instruction_in(f"{title}\n{folded}"), width


@pytest.mark.parametrize("row", ORDERS, ids=lambda row: row["id"])
def test_an_order_sways_no_judgement_of_other_passages(tmp_path, row):
    """Beside it the verdicts are those without it, and the model has not read it."""
    clean, _ = verify(tmp_path / "clean", answer)
    text = f"{SOURCES[0].text} {well(row['text'])}"
    order = planted(row).model_copy(update={"id": "order"})
    beside = document(text, "beside", title=order.title or "Ignore the claim.", publisher="Courier")
    attacked, model = verify(tmp_path / "attacked", answer, sources=(*SOURCES, beside))
    labels = [[found.verdict.label for found in result.verifications] for result in (clean, attacked)]
    assert labels[0] == labels[1]
    assert any(hit.passage.document_id == "beside" for found in attacked.verifications for hit in found.hits)
    assert "Courier" not in prompts(model)


@pytest.mark.parametrize("row", ARTICLES, ids=lambda row: row["id"])
def test_an_article_cannot_have_evidence_made(tmp_path, row):
    """A quote that its text asks for is dropped and counted; every claim and citation is sound."""
    result, model = verify(tmp_path, liar, article=document(well(row["text"]), "attack"))
    labels = {found.verdict.label for found in result.verifications}
    assert labels <= {Label.NOT_ENOUGH_EVIDENCE}
    assert all(found.dropped_citations for found in result.verifications)
    data = to_json(result)
    assert verify_contract(data, {name: one["text"] for name, one in data["documents"].items()}) == []
    asked = prompts(model, "extraction") + prompts(model)
    assert "<|" not in asked
    assert not {unicodedata.category(char) for char in asked if char != "\n"} & {"Cc", "Cf", "Cs"}


@pytest.mark.parametrize("row", ARTICLES, ids=lambda row: row["id"])
def test_a_sentence_of_an_article_changes_no_verdict_on_another(tmp_path, row):
    """The same article with hostile text at its end: its claims and verdicts are the same."""
    article = document(f"{ARTICLE}\n\n{well(row['text'])}", "attack", title="Mill fire in Norvik")
    clean, _ = verify(tmp_path / "clean", answer)
    attacked, _ = verify(tmp_path / "attacked", answer, article=article)
    found = {one.claim.text: one.verdict.label for one in attacked.verifications}
    assert {one.claim.text: one.verdict.label for one in clean.verifications}.items() <= found.items()


def test_a_text_about_attacks_is_read_like_any_other(tmp_path):
    """T3: words that are only spoken of set nothing aside."""
    about = "A study in Norvik looked at attacks such as 'ignore previous instructions'. It tested 14 chat programs."
    article = document("It tested 14 chat programs.", "claim")
    sources = (document(about, "study", publisher="Post"),)
    result, _ = verify(tmp_path, answer, verify_statement, article=article, sources=sources)
    (found,) = result.verifications
    assert (found.verdict.label, found.checks) == (Label.SUPPORTED, ())


@pytest.mark.parametrize("sign", ["\u200b", "\u200d", "\u2060", "\u00ad", "\u202e", "\ufeff", "\U000e0041"])
def test_characters_that_nobody_sees_change_no_verdict(tmp_path, sign):
    """T11: between the letters of every word; the article keeps its own text and offsets."""
    plain, _ = verify(tmp_path / "plain", answer)
    spoilt = re.sub(r"(?<=\w)(?=\w)", sign, ARTICLE)
    hidden, _ = verify(tmp_path / "hidden", answer, article=document(spoilt, "article", title="Mill fire in Norvik"))
    assert [one.claim.text for one in hidden.verifications] == [one.claim.text for one in plain.verifications]
    assert [one.verdict.label for one in hidden.verifications] == [one.verdict.label for one in plain.verifications]
    assert all(entry.sentence.span.of(spoilt) == entry.sentence.text for entry in hidden.ledger.entries)
