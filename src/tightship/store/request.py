"""What somebody asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tightship.errors import InvalidOptions
from tightship.store.document import TEXT_CHARS


@dataclass(frozen=True)
class Request:
    """A job that somebody wants done.

    Args:
        operation: What is to be done.
        options: With which options; checked by the caller.
        content_bytes: Room on the disk for the input to come; None when its length was not announced, 0 when there is
            none.
        source_name: What the sender calls it.
        idempotency_key: The same key with the same operation, options and input is the same job.
        max_attempts: Instead of the store's own setting.
        attended: It is of use only to one who waits for it: the job is removed when `Store.attend` is not called for
            the length of a lease.
    """

    operation: str
    options: Mapping[str, Any]
    content_bytes: int | None = None
    source_name: str | None = None
    idempotency_key: str | None = None
    max_attempts: int | None = None
    attended: bool = False

    def __post_init__(self) -> None:
        if self.max_attempts is not None and not 1 <= self.max_attempts <= 1000:
            raise InvalidOptions(f"max_attempts must be from 1 to 1000, not {self.max_attempts}")
        if self.content_bytes is not None and self.content_bytes < 0:
            raise InvalidOptions(f"an input cannot have {self.content_bytes} bytes")
        if self.idempotency_key is not None and not 1 <= len(self.idempotency_key) <= TEXT_CHARS:
            raise InvalidOptions(f"an idempotency key has from 1 to {TEXT_CHARS} characters")
