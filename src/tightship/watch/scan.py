"""Look for files: one at a time, so that a folder of any size is gone through in the same memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tightship.watch.choice import Choice
from tightship.watch.recipe import Recipe
from tightship.watch.sighting import Sighting

#: Told of a folder that cannot be looked into.
OnFault = Callable[[Path, OSError], None]


@dataclass(frozen=True)
class Field:
    """What belongs to a watch: which folders, and which files in them.

    Args:
        avoid: Folders below the watched ones in which nothing is a source: that of the results, the home.
    """

    roots: tuple[Path, ...]
    choice: Choice
    recipe: Recipe
    avoid: tuple[Path, ...] = ()

    def sight(self, path: Path) -> Sighting | None:
        """Return the file as it is; None when it is none of ours."""
        root = self.root_of(path)
        if root is None or not self._takes(path, root) or _is_behind_link(path.parent, root):
            return None
        return _sight(path, root)

    def walk(self, top: Path, on_fault: OnFault) -> Iterator[Sighting]:
        """Yield the files below a folder, in no order; links are followed to files and not to folders.

        A watched folder that lies in another is left out: it is looked through for itself.
        """
        root = self.root_of(top)
        if root is None or (top != root and (not self.enters(top, root) or _is_behind_link(top, root))):
            return
        pending = [top]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        path = Path(entry.path)
                        if entry.is_dir(follow_symlinks=False):
                            if path not in self.roots and self.enters(path, root):
                                pending.append(path)
                        elif self._takes(path, root) and (seen := _sight(path, root)) is not None:
                            yield seen
            except OSError as fault:
                on_fault(folder, fault)

    def enters(self, folder: Path, root: Path) -> bool:
        """Whether what lies in a folder may be ours, by its name and those above it."""
        below = folder.relative_to(root)
        above = (each for each in (below, *below.parents) if each.parts)
        return not self._avoids(folder, root) and all(self.choice.enters(each) for each in above)

    def is_folder(self, path: Path) -> bool:
        """Whether a path is a folder that is looked into where its name allows it: links lead to others'."""
        try:
            return stat.S_ISDIR(path.lstat().st_mode)
        except OSError:
            return False

    def root_of(self, path: Path) -> Path | None:
        """Return the innermost watched folder that holds a path, or is it."""
        roots = [root for root in self.roots if path.is_relative_to(root)]
        return max(roots, key=lambda root: len(root.parts), default=None)

    def _takes(self, path: Path, root: Path) -> bool:
        if self.recipe.makes(path.name) or self._avoids(path, root):
            return False
        return self.choice.takes(path.relative_to(root))

    def _avoids(self, path: Path, root: Path) -> bool:
        return any(path.is_relative_to(each) for each in self.avoid if each != root and each.is_relative_to(root))


def _is_behind_link(folder: Path, root: Path) -> bool:
    """Whether the way from the watched folder to this one leads over a link."""
    way = (each for each in (folder, *folder.parents) if each != root and each.is_relative_to(root))
    return any(os.path.islink(each) for each in way)  # noqa: PTH114 - says no, too, where a folder has been shut


def _sight(path: Path, root: Path) -> Sighting | None:
    with suppress(OSError, ValueError):
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            return Sighting(path, root, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return None
