"""The words between parent, warden and worker."""

from __future__ import annotations

import json

import pytest

from tightship.pool.messages import Exited, Finished, Message, Opened, Run, Spawn, Watch, from_json, to_json


@pytest.mark.parametrize(
    "message",
    [
        Run("gif", "tightship.operations.gif", None, {"width": 480}, "/scratch/1", True, 12.5, {"soft_s": 60.0}),
        Spawn(["python", "-m", "x"], {"PATH": "/bin"}),
        Watch(2**30, 17.25, "no_progress", fresh=True),
        Exited("signal 11", 123, 0.5, 2),
        Opened(0.8, 10, 200, 250, None, None),
        Finished(None, {"code": "corrupt_media"}, [{"code": "a", "message": "b"}], {"name": "gif"}),
    ],
)
def test_round_trip(message: Message) -> None:
    """A message survives its way through JSON."""
    assert from_json(json.loads(json.dumps(to_json(message)))) == message


def test_unknown_kind_is_an_error() -> None:
    """A word that is not in the vocabulary is not understood."""
    with pytest.raises(ValueError, match="unknown message 'Exec'"):
        from_json({"is": "Exec"})
