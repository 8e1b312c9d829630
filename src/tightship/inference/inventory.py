"""The models that are on this machine: what a job may name without a folder. Loads no model library."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tightship.errors import ModelNotFound, ModelUnusable
from tightship.inference import cache, resolver
from tightship.inference.resolver import Model, resolve

#: What the default model is called where its setting names a folder, which strangers are not told.
FOLDER_ALIAS = "default"
#: Bytes from the start of CTranslate2's weights among which they say what kind of model they are.
_HEAD_BYTES = 64
_WHISPER = b"WhisperSpec"


def inventory(environment: Mapping[str, str] | None = None) -> tuple[Model, ...]:
    """Return the Whisper models that a job may name without a folder, each once; the default model comes first.

    A model of several names goes by the best known. One that is here twice is told twice: what the hub's cache has of a
    model that a package brings, too, goes by its repository.

    Args:
        environment: Where the settings are read from; None for this process's.
    """
    settings = os.environ if environment is None else environment
    found: dict[Path, Model] = {}
    for name in _names(settings):
        try:
            model = resolve(name, settings, folders=False)
        except (ModelNotFound, ModelUnusable):
            continue
        if model.folder not in found and _is_whisper(model.folder):
            found[model.folder] = replace(model, name=FOLDER_ALIAS) if model.source == "path" else model
    default = _default_folder(settings)
    return tuple(sorted(found.values(), key=lambda model: model.folder != default))


def _names(settings: Mapping[str, str]) -> Iterator[str]:
    yield from resolver.KNOWN
    yield from resolver.offered(tuple(sys.path))
    yield from cache.repositories(settings)
    yield FOLDER_ALIAS


def _default_folder(settings: Mapping[str, str]) -> Path | None:
    try:
        return resolve(None, settings).folder
    except (ModelNotFound, ModelUnusable):
        return None


def _is_whisper(folder: Path) -> bool:
    """Tell whether the weights are Whisper's: other models lie in the same places."""
    try:
        with (folder / "model.bin").open("rb") as weights:
            return _WHISPER in weights.read(_HEAD_BYTES)
    except OSError:
        return False
