"""JSON in the database: compact, and of a bounded size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tightship.core.receipt import Receipt
from tightship.errors import InvalidOptions, OutputTooLarge, TightshipError
from tightship.units import format_bytes

#: Longest options of a job, in bytes of JSON: what people type, with room to spare.
OPTIONS_BYTES = 64 * 2**10
#: Longest data a job may bring back beside its file, or its probe may tell, in bytes of JSON.
DATA_BYTES = 256 * 2**10
#: Longest progress or partial result, in bytes of JSON: they come often.
EVENT_BYTES = 16 * 2**10
#: Longest text of a name or a message, in characters.
TEXT_CHARS = 500
#: Most entries kept of a list that may be any length: warnings, what a receipt names.
ENTRIES = 50


def encode(value: Any, limit_bytes: int, what: str) -> str:
    """Return `value` as JSON.

    Raises:
        OutputTooLarge: It is longer than the limit.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    if len(text) > limit_bytes:
        raise OutputTooLarge(
            f"{what} takes {format_bytes(len(text))} of JSON; at most {format_bytes(limit_bytes)} are kept",
            size_bytes=len(text),
            limit_bytes=limit_bytes,
        )
    return text


def encode_options(options: Mapping[str, Any]) -> str:
    """Return a job's options as JSON, the same for the same options.

    Raises:
        InvalidOptions: They are too long, or no JSON.
    """
    try:
        ordered = {name: options[name] for name in sorted(options)}
        return encode(ordered, OPTIONS_BYTES, "what was asked for")
    except (TypeError, ValueError, OutputTooLarge) as unfit:
        raise InvalidOptions(f"the options cannot be kept: {unfit}") from None


def encode_error(error: TightshipError) -> str:
    """Return an error as JSON; a long text is cut, an error is never refused."""
    data = error.to_dict()
    data["message"] = str(data["message"])[:TEXT_CHARS]
    details = list(error.details.items())[:ENTRIES]
    data["details"] = {
        key[:TEXT_CHARS]: value[:TEXT_CHARS] if isinstance(value, str) else value for key, value in details
    }
    return json.dumps(data, separators=(",", ":"))


def encode_receipt(receipt: Receipt) -> str:
    """Return a receipt as JSON; long lists are cut, a receipt is never refused."""
    data = receipt.to_dict()
    for name in ("released", "left_behind"):
        data[name] = [text[:TEXT_CHARS] for text in data[name][:ENTRIES]]
    return json.dumps(data, separators=(",", ":"))


def encode_warnings(warnings: Sequence[Mapping[str, str]]) -> str:
    """Return warnings as JSON; long ones are cut, and so is a long list of them."""
    short = [{key: str(text)[:TEXT_CHARS] for key, text in warning.items()} for warning in warnings[:ENTRIES]]
    return json.dumps(short, separators=(",", ":"))
