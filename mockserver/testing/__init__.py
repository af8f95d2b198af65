"""What a test holds: the mock in a thread, the session, what was seen, and the pytest plugin."""
