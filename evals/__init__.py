"""Evaluation: gold cases, scorers, intervals and benchmarks."""
