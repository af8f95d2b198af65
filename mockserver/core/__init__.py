"""The nouns, and the facts that every layer shares: nothing here waits, reads a clock or touches a socket."""
