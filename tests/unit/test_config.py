"""All settings can be given in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tightship.config import FAMILIES, HTTP, Config, service_config
from tightship.errors import InvalidOptions
from tightship.http.config import HttpConfig


def test_no_variable_sets_two_things() -> None:
    """Families and the classes flattened into one do not meet."""
    names = [name for family in FAMILIES for name in family.variables().values()]

    assert len(names) == len(set(names))


def test_operations_read_home_slots_and_limits() -> None:
    """What a command needs, and nothing of a server's."""
    variables = {
        "TIGHTSHIP_HOME": "/somewhere",
        "TIGHTSHIP_SLOT_CEILING_BYTES": "512 MiB",
        "TIGHTSHIP_MEDIA_MAX_DURATION_S": "1 h",
        "TIGHTSHIP_JOBS_NO_SUCH_THING": "1",
    }

    config = Config.from_environment(variables)

    assert config.home == Path("/somewhere")
    assert config.pool.ceiling_bytes == 512 * 2**20
    assert config.runner.limits.max_duration_s == 3600


def test_home_that_is_said_goes_before_the_environment(tmp_path: Path) -> None:
    """As `--home` does on the command line."""
    assert Config.from_environment({"TIGHTSHIP_HOME": "/somewhere"}, tmp_path).home == tmp_path


def test_server_has_a_slot_more_than_jobs_that_run(tmp_path: Path) -> None:
    """The budget is shared among as many slots as there are."""
    variables = {
        "TIGHTSHIP_JOBS_MAX_RUNNING": "3",
        "TIGHTSHIP_JOBS_DRAIN_S": "2 s",
        "TIGHTSHIP_BUDGET_SOFT_BYTES": "1 GiB",
        "TIGHTSHIP_BUDGET_HARD_BYTES": "2 GiB",
    }

    config = service_config(variables, tmp_path)

    assert (config.store.max_running, config.drain_s) == (3, 2.0)
    assert config.pool is not None
    assert (config.pool.slots, config.pool.ceiling_bytes) == (4, 2**29)


def test_budget_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """The line where slots are killed is not below the one up to which jobs are admitted."""
    with pytest.raises(InvalidOptions, match=r"^TIGHTSHIP_BUDGET_.*soft <= hard"):
        service_config({"TIGHTSHIP_BUDGET_SOFT_BYTES": "2 GiB", "TIGHTSHIP_BUDGET_HARD_BYTES": "1 GiB"}, tmp_path)


def test_keys_have_a_name_of_their_own_and_stay_secret() -> None:
    """They are read as a list, and never repeated in a message."""
    good, bad = "0123456789abcdef", "too-short"

    assert HTTP.read({"TIGHTSHIP_API_KEYS": f"{good},{good}"}, HttpConfig()).api_keys == (good, good)
    with pytest.raises(InvalidOptions, match=r"^TIGHTSHIP_API_KEYS: ") as caught:
        HTTP.read({"TIGHTSHIP_API_KEYS": f"{good},{bad}"}, HttpConfig())
    assert bad not in str(caught.value.to_dict())
