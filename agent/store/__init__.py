"""Sources and passages: a SQLite record with a lexical index beside a Chroma dense index."""
