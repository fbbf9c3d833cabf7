"""The stages a claim passes, each a plain function: see docs/design.md."""
