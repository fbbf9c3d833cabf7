"""Which sentences hold something to check, told before a language model is asked."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.desk import sentence_classifier
from agent.domain import SentenceStatus
from agent.errors import ModelError
from agent.llm.fake import ScriptedModel
from agent.settings import load_settings
from agent.stages.extract import SKIPPED_BELOW, SURE_FROM, extract_window, plan_windows
from agent.stages.select import (
    FEATURES,
    RecordedSelector,
    SentenceClassifier,
    SentenceModel,
    dismissed,
    features_of,
    load_sentence_model,
    select,
)
from agent.stages.sentences import split_sentences
from agent.store.memory import HashEmbedder
from tests.cli.command import needs_embedder

TEXT = "The mill burnt down in 1931. It is a shame. Nobody was hurt, the police said. I think they should rest!"
SENTENCES = split_sentences(TEXT)


class ByWord:
    """The chance is what a table says of a sentence's first word."""

    id = "by word"

    def __init__(self, **chances):
        self._chances = chances

    def chances(self, sentences):
        return [self._chances[sentence.split()[0]] for sentence in sentences]


SELECTOR = ByWord(The=0.9, It=0.1, Nobody=0.4, I=0.02)


def model_for(embedder, **features):
    weights = dict.fromkeys(FEATURES, 0.0) | features
    width = embedder.embed(["-"]).shape[1]
    return SentenceModel(embedder=embedder.id, embedding=(0.0,) * width, features=weights, bias=-1)


def test_what_is_dismissed_is_in_the_ledger_and_in_no_window():
    """Every sentence is in one of the two, and the reason tells the likelihood."""
    chances = select(SENTENCES, SELECTOR)
    told = dismissed(SENTENCES, chances)
    windows = plan_windows(SENTENCES, "Title", size=4, chances=chances)
    assert [one.entry.sentence.index for one in told] == [1, 3]
    assert [one.index for window in windows for one in window.sentences] == [0, 2]
    assert {one.entry.status for one in told} == {SentenceStatus.NOT_CHECKABLE}
    assert [one.entry.chance for one in told] == [0.1, 0.02]
    assert "0.10" in told[0].entry.reason


def test_what_is_left_out_between_is_still_what_came_before():
    """A window knows the dismissed sentences up to its last: they may say who "he" is."""
    (window,) = plan_windows(SENTENCES, "Title", size=4, chances=select(SENTENCES, SELECTOR))
    assert [one.index for one in window.before] == [1]
    assert window.chances == {0: 0.9, 2: 0.4}


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(1, 4), st.integers(1, 4))
def test_every_sentence_is_dismissed_or_in_one_window_whatever_the_chances(chances, size, first):
    """None is lost, none is twice, and the order is that of the text."""
    known = {one.index: chance for one, chance in zip(SENTENCES, chances, strict=True)}
    windows = plan_windows(SENTENCES, "Title", size=size, first=first, chances=known)
    asked = [one.index for window in windows for one in window.sentences]
    told = [one.entry.sentence.index for one in dismissed(SENTENCES, known)]
    assert asked == sorted(asked)
    assert sorted(asked + told) == [0, 1, 2, 3]
    assert all(window.sentences for window in windows)


def test_without_a_selector_all_are_asked_about():
    assert select(SENTENCES, None) == {}
    (window,) = plan_windows(SENTENCES, "Title", size=4)
    assert len(window.sentences) == 4
    assert dismissed(SENTENCES, {}) == ()


def test_a_model_that_finds_nothing_is_believed_only_where_the_classifier_is_not_sure():
    """A sure sentence is checked as it stands; a doubtful one is left to the model; both keep their chance."""
    (window,) = plan_windows(SENTENCES, "Title", size=4, chances=select(SENTENCES, SELECTOR))
    said = {"kind": "opinion", "claims": []}
    found = asyncio.run(extract_window(window, ScriptedModel([json.dumps({"s1": said, "s2": said})])))
    assert [one.entry.status for one in found] == [SentenceStatus.CHECKED, SentenceStatus.NOT_CHECKABLE]
    assert [claim.text for claim in found[0].claims] == ["The mill burnt down in 1931."]
    assert found[0].claims[0].is_sentence
    assert [one.entry.chance for one in found] == [0.9, 0.4]
    assert SKIPPED_BELOW < SURE_FROM


def test_the_chance_is_a_logistic_function_of_the_features():
    """With a weight on questions alone, a question is less likely and the rest stay at the bias."""
    embedder = HashEmbedder()
    found = SentenceClassifier(embedder, model_for(embedder, question=-2)).chances(["Is it so?", "It is so."])
    assert found == pytest.approx([1 / (1 + np.exp(3)), 1 / (1 + np.exp(1))])
    assert SentenceClassifier(embedder, model_for(embedder)).chances([]) == ()


def test_features_tell_what_they_are_called():
    rows = {name: features_of(["Can you see 3 boats?", "Norvik has a Mill."])[:, n] for n, name in enumerate(FEATURES)}
    assert rows["question"].tolist() == [1, 0]
    assert rows["has digits"].tolist() == [1, 0]
    assert rows["short"].tolist() == [1, 1]
    assert rows["second person"][0] > rows["second person"][1] == 0
    assert rows["capitals"].tolist() == pytest.approx([0, np.log(2)])
    assert features_of(["", "\u200b", "?"]).shape == (3, len(FEATURES))


def test_weights_of_another_embedder_are_refused():
    model = model_for(HashEmbedder()).model_copy(update={"embedder": "other"})
    with pytest.raises(ModelError, match="fit_select"):
        SentenceClassifier(HashEmbedder(), model)


def test_a_record_says_what_was_said():
    """What is not in the record is sent to the language model."""
    recorded = RecordedSelector("x", {SENTENCES[1].text: 0.1})
    assert [one.entry.sentence.index for one in dismissed(SENTENCES, select(SENTENCES, recorded))] == [1]


def test_the_shipped_weights_were_fitted_on_a_tuning_half():
    model = load_sentence_model()
    assert model.fitted.half == "tuning"
    assert set(model.features) == set(FEATURES)
    assert len(model.embedding) == 384


class TestShipped:
    """With the real embedder."""

    pytestmark = needs_embedder

    def test_facts_are_told_from_what_is_none(self):
        """Clear cases of both kinds, none of them from the sentences it was fitted on."""
        chances = sentence_classifier(load_settings({"profile": "local"})).chances(
            [
                "The bridge in Norvik opened on 3 May 1931 and cost 40 million crowns.",
                "Unemployment in the county fell from 8.2 to 6.1 percent between 2010 and 2014.",
                "Ana Lorca was elected mayor of Velmar in 2015.",
                "I think that we should all be proud of it!",
                "What do you want me to say?",
                "Thank you very much.",
            ]
        )
        assert min(chances[:3]) > SURE_FROM
        assert max(chances[3:]) < SKIPPED_BELOW


def test_what_has_no_word_is_sent_to_nobody():
    """Rules of tables and lone marks, with and without a classifier; they are told in the ledger."""
    found = split_sentences("| a | b |\n|---|---|\n| 1 | 2 |\n\n>\n\nThe mill burnt down.")
    for selector in (None, RecordedSelector("r", {})):
        chances = select(found, selector)
        told = [one.entry for one in dismissed(found, chances) if one.entry.reason == "holds no word"]
        assert [entry.sentence.text for entry in told] == ["|---|---|", ">"]
