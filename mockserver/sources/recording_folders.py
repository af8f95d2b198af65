"""Recordings as a source: those of the operator's folders, and how they are played.

They lie among the fixtures, so `Fixtures` reads the folders and hands over what is in the recorded form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.sources.recording_file import read_recording
from mockserver.sources.recordings import Recordings
from mockserver.sources.replay import replayed
from mockserver.sources.staleness import pinned_headers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mockserver.core.exchange import Answer, ChatRequest, Plan
    from mockserver.sources.replay import ReplaySettings


KEPT_WHOLE: Final = 1000
"""Recordings that are kept whole: about 12 MiB, where they are small."""


class RecordingFolders:
    """The recordings below some folders as a source.

    Args:
        roots: How many folders they lie in; these are the first of those that fixtures are read from, and fixtures of
            later ones are asked after the recordings.
        settings: How recordings are played.
        default_chip: The chip of recordings whose path names none.

    Attributes:
        roots: See above.
        recordings: What there is.
    """

    def __init__(self, roots: int, settings: ReplaySettings, default_chip: str) -> None:
        self.roots = roots
        self.recordings = Recordings((), settings.match_on, KEPT_WHOLE, default_chip)
        self._settings = settings
        self._default_chip = default_chip

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

    def take(self, path: Path) -> None:
        """Take in a file that is new or changed; raises OperatorError where it is broken."""
        made = read_recording(path, self._default_chip)
        if made is None:
            self.recordings.remove(path)
        else:
            self.recordings.add(made)

    def drop(self, path: Path) -> None:
        """Give up the recording of a file, if there is one."""
        self.recordings.remove(path)
