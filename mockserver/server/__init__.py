"""The server: the only part that waits, reads a clock and touches sockets."""
