"""A multipart form as it comes in, piece by piece: never more of it in memory than the piece.

Source: RFC 7578.
"""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tightship.http.fault import MalformedRequest

#: Most parts of a form: ours has three, those of OpenAI's clients a dozen.
MAX_PARTS = 32
#: Bytes that a form may have around its file: fields, headers, boundaries.
OVERHEAD_BYTES = 256 * 2**10


@dataclass(frozen=True)
class PartBegan:
    """A field, or a file when there is a file name, which is whatever the sender made up."""

    name: str
    filename: str | None


@dataclass(frozen=True)
class PartData:
    """The next bytes of the part that began last."""

    data: bytes


@dataclass(frozen=True)
class PartEnded:
    """The part that began last is complete."""


FormEvent = PartBegan | PartData | PartEnded


class FormParser:
    """Turn the pieces of a form into events.

    Raises:
        MalformedRequest: The content type is not that of a form; from `feed`, the form is damaged.
    """

    def __init__(self, content_type: str | None) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise MalformedRequest("send a form: multipart/form-data with a boundary")
        self.ended = False
        self._events: list[FormEvent] = []
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._parts = 0
        try:
            self._parser = MultipartParser(boundary, {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_part,
                "on_part_data": self._on_data,
                "on_part_end": lambda: self._events.append(PartEnded()),
                "on_end": self._on_end,
            })  # fmt: skip
        except FormParserError as fault:
            raise MalformedRequest(f"the form is damaged: {fault}") from None

    def feed(self, piece: bytes) -> list[FormEvent]:
        """Return what the next piece of the form brings."""
        try:
            self._parser.write(piece)
        except FormParserError as fault:
            raise MalformedRequest(f"the form is damaged: {fault}") from None
        events, self._events = self._events, []
        return events

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _on_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedRequest(f"the form has more than {MAX_PARTS} parts")
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise MalformedRequest("a part of the form has no name")
        filename = options.get(b"filename")
        self._events.append(PartBegan(_text(name), None if filename is None else _text(filename)))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(data[start:end]))

    def _on_end(self) -> None:
        self.ended = True


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
