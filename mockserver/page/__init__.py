"""The inspector's page: what it draws, its files, and the same as one file without a server."""
