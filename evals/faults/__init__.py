"""The desk under a model server that breaks: the fault matrix (`python -m evals.faults`) and the soak."""
