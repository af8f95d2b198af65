"""The sources in order: the operator's fixtures and then recordings, shipped fixtures, and synthetic text.

With `strict` nothing is synthesised: what nothing fits is refused, with near misses.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mockserver.core.errors import Refusal
from mockserver.sources import tokens
from mockserver.sources.fixture_answer import answer_of
from mockserver.sources.identity import identified

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.core.exchange import Answer, ChatRequest, Plan
    from mockserver.profile.edition import Edition
    from mockserver.sources.fixtures import Fixtures
    from mockserver.sources.recording_folders import RecordingFolders
    from mockserver.sources.synthetic import Synthetic

log = logging.getLogger("mockserver")


class Sources:
    """Where answers come from. A broken fixture is told in the log and left out, at the start and when files change.

    Args:
        edition: Whose figures count tokens.
        fixtures: Answers that people wrote.
        recordings: Exchanges as they were, or None.
        synthetic: Text for everything else.
        strict: Nothing is synthesised.
        own_identity: A fixture's own `id` and `created` stand; a live service would give new ones.
        now_s: Seconds since the Unix epoch, for looking after changed files and for `expires`.
    """

    def __init__(
        self,
        edition: Edition,
        fixtures: Fixtures,
        recordings: RecordingFolders | None,
        synthetic: Synthetic,
        *,
        strict: bool,
        own_identity: bool = True,
        now_s: Callable[[], float],
    ) -> None:
        self._edition = edition
        self._fixtures = fixtures
        self._recordings = recordings
        self._synthetic = synthetic
        self._strict = strict
        self._own_identity = own_identity
        self._now_s = now_s
        self._generation = self._changes = 0
        self._refresh()

    def generation(self) -> int:
        """A number that changes when the same request may get another answer: files changed, a sequence went on."""
        self._refresh()
        return self._generation

    def answer(self, request: ChatRequest) -> Answer | Plan:
        """What is said to a request; raises Refusal where a fixture says so, or where strict and nothing matches."""
        self._refresh()
        found = self._fixtures.find(request, request.namespace) if request.answer_style is None else None
        if request.answer_style is None and self._recordings is not None:
            shipped = found is None or found.fixture.root >= self._recordings.roots
            recorded = self._recordings.answer(request) if shipped else None
            if recorded is not None:
                return recorded
        if found is not None:
            self._generation += found.fixture.file.answer is None  # one of a sequence
            said = answer_of(found.said, found.fixture.name, lambda: tokens.prompt_tokens(request, self._edition))
            return identified(said, request.messages, own=self._own_identity)
        if self._strict:
            refusal = self._fixtures.no_match(request)
            near = self._recordings.recordings.near_misses(request) if self._recordings is not None else []
            more = f"; nearest recordings: {'; '.join(near)}" if near else ""
            raise Refusal(refusal.kind, f"{refusal.detail}{more}")
        return self._synthetic.answer(request)

    def forget(self, namespace: str) -> None:
        """Sequences of fixtures begin again for a namespace."""
        self._fixtures.forget_calls(namespace)
        self._generation += 1

    def _refresh(self) -> None:
        now_s = self._now_s()
        reports, changes = self._fixtures.refresh(now_s), self._fixtures.changes
        if self._recordings is not None:
            reports += self._recordings.refresh(now_s)
            changes += self._recordings.changes
        for report in reports:
            log.warning("%s", report)
        if changes != self._changes:
            self._changes = changes
            self._generation += 1
