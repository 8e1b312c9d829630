"""Write the pages of docs/reference that the code itself can tell: errors, settings, command line.

Run `make docs`. A test compares what this writes with what lies there.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from typer.main import get_command

import tightship.http.fault
import tightship.leaks.fault  # noqa: F401 - the errors of both belong on the page
from tightship.cli.app import app
from tightship.config import BUDGET, CACHE, HTTP, JOBS, MEDIA, SLOT, Config
from tightship.core.environment import Family
from tightship.core.governor import HARD_SHARE, SOFT_SHARE, Budget, RecyclePolicy
from tightship.core.restart import RestartIntensity
from tightship.errors import TightshipError, every_error
from tightship.http.config import HttpConfig
from tightship.media.limits import Limits
from tightship.pool.config import PoolConfig
from tightship.pool.confinement import Confinement
from tightship.runner import RunnerConfig
from tightship.service import ServiceConfig
from tightship.store.config import CacheConfig, StoreConfig
from tightship.units import format_bytes, format_seconds

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by scripts/generate_docs.py (`make docs`) from the code: change it there. -->"
#: Every settings class, the outermost first, with the path by which a program reaches it; then the variables of the
#: environment that set its fields, and the path to it from the class that those variables begin at.
SETTINGS: tuple[tuple[type, str, Family | None, str], ...] = (
    (Config, "config", None, ""),
    (PoolConfig, "config.pool", SLOT, ""),
    (RecyclePolicy, "config.pool.recycling", SLOT, "recycling."),
    (RestartIntensity, "config.pool.restarts", SLOT, "restarts."),
    (Confinement, "config.pool.confinement", SLOT, "confinement."),
    (RunnerConfig, "config.runner", MEDIA, ""),
    (Limits, "config.runner.limits", MEDIA, "limits."),
    (CacheConfig, "config.cache", CACHE, ""),
    (ServiceConfig, "service", None, ""),
    (Budget, "service.budget", BUDGET, ""),
    (StoreConfig, "service.store", JOBS, "store."),
    (HttpConfig, "http", HTTP, ""),
)
#: Defaults that depend on the machine.
COMPUTED = {
    (Budget, "soft_bytes"): f"{SOFT_SHARE:.0%} of the machine's limit",
    (Budget, "hard_bytes"): f"{HARD_SHARE:.0%} of the machine's limit",
}
#: Variables of fields that stand in another class than the one that the variables begin at.
ELSEWHERE = {(ServiceConfig, "drain_s"): JOBS.variables()["drain_s"], (Config, "home"): "TIGHTSHIP_HOME"}
#: The unit that a name ends in; the longest ending counts.
UNITS = {
    "bytes_per_s": "bytes per second",
    "bytes": "bytes",
    "s": "seconds",
    "fps": "frames per second",
    "pixels": "pixels",
    "share": "share, 0 to 1",
}
_IN_WORDS = {
    "bytes": format_bytes,
    "seconds": format_seconds,
    "bytes per second": lambda value: f"{format_bytes(value)}/s",
}


# --- errors ---------------------------------------------------------------------------------------


def errors_page() -> str:
    """Return the page of every error."""
    rows = [
        (f"`{kind.code}`", f"`{kind.__name__}`", str(kind.http_status), "yes" if kind.retryable else "no", _first(kind))
        # Classes are found in the order in which modules were imported, which is nobody's order.
        for kind in sorted(every_error(), key=lambda kind: (kind is not TightshipError, kind.code))
        if kind.__module__.startswith("tightship.")
    ]
    intro = """\
        Every error that tightship reports is a `TightshipError` and carries a stable `code`, a `public_message` of one
        sentence that may be shown to a stranger, `details` with the figures behind it, and the HTTP status that fits.
        *Retryable* means that the same job may succeed later, on this machine or with other limits; an error that is
        not retryable will come again."""
    return _page("Errors", intro, _table(("Code", "Class", "HTTP status", "Retryable", "Meaning"), rows))


def _first(kind: type) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


# --- settings -------------------------------------------------------------------------------------


def settings_page() -> str:
    """Return the page of every setting."""
    intro = """\
        Settings are frozen dataclasses, composed: `Config(home, pool=PoolConfig(slots=2))`. The command line reads them
        from the environment: each row names its variable. Sizes are written `512 MiB`, durations `90 s` or `1:30`,
        lists with commas, and `none` where None is meant; an empty variable counts as none at all. A name that begins
        like these and sets nothing is refused, and so is a value that cannot be used. `TIGHTSHIP_BUDGET_*`,
        `TIGHTSHIP_JOBS_*` and `TIGHTSHIP_HTTP_*` are for `tightship serve`. In a program,
        `Config.from_environment(os.environ)` and `tightship.config.service_config(os.environ)` read the same.

        The home folder is `TIGHTSHIP_HOME`, else `tightship` in the user's folder for state (`XDG_STATE_HOME`, by
        default `~/.local/state`). `TIGHTSHIP_URL` and `TIGHTSHIP_API_KEY` name the server for `tightship jobs`.

        `TIGHTSHIP_TRANSCRIBE_MODEL` is the default model of `transcribe`, a name or a folder; without it, `tiny.en`.
        `HF_HOME` and `HF_HUB_CACHE` say where the hub's cache is."""
    return _page("Settings", intro, "\n".join(_settings_of(*each) for each in SETTINGS))


