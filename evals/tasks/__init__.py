"""One evaluation a file."""
