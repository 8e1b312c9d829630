"""What the text fields of a form mean: the job that they ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tightship.errors import InvalidOptions

#: The text fields of a form so far, each with its values.
Fields = Mapping[str, Sequence[str]]
#: The part that every form has beside its fields.
FILE = "file"


@dataclass(frozen=True)
class Order:
    """What a form asks for.

    Args:
        operation: What is to be done.
        options: With which options, unchecked.
        attended: Whether the job is of use only to the one who sent it and waits.
    """

    operation: str
    options: Mapping[str, Any]
    attended: bool = False


class Wording(Protocol):
    """How a kind of form says what it wants."""

    def admits(self, name: str, count: int) -> bool:
        """Tell whether a field counts; what does not is read and forgotten.

        Args:
            name: The field's name.
            count: How many of that name came before.

        Raises:
            InvalidOptions: It must not be there.
        """

    def tells(self, fields: Fields) -> bool:
        """Tell whether the fields so far say what is to be done, so that it can be refused before the file comes."""

    def order(self, fields: Fields) -> Order:
        """Return what the fields ask for; raises `InvalidOptions`."""


class JobWording:
    """The form of `POST /v1/jobs`: `operation`, and `options` as a JSON object."""

    _NAMES = frozenset({"operation", "options"})

    def admits(self, name: str, count: int) -> bool:
        """Take each field once, and no other."""
        if name not in self._NAMES:
            raise InvalidOptions(f"the form has no field {name[:40]!r}; it has operation, options, file")
        if count:
            raise InvalidOptions(f"the form has more than one {name}", option=name)
        return True

    def tells(self, fields: Fields) -> bool:
        """Know what is to be done when the operation is named."""
        return "operation" in fields

    def order(self, fields: Fields) -> Order:
        """Return the operation and its options."""
        if "operation" not in fields:
            raise InvalidOptions("the form names no operation", option="operation")
        return Order(fields["operation"][0].strip(), _options(fields.get("options", ("{}",))[0]))


def _options(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text.strip() or "{}")
    except (ValueError, RecursionError):
        raise InvalidOptions("options is not JSON", option="options") from None
    if not isinstance(options, dict):
        raise InvalidOptions("options must be a JSON object", option="options")
    return options