def _settings_of(kind: type, path: str, family: Family | None, inside: str) -> str:
    effects, variables = _effects(kind), family.variables() if family else {}
    rows = [
        (f"`{field.name}`", _variable(kind, field.name, variables, inside), _default(kind, field), _unit(field.name),
         effects[field.name])
        for field in fields(kind)  # type: ignore[arg-type]
    ]  # fmt: skip
    table = _table(("Name", "Variable", "Default", "Unit", "Effect"), rows)
    return f"## {kind.__name__}\n\n`{path}`: {_lowered(_first(kind))}\n\n{table}"


def _variable(kind: type, name: str, variables: Mapping[str, str], inside: str) -> str:
    variable = ELSEWHERE.get((kind, name)) or variables.get(f"{inside}{name}")
    return f"`{variable}`" if variable else ""


def _effects(kind: type) -> dict[str, str]:
    """Return what each field does: from the `Args` of the docstring, or from the `#:` comment above the field."""
    told = {**dict(_from_args(inspect.getdoc(kind) or "")), **dict(_from_comments(inspect.getsource(kind)))}
    missing = [field.name for field in fields(kind) if field.name not in told]  # type: ignore[arg-type]
    if missing:
        raise SystemExit(f"{kind.__name__} does not say what {', '.join(missing)} is for")
    return told


def _from_args(doc: str) -> Iterator[tuple[str, str]]:
    _, _, rest = doc.partition("Args:\n")
    section = textwrap.dedent(rest.partition("\n\n")[0])
    for entry in re.split(r"\n(?=\S)", section):
        names, _, text = entry.partition(":")
        for name in names.split(","):
            yield name.strip(), _joined(text)


def _from_comments(source: str) -> Iterator[tuple[str, str]]:
    lines = textwrap.dedent(source).splitlines()
    (kind,) = ast.parse("\n".join(lines)).body
    assert isinstance(kind, ast.ClassDef)
    for node in kind.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        comment: list[str] = []
        at = node.lineno - 2
        while lines[at].strip().startswith("#:"):
            comment.insert(0, lines[at].strip().removeprefix("#:"))
            at -= 1
        if comment:
            yield node.target.id, _joined(" ".join(comment))


def _default(kind: type, field: Field[Any]) -> str:
    if (kind, field.name) in COMPUTED:
        return COMPUTED[kind, field.name]
    if field.default_factory is not MISSING:
        made = field.default_factory()
        return f"see [{type(made).__name__}](#{type(made).__name__.lower()})" if is_dataclass(made) else f"`{made!r}`"
    if field.default is MISSING:
        return "none: must be given"
    value = field.default
    if is_dataclass(value):
        return f"see [{type(value).__name__}](#{type(value).__name__.lower()})"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"`{value!r}`"
    words = _IN_WORDS.get(_unit(field.name))
    return f"`{value:,}`".replace(",", "_") + (f" ({words(value)})" if words else "")


def _unit(name: str) -> str:
    return next((unit for ending, unit in UNITS.items() if f"_{name}".endswith(f"_{ending}")), "")


# --- command line ---------------------------------------------------------------------------------


def cli_page() -> str:
    """Return the page of every command."""
    root: Any = get_command(app)
    shared = _options([param for param in root.params if not param.hidden])
    commands = "\n".join(_commands(root, "tightship"))
    return _page("Command line", _told(root), f"{shared}\n{commands}")


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if not hasattr(command, "commands"):
            yield _command(command, f"{path} {name}")
            continue
        yield f"## {path} {name}\n\n{_told(command)}\n"
        yield from _commands(command, f"{path} {name}")


def _command(command: Any, path: str) -> str:
    arguments = " ".join(param.metavar for param in command.params if param.param_type_name == "argument")
    usage = " ".join(filter(None, (path, arguments, "[OPTIONS]")))
    return f"## {path}\n\n`{usage}`\n\n{_told(command)}\n\n{_options(command.params)}"


def _told(command: Any) -> str:
    """Return a command's help and its examples, which stand in its epilog, as Markdown."""
    examples = (command.epilog or "").replace("\b\n", "\n").strip()
    return "\n\n".join(filter(None, ((command.help or "").strip(), f"```text\n{examples}\n```" if examples else "")))


def _options(params: Iterable[Any]) -> str:
    rows = [(_names(param), _joined(getattr(param, "help", None) or "")) for param in params]
    return _table(("Argument or option", "Effect"), rows)


def _names(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar}`"
    value = f" {param.metavar}" if param.metavar else ""
    return ", ".join(f"`{name}{value}`" for name in [*param.opts, *param.secondary_opts])


# --- pages ----------------------------------------------------------------------------------------


def _page(title: str, intro: str, body: str) -> str:
    return f"# {title}\n\n{NOTE}\n\n{textwrap.dedent(intro)}\n\n{body}".rstrip() + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _joined(text: str) -> str:
    return " ".join(text.split())


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


PAGES = {"errors.md": errors_page, "settings.md": settings_page, "cli.md": cli_page}


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
