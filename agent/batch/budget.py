"""What a batch may cost, and what it has cost; prices come from one table that anyone can edit."""

from __future__ import annotations

import time
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from agent.domain import Usage
from agent.errors import ConfigError


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    prompt: float
    cached: float
    completion: float
    batch: float | None = None
    """What part of it a provider's Batch API takes; None when the table does not say."""

    def by_batch(self) -> Price | None:
        """The price through the provider's Batch API."""
        if self.batch is None:
            return None
        part = self.batch
        return Price(part * self.prompt, part * self.cached, part * self.completion)

    def of(self, usage: Usage) -> float:
        """What that usage costs."""
        fresh = usage.prompt_tokens - usage.cached_tokens
        total = fresh * self.prompt + usage.cached_tokens * self.cached + usage.completion_tokens * self.completion
        return total / 1e6


def price_of(model: str, table: Path | None = None) -> Price | None:
    """The price of a model; None when the table does not say.

    Raises:
        ConfigError: the table cannot be read.
    """
    try:
        shipped = files("agent.batch").joinpath("prices.toml").read_text(encoding="utf-8")
        rows = tomllib.loads(table.read_text(encoding="utf-8") if table else shipped)
        row = rows.get(model)
        if row is None:
            return None
        prompt, cached, completion = (float(row[name]) for name in ("prompt", "cached", "completion"))
        return Price(prompt, cached, completion, float(row["batch"]) if "batch" in row else None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"price table {str(table)!r} cannot be read ({error}): give prompt, cached, completion"
        ) from error


@dataclass(frozen=True)
class Budget:
    """Limits of one call of the command; None is no limit."""

    cost: float | None = None
    tokens: int | None = None
    seconds: float | None = None
    price: Price | None = None
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """A limit in money needs a price."""
        if self.cost is not None and self.price is None:
            raise ConfigError(
                "--max-cost needs the price of the model, and none is known: give a table with --prices FILE, or a"
                " limit with --max-tokens"
            )

    def spent(self, usage: Usage) -> str:
        """Which limit has been reached, or cannot be kept; empty when none has."""
        tokens = usage.prompt_tokens + usage.completion_tokens
        if usage.model_calls and not tokens and (self.tokens is not None or self.cost is not None):
            return "the server does not count tokens, so no budget of tokens or money can be kept"
        if self.tokens is not None and tokens >= self.tokens:
            return f"the budget of {self.tokens} tokens is spent"
        if self.cost is not None and self.price is not None and self.price.of(usage) >= self.cost:
            return f"the budget of {self.cost:g} US dollars is spent"
        if self.seconds is not None and time.monotonic() - self.began >= self.seconds:
            return f"the time of {self.seconds:g} s is over"
        return ""
