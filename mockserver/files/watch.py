"""Which files below a folder are new, changed or gone. No thread: it looks when it is asked.

A folder's time stamp tells of files that came and went, a file's own of edits. Looking costs one `stat` for each
folder and for at most `FILES_A_LOOK` files; with more files, an edit in place is seen some looks later.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES_A_LOOK: Final = 500
Stamp = int
"""Of what changes when a file does; a number, since there may be a hundred thousand of them."""


@dataclass(slots=True)
class _Folder:
    """What was seen of a folder: its stamp, whether the listing can be relied on, and what lies in it by name."""

    stamp: Stamp | None = None
    settled: bool = False
    files: dict[str, Stamp] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)


class Watch:
    """Remembers the files below `root` whose names end as asked; hidden ones and links to folders are left out."""

    def __init__(self, root: Path, ending: str = ".json") -> None:
        self._root = root
        self._ending = ending
        self._folders = {"": _Folder()}
        self._round: Iterator[tuple[_Folder, str]] = iter(())

    def look(self) -> tuple[list[str], list[str]]:
        """Files that came or changed since the last look, and files that went.

        Each is named by its path below the root, with `/`. The first look names all files that are there.
        """
        changed = self._edited()
        gone: list[str] = []
        waiting = sorted(self._folders, reverse=True)
        while waiting:
            name = waiting.pop()
            folder = self._folders.get(name)
            if folder is not None and not self._is_as_it_was(name, folder):
                waiting += self._list(name, folder, changed, gone)
        return changed, gone

    def _edited(self) -> list[str]:
        """Those of the next `FILES_A_LOOK` files that changed in place."""
        changed = []
        due = list(islice(self._round, FILES_A_LOOK))
        if len(due) < FILES_A_LOOK:
            self._round = iter([(folder, name) for folder in self._folders.values() for name in folder.files])
        for folder, name in due:
            known, now = folder.files.get(name), _stamp(self._path(name))
            if known is not None and now is not None and now != known:
                folder.files[name] = now
                changed.append(name)
        return changed

    def _is_as_it_was(self, name: str, folder: _Folder) -> bool:
        """Whether a folder need not be listed.

        The look after a change lists it once more: stamps are coarse, so that a file which came just after the first
        listing may not show in them.
        """
        now = _stamp(self._path(name))
        known, folder.stamp = folder.stamp, now
        relied, folder.settled = folder.settled, now == known
        return relied and folder.settled

    def _list(self, name: str, folder: _Folder, changed: list[str], gone: list[str]) -> list[str]:
        """Note what lies in a folder; returns the folders in it that are new."""
        files: dict[str, Stamp] = {}
        folders: set[str] = set()
        try:
            entries = list(os.scandir(self._path(name)))
        except OSError:  # it went, or may not be read: nothing lies in it
            entries = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            inner = f"{name}/{entry.name}" if name else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.add(inner)
            elif entry.name.endswith(self._ending) and entry.is_file() and (now := _stamp(entry.path)):
                files[inner] = now
        changed += sorted(inner for inner, now in files.items() if folder.files.get(inner) != now)
        gone += sorted(folder.files.keys() - files.keys())
        lost, new = folder.folders - folders, folders - folder.folders
        folder.files, folder.folders = files, folders
        for one in lost:
            self._forget(one, gone)
        self._folders.update({one: _Folder() for one in new})
        return sorted(new, reverse=True)

    def _forget(self, name: str, gone: list[str]) -> None:
        waiting = [name]
        while waiting:
            folder = self._folders.pop(waiting.pop())
            gone += sorted(folder.files)
            folder.files.clear()
            waiting += folder.folders

    def _path(self, name: str) -> str:
        return os.path.join(self._root, name)  # noqa: PTH118 - ten thousand names: Path costs as much as reading them


def _stamp(path: str) -> Stamp | None:
    """What changes when a file does; None where it cannot be seen."""
    try:
        seen = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None
    return hash((seen.st_mtime_ns, seen.st_size, seen.st_ino))
