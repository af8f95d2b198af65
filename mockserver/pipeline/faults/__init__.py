"""Faults, one family a file: what goes wrong on purpose."""
