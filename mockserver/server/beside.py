"""Work on the disk that would hold up the loop, beside it: a thread takes its steps."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("mockserver")


def beside(steps: Iterator[None]) -> Future[None]:
    """Take steps of about a millisecond in a thread, which lets the loop go first after each of them.

    Returns:
        What is done when the last step was taken, or one failed, which is told in the log.
    """
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()  # who waits for it may leave without ending it for others
    threading.Thread(target=_take, args=(steps, done), name="genstudio-mock files", daemon=True).start()
    return done


def _take(steps: Iterator[None], done: Future[None]) -> None:
    try:
        for _ in steps:
            time.sleep(0)
    except Exception:
        log.exception("genstudio-mock failed while it read files; this is a bug")
    finally:
        done.set_result(None)
