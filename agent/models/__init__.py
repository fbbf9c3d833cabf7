"""Model files: which there are, where they come from, what their hash must be."""
