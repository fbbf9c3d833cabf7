"""Embeddings from OpenAI or a server that speaks its protocol: over the network, so with the one retry policy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import AgentError, TransientModelError
from agent.llm.retry import insist
from agent.llm.translate import translated
from agent.settings import Settings, is_here, refuse_socks
from agent.small.base import Vectors

if TYPE_CHECKING:
    from langchain_openai import OpenAIEmbeddings

_AT_ONCE = 64
"""Texts in one request."""
_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


class ServerEmbedder:
    """An embedding model behind a server. Safe to call from many threads.

    Args:
        embeddings: LangChain's client, made with `max_retries=0`.
        attempts: most tries for a request, the first included.
        wait_base: seconds of the first back-off; 0 never waits.
    """

    def __init__(self, embeddings: OpenAIEmbeddings, *, attempts: int, wait_base: float) -> None:
        self._embeddings = embeddings
        self._attempts = attempts
        self._wait_base = wait_base

    @property
    def id(self) -> str:
        """`openai:` and the name of the model."""
        return f"openai:{self._embeddings.model}"

    @cached_property
    def dimension(self) -> int:
        """Length of a vector; of a model we do not know the server is asked once."""
        return _DIMENSIONS.get(self._embeddings.model) or len(self._ask(["-"])[0])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors in the order of the texts.

        Raises:
            ConfigError: the key, the address or the model is wrong.
            TransientModelError: the server does not answer, or not with a vector for each text.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        rows = [row for start in range(0, len(texts), _AT_ONCE) for row in self._ask(texts[start : start + _AT_ONCE])]
        vectors = np.asarray(rows, dtype=np.float32)
        unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit

    def _ask(self, texts: Sequence[str]) -> list[list[float]]:
        return insist(lambda: self._try_once(texts), attempts=self._attempts, wait_base=self._wait_base)

    def _try_once(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            # not by `embed_documents`, which takes vectors in the order they come in; an empty text is refused
            wanted = [text if text.strip() else "-" for text in texts]
            rows = self._embeddings.client.create(model=self._embeddings.model, input=wanted).data
            found = [list(row.embedding) for row in sorted(rows, key=lambda row: row.index or 0)]
        except AgentError:
            raise
        except Exception as error:  # the SDK lets type errors of broken bodies escape
            raise translated(error, self._embeddings.model) from error
        if len(found) != len(texts) or len({len(row) for row in found}) != 1:
            raise TransientModelError(
                f"{self.id!r} gave {len(found)} vectors for {len(texts)} texts, or of many lengths"
            )
        return found


def embedder_at(settings: Settings) -> ServerEmbedder:
    """The embedding model the settings name."""
    import httpx2
    from langchain_openai import OpenAIEmbeddings
    from pydantic import SecretStr

    refuse_socks(settings.base_url)
    trusts = not is_here(settings.base_url or "")
    embeddings = OpenAIEmbeddings(
        model=settings.embedding_model,
        openai_api_base=settings.base_url,
        openai_api_key=settings.api_key or SecretStr("none"),
        max_retries=0,
        request_timeout=settings.timeout,
        chunk_size=_AT_ONCE,
        check_embedding_ctx_length=False,  # else it downloads a vocabulary and sends numbers that only OpenAI reads
        http_client=httpx2.Client(trust_env=trusts, timeout=settings.timeout),
        http_async_client=httpx2.AsyncClient(trust_env=trusts, timeout=settings.timeout),
    )
    return ServerEmbedder(embeddings, attempts=settings.attempts, wait_base=settings.wait_base)
