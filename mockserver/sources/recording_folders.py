"""Recordings as a source: those of some folders, kept as they are on disk, and how they are played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.core.errors import OperatorError
from mockserver.files.exchange_file import UnreadableFileError, read_if_exchange
from mockserver.files.watch import Watch
from mockserver.sources.fixtures import CHECK_EVERY_S
from mockserver.sources.recordings import Recordings, recording, replayed
from mockserver.sources.staleness import pinned_headers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mockserver.core.exchange import Answer, ChatRequest, Plan
    from mockserver.sources.recordings import ReplaySettings


class RecordingFolders:
    """The recordings below some folders as a source; `refresh` sees what came, changed or went.

    Args:
        roots: The folders.
        settings: How recordings are played.
        default_chip: The chip of recordings whose path names none.

    Raises:
        OperatorError: A file is broken now; one that breaks later is told by `refresh` and left out.

    Attributes:
        roots: How many folders there are; they are the first of those that fixtures are read from, and fixtures of
            later ones are asked after the recordings.
        recordings: What there is.
        changes: How often that changed.
    """

    def __init__(self, roots: Sequence[Path], settings: ReplaySettings, default_chip: str) -> None:
        self.roots = len(roots)
        self.recordings = Recordings(match_on=settings.match_on)
        self.changes = 0
        self._settings = settings
        self._default_chip = default_chip
        self._watches = [(root, Watch(root)) for root in roots]
        self._checked_s: float | None = None
        for root, watch in self._watches:
            for name in watch.look()[0]:
                self._take(root / name)

    @property
    def looks_at_heads(self) -> bool:
        """Whether a recording is found by headers."""
        return bool(pinned_headers(self._settings.match_on))

    def answer(self, request: ChatRequest) -> Answer | Plan | None:
        """What was recorded for a request; None for nothing; raises Refusal where the request must not have changed."""
        return replayed(self.recordings, request, self._settings)

    def refresh(self, now_s: float) -> list[str]:
        """See what changed on disk, at most every `CHECK_EVERY_S` seconds of Unix time.

        Returns:
            One line for each recording that is broken. What is no JSON at all is told as a fixture.
        """
        if self._checked_s is not None and abs(now_s - self._checked_s) < CHECK_EVERY_S:
            return []
        self._checked_s = now_s
        reports = []
        for root, watch in self._watches:
            changed, gone = watch.look()
            self.changes += bool(changed or gone)
            for name in (*gone, *changed):
                self.recordings.remove(root / name)
            for name in changed:
                try:
                    self._take(root / name)
                except UnreadableFileError:
                    continue
                except OperatorError as error:
                    reports.append(str(error))
        return reports

    def _take(self, path: Path) -> None:
        file = read_if_exchange(path)
        made = recording(path, file, self._default_chip) if file is not None else None
        if made is not None:
            self.recordings.add(made)
