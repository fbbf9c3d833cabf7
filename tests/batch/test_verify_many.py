"""`verify_many`: each article of the call once, bad ones as rows, and it goes on where it was broken off."""

from __future__ import annotations

import asyncio

from agent.batch.inputs import Row, text_article
from agent.batch.journal import Journal
from agent.batch.run import Desk, verify_many
from agent.ingest.chunk import cut_passages
from agent.llm.fake import ScriptedModel
from agent.store.memory import HashEmbedder, MemoryStore
from tests.desk import SOURCES, answer, settings_for


def row(name, n=3):
    return Row(name, name, text_article(f"The mill in Norvik burnt down in 2019. The fire killed {n} dockers."))


class Asked:
    """A model by rule that can be closed and is looked at afterwards."""

    def __init__(self):
        self._model = ScriptedModel(answer)
        self.id = self._model.id
        self.complete = self._model.complete

    @property
    def count(self):
        return len(self._model.requests)

    async def aclose(self):
        pass


def verify(folder, rows, *, most=None, pause=0):
    """What the call gives, and how often it asked the model."""
    embedder, model = HashEmbedder(), Asked()
    store = MemoryStore([(source, cut_passages(source)) for source in SOURCES], embedder=embedder)
    desk = Desk(settings_for(folder / "log", wait_base=0), store, embedder, model)

    async def work():
        found = []
        items = verify_many(rows, desk, out=folder / "run", workers=1)
        async for one in items:
            found.append(one)
            await asyncio.sleep(pause)
            if len(found) == most:
                break
        await items.aclose()
        return found

    return asyncio.run(work()), model.count


def test_each_article_once_in_the_order_of_the_input_with_one_worker_and_bad_ones_as_rows(tmp_path):
    """A row that is no article does not end it; a text that comes twice is given twice."""
    rows = [row("a"), Row("b", "b", None, "no text"), row("c", 4), row("again")]
    found, _ = verify(tmp_path, rows)
    assert [(one.id, item.state) for one, item in found] == [
        ("a", "done"), ("b", "rejected"), ("c", "done"), ("again", "done"),
    ]  # fmt: skip
    assert found[1][1].reason == "no text"
    assert len(found[0][1].result.verifications) == 2
    assert found[3][1].result == found[0][1].result


def test_who_takes_them_slowly_is_not_overrun(tmp_path):
    """While one result is looked at, no more articles are begun than there are workers."""
    taken = []

    def rows():
        for number in range(30):
            taken.append(number)
            yield row(f"a{number}", number)

    verify(tmp_path, rows(), most=3, pause=0.05)
    assert len(taken) <= 3 + 2


def test_only_the_articles_of_this_call_are_given(tmp_path):
    """The journal holds more, and asks nobody for what it holds."""
    verify(tmp_path, [row("a"), row("b", 5)])
    found, asked = verify(tmp_path, [row("b", 5)])
    assert ([one.id for one, _ in found], asked) == (["b"], 0)
    assert found[0][1].result.article.text.endswith("5 dockers.")


def test_left_early_the_same_call_goes_on(tmp_path):
    """What was finished is not asked again, and every article comes."""
    rows = [row(f"a{n}", n) for n in range(3, 9)]
    first, before = verify(tmp_path, rows, most=2)
    second, after = verify(tmp_path, rows)
    whole, all_at_once = verify(tmp_path / "unbroken", rows)
    assert len(first) == 2
    assert sorted(one.id for one, _ in second) == [one.id for one, _ in whole]
    assert after < all_at_once <= before + after <= all_at_once + 1  # at most the one in flight is asked again


def test_more_calls_with_different_inputs_lose_no_row_of_the_results(tmp_path):
    """Each call counts its inputs from nought."""
    for place in range(130):
        with Journal(tmp_path / "run") as journal:
            journal.link(row(f"p{place:03}"), place % 2, "k")
    with Journal(tmp_path / "run") as journal:
        journal._db.execute("INSERT INTO items VALUES ('k', 'failed', 'read', 'because', '{}', NULL)")
        assert len(list(journal.rows())) == 130
