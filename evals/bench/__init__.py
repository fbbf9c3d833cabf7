"""Benchmarks: speed, calls, tokens and memory, as figures and never as tests."""
