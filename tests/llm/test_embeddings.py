"""Embeddings over a real socket."""

from __future__ import annotations

import json

import numpy as np
import pytest
from werkzeug import Response

from agent.desk import embedder_of
from agent.errors import ConfigError, StoreError, TransientModelError
from agent.ingest.chunk import cut_passages
from agent.llm.embeddings import embedder_at
from agent.settings import load_settings
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder
from tests.build import document


def embedder(httpserver, *, model="own-model", attempts=3):
    chosen = {
        "profile": "compatible", "model": "m", "base_url": httpserver.url_for("/v1"), "embedder": "openai",
        "embedding_model": model, "attempts": attempts, "wait_base": 0, "api_key": "sk-test",
    }  # fmt: skip
    return embedder_at(load_settings(chosen, {}))


def vectors(request):
    """Three numbers that tell the text, as the protocol has them."""
    texts = json.loads(request.data)["input"]
    rows = [
        {"object": "embedding", "index": number, "embedding": [float(len(text)), 1.0, 2.0]}
        for number, text in enumerate(texts)
    ]
    body = {"object": "list", "data": rows, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    return Response(json.dumps(body), content_type="application/json")


def test_texts_are_sent_as_they_are_and_come_back_as_unit_vectors(httpserver):
    """Plain strings, not token numbers; every row has the length one."""
    httpserver.expect_request("/v1/embeddings").respond_with_handler(vectors)
    found = embedder(httpserver).embed(["The mill.", "It burnt down."])
    sent = json.loads(httpserver.log[0][0].data)
    assert sent["input"] == ["The mill.", "It burnt down."]
    assert sent["model"] == "own-model"
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1])
    assert found[0] == pytest.approx(np.array([9, 1, 2]) / np.sqrt(86), abs=1e-6)


def test_vectors_that_come_out_of_order_are_put_in_order(httpserver):
    """`index` says whose each is."""

    def shuffled(request):
        body = json.loads(vectors(request).data)
        return Response(json.dumps(body | {"data": body["data"][::-1]}), content_type="application/json")

    httpserver.expect_request("/v1/embeddings").respond_with_handler(shuffled)
    found = embedder(httpserver).embed(["a", "bbbb", "cc"])
    assert [round(row[0] / row[1]) for row in found] == [1, 4, 2]


def test_many_texts_are_sent_in_some_requests(httpserver):
    """Order is kept over the requests."""
    httpserver.expect_request("/v1/embeddings").respond_with_handler(vectors)
    found = embedder(httpserver).embed(["x" * number for number in range(1, 151)])
    assert found.shape == (150, 3)
    assert (np.diff(found[:, 0]) > 0).all()
    assert len(httpserver.log) == 3


def test_the_server_is_asked_for_the_length_of_an_unknown_model_once(httpserver):
    """Of OpenAI's own models it is known."""
    httpserver.expect_request("/v1/embeddings").respond_with_handler(vectors)
    one = embedder(httpserver)
    assert (one.dimension, one.dimension) == (3, 3)
    assert len(httpserver.log) == 1
    assert embedder(httpserver, model="text-embedding-3-large").dimension == 3072
    assert len(httpserver.log) == 1


def test_an_outage_is_tried_again_as_often_as_the_settings_say(httpserver):
    """The client itself tries nothing again: three tries are three requests."""
    httpserver.expect_request("/v1/embeddings").respond_with_data("busy", status=503)
    with pytest.raises(TransientModelError, match="503"):
        embedder(httpserver).embed(["A."])
    assert len(httpserver.log) == 3


def test_a_try_that_goes_well_ends_it(httpserver):
    """One refusal, then vectors."""
    httpserver.expect_ordered_request("/v1/embeddings").respond_with_data("slow down", status=429)
    httpserver.expect_ordered_request("/v1/embeddings").respond_with_handler(vectors)
    assert embedder(httpserver).embed(["A."]).shape == (1, 3)


def test_a_wrong_key_is_not_tried_again(httpserver):
    """The cure is named."""
    httpserver.expect_request("/v1/embeddings").respond_with_data("{}", status=401)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        embedder(httpserver).embed(["A."])
    assert len(httpserver.log) == 1


def test_fewer_vectors_than_texts_are_no_answer(httpserver):
    """Nothing is written to a store from it."""
    body = {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    httpserver.expect_request("/v1/embeddings").respond_with_json(body)
    with pytest.raises(TransientModelError):
        embedder(httpserver, attempts=1).embed(["A."])


def test_a_store_made_with_it_is_searched_with_it_and_refuses_another(httpserver, tmp_path):
    """The id of the embedder is part of the store."""
    httpserver.expect_request("/v1/embeddings").respond_with_handler(vectors)
    source = document("The mill of Norvik burnt down.")
    with Store.open(tmp_path, embedder(httpserver), write=True, create=True) as store:
        store.add([(source, cut_passages(source))])
    with pytest.raises(StoreError, match=r"'openai:own-model' \(3 dimensions\), not 'hash:384'"):
        Store.open(tmp_path, HashEmbedder())


def test_without_key_and_address_the_cure_is_named():
    """Profile local has neither."""
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        embedder_of(load_settings({"profile": "local", "embedder": "openai"}, {}))
