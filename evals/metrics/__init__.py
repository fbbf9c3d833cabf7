"""Statistics of case scores: each a function of weights on its cases, so that one bootstrap serves all."""
