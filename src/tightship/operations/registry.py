"""Every operation by its name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tightship.errors import InvalidOptions
from tightship.operations import clip, gif, info, transcribe
from tightship.operations.operation import Operation

#: What can be done to media. Importing this loads neither PyAV nor NumPy.
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {operation.name: operation for operation in (gif.OPERATION, info.OPERATION, clip.OPERATION, transcribe.OPERATION)}
)


def operation_named(name: str) -> Operation:
    """Return the operation that users call `name`.

    Raises:
        InvalidOptions: There is none.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise InvalidOptions(f"There is no operation {name!r}; there are {', '.join(OPERATIONS)}.", operation=name)
    return operation
