"""Tests of reading, cutting and taking in sources."""
