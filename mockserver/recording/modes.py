"""When the recorder asks the live service: the one table of its modes."""

from __future__ import annotations

from typing import Final, Literal

Mode = Literal["none", "once", "new-episodes", "all"]
MODES: Final[dict[Mode, str]] = {
    "none": "only replay, a miss is a 404",
    "once": "record where the folder holds no recording yet, else replay",
    "new-episodes": "replay what is there, record the rest",
    "all": "ask every time",
}
"""Each mode with its sentence for help."""
DEFAULT: Final[Mode] = "new-episodes"
