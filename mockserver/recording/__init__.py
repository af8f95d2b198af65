"""Recording: the proxy, what it may keep, the files, and their other formats."""
