"""Where answers come from, in order: fixtures, then synthetic text."""
