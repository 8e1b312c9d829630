"""The errors: their codes, and how they travel."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest

from tightship import errors
from tightship.errors import (
    CorruptMedia,
    ExtraMissing,
    InvalidOptions,
    MediaTooLarge,
    NoProgress,
    TightshipError,
    every_error,
    from_dict,
)

#: Those that tightship itself defines; other tests may add classes of their own.
OURS = [kind for kind in every_error() if kind.__module__ == errors.__name__]
every_kind = pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)


def test_all_errors_of_the_module_are_found():
    """No class is missing from the family, none is listed twice."""
    defined = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TightshipError)]
    assert sorted(kind.__name__ for kind in OURS) == sorted(kind.__name__ for kind in defined)


def test_codes_are_unique():
    """A code names one fault."""
    codes = [kind.code for kind in OURS]
    assert sorted(codes) == sorted(set(codes))


@every_kind
def test_a_code_is_snake_case(kind):
    """Codes are stable, plain words."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)


@every_kind
def test_a_code_is_its_own(kind):
    """No class inherits its code by mistake."""
    assert "code" in vars(kind)


@every_kind
def test_a_status_is_an_error_of_http(kind):
    """4xx is the caller's, 5xx is ours."""
    assert 400 <= kind.http_status < 600


@every_kind
def test_it_survives_json(kind):
    """What crosses a process comes back as the same error."""
    error = kind("a sentence", limit_bytes=5, name="x", ratio=0.5, known=True, nothing=None)
    back = from_dict(json.loads(json.dumps(error.to_dict())))
    assert type(back) is kind
    assert back.to_dict() == error.to_dict()
    assert str(back) == "a sentence"


@every_kind
@pytest.mark.parametrize("travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_it_survives_pickle_and_copies(kind, travel):
    """Also for the classes that inherit from a built-in error."""
    back = travel(kind("a sentence", limit_bytes=5))
    assert type(back) is kind
    assert (back.public_message, back.details) == ("a sentence", {"limit_bytes": 5})


def test_an_unknown_code_gives_the_root():
    """A newer peer's error is still an error, with its sentence and figures."""
    error = from_dict({"code": "from_the_future", "message": "a sentence", "details": {"limit_bytes": 5}})
    assert type(error) is TightshipError
    assert (error.public_message, error.details) == ("a sentence", {"limit_bytes": 5})


@pytest.mark.parametrize("data", [{}, {"code": None}, {"details": None}, {"code": ["x"], "details": 3}])
def test_broken_data_gives_the_root(data):
    """Whatever a broken peer sends, reading it does not fail."""
    assert type(from_dict(data)) is TightshipError


@pytest.mark.parametrize("name", ["public_message", "self", "code"])
def test_any_name_may_be_a_detail_on_the_wire(name):
    """Details are data: a name of ours among them does no harm."""
    assert from_dict({"code": "corrupt_media", "message": "m", "details": {name: 1}}).details == {name: 1}


def test_a_class_of_a_user_does_not_take_over_a_code():
    """A subclass without a code of its own leaves its parent's code with the parent."""

    class MyOptions(InvalidOptions):
        """A user's class."""

    assert MyOptions.code == "invalid_options"
    assert type(from_dict({"code": "invalid_options"})) is InvalidOptions


def test_details_are_a_copy():
    """Changing what was written does not change the error."""
    error = MediaTooLarge("m", limit_bytes=5)
    error.to_dict()["details"]["limit_bytes"] = 6
    assert error.details == {"limit_bytes": 5}


def test_an_error_shows_its_sentence():
    """What is printed is what may be shown to a stranger."""
    assert str(CorruptMedia("nothing of it can be decoded", packets=3)) == "nothing of it can be decoded"


def test_kinds_can_be_caught_by_their_parents():
    """No progress is a deadline, a missing extra is an import that failed."""
    assert issubclass(NoProgress, errors.DeadlineExceeded)
    assert issubclass(ExtraMissing, ImportError)


def test_a_missing_extra_names_its_cure():
    """The message holds the command that installs it."""
    error = ExtraMissing.of("av.video")
    assert "pip install 'tightship[media]'" in error.public_message
    assert error.details == {"extra": "media", "module": "av"}


def test_module_of_no_extra_is_in_all():
    """A module that no extra is known for is installed by the extra that has everything."""
    assert "tightship[all]" in ExtraMissing.of("unheard").public_message
