"""Language models behind one protocol: adapter, retries, cache, replies, the embedded server."""
