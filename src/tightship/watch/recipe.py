"""What is done to every file, and what its result is called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightship.operations.registry import operation_named
from tightship.operations.validation import check, validate
from tightship.store.document import encode_options
from tightship.watch.choice import MEDIA_SUFFIXES

#: Options without which the ending of a result would depend on the file.
_SETTLED: Mapping[str, Mapping[str, Any]] = {"clip": {"container": "mp4"}}
#: Ending of a result that is data alone.
_DATA_SUFFIX = ".json"


@dataclass(frozen=True)
class Recipe:
    """An operation with its options.

    Args:
        suffix: What takes the place of the ending of the file's name: `.srt`.
        has_file: Whether the result is a file, and not data alone.
        request: Digest of operation and options.
    """

    operation: str
    options: Mapping[str, Any]
    suffix: str
    has_file: bool
    request: str

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any]) -> Recipe:
        """Return the recipe, checked.

        Raises:
            TightshipError: The operation cannot be done here, or not with these options.
        """
        operation = operation_named(name)
        options = {**_SETTLED.get(name, {}), **options}
        # Whoever else works through the same line must understand the options: they name no folders.
        check(operation, options, folders=False)
        suffix = operation.suffix(validate(operation, options), {})
        request = hashlib.sha256(f"{name}\n{encode_options(options)}".encode()).hexdigest()
        # What looks like a source is told from one by its name.
        tag = f".{name}" if suffix in MEDIA_SUFFIXES else ""
        return cls(name, options, f"{tag}{suffix or _DATA_SUFFIX}", suffix is not None, request)

    def makes(self, name: str) -> bool:
        """Whether a file of that name may be a result, and so is no source."""
        return name.lower().endswith(self.suffix)

    def place(self, source: Path, root: Path, output_dir: Path | None) -> Path:
        """Return where the result of a file goes."""
        folder = source.parent if output_dir is None else output_dir / source.parent.relative_to(root)
        return folder / f"{source.stem}{self.suffix}"
