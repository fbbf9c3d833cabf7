"""From a case and its outcome to a score: one pure function for each stage."""
