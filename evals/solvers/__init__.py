"""Ways to come from a case to an outcome: the pipeline, one stage of it, or a baseline that keeps us honest."""
