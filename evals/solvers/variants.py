"""Extraction with one part of it left out, or put in: what each is worth.

All ask about one sentence a call, so that what two of them have in common is asked, and paid, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from agent.desk import sentence_classifier
from agent.domain import Sentence
from agent.llm.base import ChatModel, ChatReply, ChatRequest
from agent.pipeline import Deps
from agent.stages.extract import SKIPPED_BELOW, SURE_FROM, Fits, Window
from agent.stages.select import Selector
from evals.cases import SentenceCase
from evals.record import Outcome
from evals.solvers.base import Solver
from evals.solvers.extract import ClassifierSolver, ExtractSolver
from prompts import load


class _WithoutExamples:
    """The model, asked without the worked examples of the prompt."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.id = f"{model.id}, no examples"

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The reply to the instructions and the question alone; a repair turn, which follows them, is kept."""
        question = len(load("extract").turns) - 1
        messages = (request.messages[0], *request.messages[question:])
        return await self._model.complete(request.model_copy(update={"messages": messages}))


class SelectionSolver:
    """Says of a sentence whether the pipeline would check it, and asks the language model only where that decides."""

    def __init__(self, selector: Selector, doubtful: ExtractSolver) -> None:
        self._selector = selector
        self._doubtful = doubtful

    async def solve(self, case: SentenceCase) -> Outcome:
        """A ledger entry; claims are not looked at."""
        (chance,) = await asyncio.to_thread(self._selector.chances, [case.text])
        if SKIPPED_BELOW <= chance < SURE_FROM:
            return (await self._doubtful.solve(case)).model_copy(update={"claims": None})
        return await ClassifierSolver(self._selector).solve(case)


def _alone(deps: Deps, *, repair: bool = False, fits: Fits | None = None) -> ExtractSolver:
    settings = deps.settings.model_copy(update={"window": 1, "first_window": None, "repair": repair})
    return ExtractSolver(deps.model, settings, guard=deps.guard, selector=deps.selector, fits=fits)


def _anything(text: str, sentence: Sentence, window: Window) -> bool:  # noqa: ARG001 (the form of a guard)
    return True


VARIANTS: dict[str, Callable[[Deps], Solver[SentenceCase]]] = {
    "alone": _alone,
    "no_classifier": lambda deps: _alone(replace(deps, selector=None)),
    "no_examples": lambda deps: _alone(replace(deps, model=_WithoutExamples(deps.model))),
    "no_word_guards": lambda deps: _alone(deps, fits=_anything),
    "no_entailment": lambda deps: _alone(replace(deps, guard=None)),
    "no_guards": lambda deps: _alone(replace(deps, guard=None), fits=_anything),
    "repair": lambda deps: _alone(deps, repair=True),
    "selection": lambda deps: SelectionSolver(sentence_classifier(deps.settings), _alone(deps)),
}
"""Solvers of the extract stage: `alone` is the pipeline, one sentence a call, which the others are set against."""
