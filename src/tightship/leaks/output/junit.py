"""A report as JUnit XML, which test servers read: one test case for each metric."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from tightship.core.verdict import Kind
from tightship.leaks.output.figure import growth, title_of
from tightship.leaks.output.words import leak_in_words
from tightship.leaks.report import Report, Series

#: What XML 1.0 cannot hold in any form.
_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """Return the report as XML. What grows has failed, what is undecided was skipped."""
    kinds = [series.verdict for series in report.series]
    counts = {"tests": len(kinds), "failures": kinds.count(Kind.GROWING), "skipped": kinds.count(Kind.UNDECIDED)}
    figures = {**{name: str(count) for name, count in counts.items()}, "errors": "0", "time": f"{report.seconds:.3f}"}
    root = ET.Element("testsuites", figures)
    suite = ET.SubElement(root, "testsuite", {"name": _fit(f"leaks of {report.name}"), **figures})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("verdict", str(report.verdict)), ("steps", str(report.steps))):
        ET.SubElement(properties, "property", {"name": name, "value": value})
    for series in report.series:
        _add(suite, report, series)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ET.Element, report: Report, series: Series) -> None:
    share_s = report.seconds / len(report.series)
    attributes = {"classname": _fit(report.name), "name": series.metric, "time": f"{share_s:.3f}"}
    case = ET.SubElement(suite, "testcase", attributes)
    if series.verdict is Kind.GROWING:
        message = f"{title_of(series.metric)}: grows by {growth(series)}"
        failure = ET.SubElement(case, "failure", {"type": "leak", "message": _fit(message)})
        failure.text = _fit(leak_in_words(series))
    elif series.verdict is Kind.UNDECIDED:
        ET.SubElement(case, "skipped", {"type": "undecided", "message": _fit(series.reason)})
    told = [finding.message for finding in report.findings if finding.metric == series.metric]
    told.append(series.reason)
    ET.SubElement(case, "system-out").text = _fit("\n".join(told))


def _fit(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
