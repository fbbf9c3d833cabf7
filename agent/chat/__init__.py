"""The chat: an article being checked, and a conversation over the stored run."""
