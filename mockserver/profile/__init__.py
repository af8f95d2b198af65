"""Chip profiles: the table of quirks, and the editions and chips that are read from TOML."""
