"""What every change of the store has at hand while it is made."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from tightship.store.config import StoreConfig


@dataclass(frozen=True)
class Transaction:
    """One change, from its begin to its commit.

    Args:
        now_s: The time by the database's clock when it began.
        config: The store's settings.
        dropped: Digests of blobs that a row no longer refers to; removed after the commit unless another row does.
    """

    connection: Connection
    now_s: float
    config: StoreConfig
    dropped: set[str] = field(default_factory=set)

    def drop(self, *digests: str | None) -> None:
        """Say that a row has let go of these blobs."""
        self.dropped.update(digest for digest in digests if digest is not None)
