"""The commands on models: list, fetch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightship.cli.operations import require_media
from tightship.cli.output import DONE, complain, say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, Settings, settings_of
from tightship.errors import Cancelled, TightshipError

if TYPE_CHECKING:
    from tightship.inference.resolver import Model

HELP = """Look at the models on this machine, and fetch others ahead of time.

They come from installed packages, from the hub's cache, or from the folder that TIGHTSHIP_TRANSCRIBE_MODEL names.
"""
EXAMPLES = """\b
Examples:
  tightship models list
  tightship models fetch small
"""
LIST_HELP = "List the models that `transcribe` finds by name, the default one first."
LIST_EXAMPLES = """\b
Examples:
  tightship models list --json
"""
FETCH_HELP = """Fetch a model from the hub, unless it is here.

What came is checked. Where the connection breaks the fetch goes on; after Ctrl-C it begins again with the file that it
was at. It ends up in the hub's cache (HF_HOME, HF_HUB_CACHE), for whoever runs as this user.
"""
FETCH_EXAMPLES = """\b
Examples:
  tightship models fetch large-v3
  tightship models fetch owner/name --quiet
"""

#: How a place is called for people.
_PLACES = {"path": "folder", "package": "package", "cache": "hub's cache", "hub": "hub"}


def list_(context: typer.Context, home: Home = None, quiet: Quiet = False, as_json: AsJson = False) -> int:
    """List models."""
    settings = settings_of(context, home, quiet, as_json)
    from tightship.inference.inventory import inventory

    models, default = inventory(), default_model()
    if settings.as_json:
        say_json({"models": [_told(model, default) for model in models]})
        return DONE
    from tightship.cli.words import table

    if models:
        say(table((model.name, _in_words(model, default)) for model in models))
    if isinstance(default, TightshipError) and not settings.quiet:
        complain(f"the default model is not here: {default.public_message}")
    return DONE


def fetch(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="tiny.en, base, small, large-v3..., or owner/name.")],
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Fetch a model."""
    settings = settings_of(context, home, quiet, as_json)
    require_media("transcribe")
    model = obtain(settings, name)
    if settings.as_json:
        say_json(_told(model, default_model()))
    elif not settings.quiet:
        say(f"{model.name}: {_in_words(model, None)}")
    return DONE


def obtain(settings: Settings, name: str | None) -> Model:
    """Return a model, fetched from the hub where it is not here; a bar on the terminal shows how far that is.

    Raises:
        Cancelled: The user did not want to wait for it.
        TightshipError: It is not to be had.
    """
    from tightship.cli.progress import open_bar
    from tightship.inference import hub
    from tightship.inference.resolver import resolve
    from tightship.pool.messages import Progress

    with open_bar("fetching the model", quiet=settings.quiet) as shown:

        def fetched(done_bytes: int, total_bytes: int) -> None:
            if settings.cancel.is_set():
                raise Cancelled("the job was cancelled")
            if shown is not None:
                shown(Progress(done_bytes, total_bytes, "bytes"))

        try:
            return resolve(name, fetch=partial(hub.fetch, progress=fetched))
        except TightshipError:
            if settings.cancel.is_set():
                raise Cancelled("the job was cancelled") from None
            raise


def default_model() -> Model | TightshipError:
    """Return the default model, or why it is not here."""
    from tightship.inference.resolver import resolve

    try:
        return resolve(None, os.environ)
    except TightshipError as error:
        return error


def _told(model: Model, default: Model | TightshipError) -> Mapping[str, Any]:
    return {
        "name": model.name,
        "default": _is(model, default),
        "source": model.source,
        "size_bytes": model.weights_bytes,
        "folder": str(model.folder),
    }


def _in_words(model: Model, default: Model | TightshipError | None) -> str:
    from tightship.units import format_bytes

    mark = ", the default" if _is(model, default) else ""
    return f"{format_bytes(model.weights_bytes)}, {_PLACES[model.source]} {model.folder}{mark}"


def _is(model: Model, default: Model | TightshipError | None) -> bool:
    return not isinstance(default, TightshipError | None) and default.folder == model.folder
