"""Pages for people: pure functions of finished runs."""
