"""How many sentences a second the sentence classifier sorts, without a language model."""

from __future__ import annotations

from collections.abc import Iterator

from agent.desk import sentence_classifier
from agent.settings import load_settings
from agent.stages.sentences import split_sentences
from evals.bench.measure import Measure, of, timed
from evals.suites import find_suite, load_suite

_SENTENCES = 500
_QUICK = 20


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Sentences of the smoke suite's documents, sorted all at once."""
    corpus = load_suite(find_suite("smoke")).corpus.values()
    texts = [one.text for document in corpus for one in split_sentences(document.text)][
        : _QUICK if quick else _SENTENCES
    ]
    classifier = sentence_classifier(load_settings({"profile": "local"}))
    classifier.chances(texts[:8])
    seconds = timed(lambda: classifier.chances(texts), repeats=1 if quick else 5)
    rates = [len(texts) / one for one in seconds]
    yield of("selection: sentences sorted a second", rates, "1/s", better="higher", note=f"{len(texts)} sentences")
