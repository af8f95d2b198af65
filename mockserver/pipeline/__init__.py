"""The pure stages between a request's bytes and a plan: none waits, reads a clock or touches a socket."""
