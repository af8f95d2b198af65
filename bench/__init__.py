"""Benchmarks: what the mock costs, as ratios against a bare ASGI app measured in the same run.

Machines are noisy and differ, so only ratios travel. `cases.py` ends in the table of all benchmarks, `report.py`
prints them, `serve.py` is the process that is measured, `servers.py` and `client.py` are the two ends that measure.
"""
