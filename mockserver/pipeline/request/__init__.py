"""The parts of the stage `admit`: rules, head, body, messages and fields of a request."""
