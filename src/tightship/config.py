"""All settings: each part's own, composed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tightship.pool.config import PoolConfig
from tightship.runner import RunnerConfig


@dataclass(frozen=True)
class Config:
    """Everything that can be set.

    Args:
        home: The one folder that holds all state.
        pool: How slots are kept.
        runner: Limits on a job's time and input.
    """

    home: Path
    pool: PoolConfig = field(default_factory=PoolConfig)
    runner: RunnerConfig = field(default_factory=RunnerConfig)


def default_home(environment: Mapping[str, str] | None = None) -> Path:
    """Return the home folder: `TIGHTSHIP_HOME`, else `tightship` in the user's folder for state.

    Source: XDG Base Directory Specification 0.8 (`XDG_STATE_HOME`, by default `~/.local/state`).
    """
    variables = os.environ if environment is None else environment
    if home := variables.get("TIGHTSHIP_HOME"):
        return Path(home).expanduser().absolute()
    state = Path(variables.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    return state / "tightship"
