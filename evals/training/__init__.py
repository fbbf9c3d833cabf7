"""How the small models and their parameters were made."""
