"""Agent frameworks of others against real servers: what each makes of the mock, on which chip.

Each is a program in `programs/` that runs in an environment of its own, with the versions that `versions/` pins.
"""
