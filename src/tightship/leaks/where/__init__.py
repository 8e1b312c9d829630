"""Where what stays came from: a second phase of a trial, short, slow and exact."""

from tightship.leaks.where.search import locate

__all__ = ["locate"]
