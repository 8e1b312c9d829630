"""Large XML files, read piece by piece with `iterparse`.

Suspected: elements that are never cleared. True: the whole tree is in memory until the parsing ends, which makes the
peak as large as the file; afterwards it is freed without the garbage collector. It is no leak.
Cure of the peak: `clear()` each element when it has been used.
"""

from __future__ import annotations

import functools
import io

#: Packages that must be installed, by what is imported.
NEEDS: dict[str, str] = {}
#: Elements of the document.
ITEMS = 500


def iterparse_without_clear() -> None:
    """A document of 500 items is read, and no element is cleared."""
    from xml.etree.ElementTree import iterparse

    total = 0
    for _, element in iterparse(io.BytesIO(_document())):
        total += len(element.text or "")
    assert total


def iterparse_without_clear_cured() -> None:
    """Each item is cleared when it has been used."""
    from xml.etree.ElementTree import iterparse

    total = 0
    for _, element in iterparse(io.BytesIO(_document())):
        total += len(element.text or "")
        element.clear()
    assert total


@functools.cache
def _document() -> bytes:
    items = "".join(f"<item number='{number}'>{'text ' * 20}</item>" for number in range(ITEMS))
    return f"<items>{items}</items>".encode()
