"""The one table of settings, and how a configuration becomes a mock."""
