"""Recordings as a source: those of some folders, kept as they are on disk, and how they are played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.core.errors import OperatorError
from mockserver.files.bounded import UnreadableFileError
from mockserver.files.watch import Watch
from mockserver.sources.fixtures import CHECK_EVERY_S, KEPT
from mockserver.sources.recordings import Recordings, read_recording, replayed
from mockserver.sources.staleness import pinned_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mockserver.core.exchange import Answer, ChatRequest, Plan
    from mockserver.sources.recordings import ReplaySettings


class RecordingFolders:
    """The recordings below some folders as a source; `refresh` sees what came, changed or went.

    Args:
        roots: The folders.
        settings: How recordings are played.
        default_chip: The chip of recordings whose path names none.

    Attributes:
        broken: What is wrong with each file that cannot be used, one line each. Of one that was good and is broken now
            (half written, mostly) the last good state stays.
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
        self.broken: dict[Path, str] = {}
        self._untold = self._look()

    @property
    def looks_at_heads(self) -> bool:
        """Whether a recording is found by headers."""
        return bool(pinned_headers(self._settings.match_on))

    def answer(self, request: ChatRequest, prompt_tokens: Callable[[], int]) -> Answer | Plan | None:
        """What was recorded for a request; None for nothing. `prompt_tokens` counts it where the recording does not.

        Raises:
            Refusal: The request has changed, and must not have.
        """
        return replayed(self.recordings, request, self._settings, prompt_tokens)

    def near_misses(self, request: ChatRequest) -> list[str]:
        """The recordings most like a request that none fits, each with what keeps it from fitting."""
        return self.recordings.near_misses(request, anew=self._settings.mode == "regenerate")

    def refresh(self, now_s: float) -> list[str]:
        """See what changed on disk, at most every `CHECK_EVERY_S` seconds of Unix time.

        Returns:
            One line for each recording that is broken. What is no JSON at all is told as a fixture.
        """
        if self._checked_s is not None and abs(now_s - self._checked_s) < CHECK_EVERY_S:
            return []
        self._checked_s = now_s
        untold, self._untold = self._untold, []
        return untold + self._look()

    def _look(self) -> list[str]:
        reports = []
        for root, watch in self._watches:
            changed, gone = watch.look()
            self.changes += bool(changed or gone)
            for name in gone:
                self.recordings.remove(root / name)
                self.broken.pop(root / name, None)
            for path in (root / name for name in changed):
                self.broken.pop(path, None)
                try:
                    self._take(path)
                except UnreadableFileError:
                    continue  # told as a fixture
                except OperatorError as error:
                    self.broken[path] = str(error)
                    reports.append(f"{error}{KEPT if path in self.recordings else ''}")
        return reports

    def _take(self, path: Path) -> None:
        made = read_recording(path, self._default_chip)
        self.recordings.remove(path)
        if made is not None:
            self.recordings.add(made)
