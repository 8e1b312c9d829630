"""A leak test whose verdict can be trusted: run a step again and again, and say whether anything grows with it."""

from __future__ import annotations

from tightship.core.verdict import Kind
from tightship.leaks.report import Finding, Origin, Report, Series
from tightship.leaks.trial import trial

__all__ = ["Finding", "Kind", "Origin", "Report", "Series", "trial"]
