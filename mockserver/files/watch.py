"""Which files below a folder are new, changed or gone. No thread: it looks when it is asked, a slice at a step.

A folder's time stamp tells of files that came and went, a file's own of edits. Looking costs one `stat` for each
folder and for at most `FILES_A_LOOK` files; with more files, an edit in place is seen some looks later. A folder that
changed is listed anew, which costs a `stat` for each of its files.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from stat import S_ISDIR
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES_A_LOOK: Final = 2000
FILES_A_STEP: Final = 400
"""Which take about a millisecond."""
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
        self._root = str(root)
        self._ending = ending
        self._folders = {"": _Folder()}
        self._round: Iterator[tuple[_Folder, str]] = iter(())

    def look(self) -> tuple[list[str], list[str]]:
        """Files that came or changed since the last look, and files that went.

        Each is named by its path below the root, with `/`. The first look names all files that are there.
        """
        changed: list[str] = []
        gone: list[str] = []
        deque(self.looking(changed, gone), maxlen=0)
        return changed, gone

    def looking(self, changed: list[str], gone: list[str]) -> Iterator[None]:
        """The same in steps of about a millisecond: the names are added to the two lists."""
        for seen, _ in enumerate(self._seen(changed, gone), 1):
            if seen % FILES_A_STEP == 0:
                yield

    def _seen(self, changed: list[str], gone: list[str]) -> Iterator[None]:
        """Look, and yield after each file or folder."""
        yield from self._edited(changed)
        waiting = sorted(self._folders, reverse=True)
        while waiting:
            name = waiting.pop()
            folder = self._folders.get(name)
            if folder is not None and not self._is_as_it_was(name, folder):
                yield from self._list(name, folder, changed, gone)
                waiting += sorted(folder.folders - self._folders.keys(), reverse=True)
                self._folders.update({one: _Folder() for one in folder.folders if one not in self._folders})
            yield

    def _edited(self, changed: list[str]) -> Iterator[None]:
        """Those of the next `FILES_A_LOOK` files that changed in place."""
        seen = 0
        for folder, name in islice(self._round, FILES_A_LOOK):
            seen += 1
            known, now = folder.files.get(name), _stamp(self._path(name))
            if known is not None and now is not None and now != known:
                folder.files[name] = now
                changed.append(name)
            yield
        if seen < FILES_A_LOOK:
            self._round = ((folder, name) for folder in list(self._folders.values()) for name in list(folder.files))

    def _is_as_it_was(self, name: str, folder: _Folder) -> bool:
        """Whether a folder need not be listed.

        The look after a change lists it once more: stamps are coarse, so that a file which came just after the first
        listing may not show in them.
        """
        now = _stamp(self._path(name))
        known, folder.stamp = folder.stamp, now
        relied, folder.settled = folder.settled, now == known
        return relied and folder.settled

    def _list(self, name: str, folder: _Folder, changed: list[str], gone: list[str]) -> Iterator[None]:
        """Note what lies in a folder; yields after each entry."""
        files = folder.files
        listed: set[str] = set()
        folders: set[str] = set()
        new: list[str] = []
        for entry in _entries(self._path(name)):
            yield
            if entry.name.startswith("."):
                continue
            inner = f"{name}/{entry.name}" if name else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.add(inner)
            elif entry.name.endswith(self._ending) and _is_file(entry) and (now := _stamp(entry.path)):
                listed.add(inner)
                if files.get(inner) != now:
                    files[inner] = now
                    new.append(inner)
        went = sorted([known for known in files if known not in listed])
        for known in went:
            del files[known]
        changed += sorted(new)
        gone += went
        lost, folder.folders = folder.folders - folders, folders
        for one in lost:
            self._forget(one, gone)

    def _forget(self, name: str, gone: list[str]) -> None:
        waiting = [name]
        while waiting:
            folder = self._folders.pop(waiting.pop(), _Folder())
            gone += sorted(folder.files)
            folder.files.clear()
            waiting += folder.folders

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"  # ten thousand names: a Path costs as much as reading them


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder; nothing where it went, or may not be read."""
    try:
        with os.scandir(path) as entries:
            yield from entries
    except OSError:
        return


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one; a link that leads in a circle or where nobody may look is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _stamp(path: str) -> Stamp | None:
    """What changes when a file does, or who may read it; None where it cannot be seen."""
    try:
        seen = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None
    rights = 0 if S_ISDIR(seen.st_mode) else seen.st_mode  # what lay in a folder that nobody may list has not gone
    return hash((seen.st_mtime_ns, seen.st_size, seen.st_ino, rights))
