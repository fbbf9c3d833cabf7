"""Results as text: pure functions from a Result to Markdown, HTML, JSON and CSV."""
