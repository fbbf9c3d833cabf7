"""Many articles: read one by one, verified side by side, kept in a journal as each is finished."""
