"""What lies on disk: read with checks, written whole or not at all, and never with a secret in it."""
