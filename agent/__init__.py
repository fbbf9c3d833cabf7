"""factdesk: an article in, a verdict with exact citations for every claim out."""

__version__ = "0.1.0"
