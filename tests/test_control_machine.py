"""The control API against a simple model: namespaces by key, faults, answers, counters, clocks, what is forgotten."""

from __future__ import annotations

import asyncio
import json

import httpx
from hypothesis import settings

from mockserver.testing.mock_server import MockServer
from tests.control_machine import ControlMachine

ControlMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=15)
TestControlAgainstAModel = ControlMachine.TestCase


def test_the_same_over_a_socket() -> None:
    """A fixed walk through the same operations over a real socket: what holds in one process holds there."""
    with MockServer() as mock:
        machine = ControlMachine()
        machine.runner = asyncio.Runner()
        machine.client = httpx.AsyncClient(base_url=mock.url, trust_env=False)
        try:
            machine.script("key-a", "chip3", None, 2)
            machine.arm("key-a", 503, None, 1, 2, 1)
            for chip in ("chip3", "chip3", "nvidia", "chip3"):
                machine.chat("key-a", chip)
                machine.chat("key-c", chip)
            machine.advance("key-b", 60_000.0)
            machine.tells_what_the_model_has()
            machine.reset("key-a", journal=True, setup=False, counters=True)
            machine.remove_one("key-a", 1, "answer")
            machine.remove_one("key-b", 1, "fault")
            machine.release("key-a")
            machine.tells_what_the_model_has()
        finally:
            machine.teardown()
    assert json.dumps(sorted(machine.spaces)) == '["", "key-b"]'
