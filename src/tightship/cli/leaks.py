"""The commands of the leak test: run, pid, url, job."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightship.cli.command import AFTER_DASHES
from tightship.cli.settings import AsJson, Home, Quiet, settings_of
from tightship.cli.trial import Choices, counted, perform
from tightship.errors import InvalidOptions

if TYPE_CHECKING:
    from tightship.cli.settings import Settings
    from tightship.leaks.report import Report

HELP = """Say whether something leaks: memory, descriptors, threads, processes, files.

A step is run again and again until it can be said whether anything grows with it, and where that comes from.
"""
EXAMPLES = """\b
Examples:
  tightship leaks run mypackage.jobs:resize
  tightship leaks run tests/test_jobs.py::test_resize --budget "10 s"
  tightship leaks run -- python -c "import mypackage"
  tightship leaks url http://127.0.0.1:8000/health
  tightship leaks pid 4711 --budget "2 min"
\b
Exit codes: 0 steady, 1 growing, 2 wrong usage, 3 interrupted, 4 undecided, 5 the step itself failed.
"""
RUN_HELP = """Run a function, a test or a command as the step.

TARGET is module:callable, found from the current folder; path/test_x.py::test_y, a test of pytest, whose fixtures of
function scope are set up anew for each step; or nothing, with a command after --. A command is measured from here: the
processes and the temporary files that it leaves; what it prints is shown if it fails.
"""
RUN_EXAMPLES = """\b
Examples:
  tightship leaks run mypackage.jobs:resize --html leaks.html
  tightship leaks run mypackage:fetch --setup mypackage:connect --teardown mypackage:close
  tightship leaks run tests/test_jobs.py::test_resize --ignore rss --json
  tightship leaks run --budget "1 min" -- ffmpeg -v error -y -i in.mp4 out.gif
"""
PID_HELP = """Watch a process that runs, and all below it, from outside.

A step is a moment of time: let the process do its work meanwhile. What can be seen is memory, descriptors, sockets,
threads and child processes; not where they come from.
"""
PID_EXAMPLES = """\b
Examples:
  tightship leaks pid 4711
  tightship leaks pid 4711 --budget "5 min" --ignore "*rss"
"""
URL_HELP = """Send requests to a server on this machine, and watch it.

Its process is watched, and all below it. Each step is one request over a connection of its own; an answer of 400 or
above means that the step failed.
"""
URL_EXAMPLES = """\b
Examples:
  tightship leaks url http://127.0.0.1:8000/health
  tightship leaks url http://127.0.0.1:8000/items --method POST --data '{"name": "x"}' \\
      --header "Content-Type: application/json"
"""
JOB_HELP = """Do a job of tightship again and again, and watch its slot.

The slot stays warm from job to job. OPERATION is gif, clip or info. What is made is thrown away.
"""
JOB_EXAMPLES = """\b
Examples:
  tightship leaks job gif talk.mp4 --option width=320 --option end_s=2
  tightship leaks job info talk.mp4 --budget "1 min"
"""
#: Longest time for watching a process, which nobody hurries.
PID_BUDGET = "60 s"

Budget = Annotated[
    str, typer.Option("--budget", metavar="TIME", help="Longest time for the steps; a clear case ends sooner.")
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="METRIC", help="Do not watch this metric, or all of a pattern; repeatable."),
]
Floor = Annotated[
    list[str] | None,
    typer.Option("--floor", metavar="METRIC=N", help="Growth a step that does not matter; repeatable."),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Look at the same moments again.")]
NoWhere = Annotated[bool, typer.Option("--no-where", help="Do not search for the origin of what grows.")]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML, a case for each metric.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with a plot of each metric.")]
Github = Annotated[
    bool, typer.Option("--github", help="Write annotations for GitHub. [default: where GITHUB_ACTIONS is set]")
]


def run(
    context: typer.Context,
    target: Annotated[
        str | None, typer.Argument(metavar="[TARGET]", help="module:callable, or path/test_x.py::test_y.")
    ] = None,
    setup: Annotated[
        str | None,
        typer.Option("--setup", metavar="MODULE:CALLABLE", help="Called once before; its result goes to the step."),
    ] = None,
    teardown: Annotated[
        str | None, typer.Option("--teardown", metavar="MODULE:CALLABLE", help="Called once after the last step.")
    ] = None,
    budget: Budget = "20 s",
    ignore: Ignore = None,
    floor: Floor = None,
    seed: Seed = None,
    no_where: NoWhere = False,
    junit: Junit = None,
    html: Html = None,
    github: Github = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Run a step."""
    settings = settings_of(context, None, quiet, as_json)
    choices = _choices(budget, ignore, floor, seed, not no_where, junit, html, github)
    words = context.meta.get(AFTER_DASHES)
    around = {name: value for name, value in (("setup", setup), ("teardown", teardown)) if value}
    if (target is None) == (words is None) or words == []:
        raise InvalidOptions("say what to run: module:callable, path/test_x.py::test_y, or -- and a command")
    if words is not None:
        return perform(settings, choices, lambda options: _run_command(words, around, settings, budget, options))

    def work(options: dict[str, Any]) -> Report:
        from tightship.leaks.leftover import leftovers_ended

        with leftovers_ended():
            return _run_target(str(target), around, settings, budget, options)

    return perform(settings, choices, work)


def pid(
    context: typer.Context,
    process: Annotated[int, typer.Argument(metavar="PID", help="The process to watch.")],
    budget: Budget = PID_BUDGET,
    ignore: Ignore = None,
    floor: Floor = None,
    seed: Seed = None,
    junit: Junit = None,
    html: Html = None,
    github: Github = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Watch a process."""
    settings = settings_of(context, None, quiet, as_json)
    choices = _choices(budget, ignore, floor, seed, False, junit, html, github)

    def watch(options: dict[str, Any]) -> Report:
        from tightship.leaks import trial
        from tightship.leaks.moment import moment_of

        return trial(counted(moment_of(process), settings, budget), name=f"pid {process}", pid=process, **options)

    return perform(settings, choices, watch)


def url(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="URL", help="Where to send the requests.")],
    process: Annotated[
        int | None,
        typer.Option("--pid", metavar="PID", help="The server's process. [default: whoever listens there]"),
    ] = None,
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="GET, POST and so on.")] = "GET",
    data: Annotated[str | None, typer.Option("--data", metavar="TEXT", help="What to send with each request.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME:VALUE", help="A header to send; repeatable.")
    ] = None,
    budget: Budget = "20 s",
    ignore: Ignore = None,
    floor: Floor = None,
    seed: Seed = None,
    junit: Junit = None,
    html: Html = None,
    github: Github = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Send requests to a server."""
    settings = settings_of(context, None, quiet, as_json)
    choices = _choices(budget, ignore, floor, seed, False, junit, html, github)
    headers = dict(_header(text) for text in header or ())

    def ask(options: dict[str, Any]) -> Report:
        from tightship.leaks import trial
        from tightship.leaks.request import Request, server_of

        request = Request(address, method.upper(), None if data is None else data.encode(), headers)
        step = counted(request.step(), settings, budget)
        name = f"{request.method} {address}"
        return trial(step, name=name, pid=server_of(address) if process is None else process, **options)

    return perform(settings, choices, ask)


def job(
    context: typer.Context,
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="gif, clip or info.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file to work on.")],
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the operation; repeatable."),
    ] = None,
    budget: Budget = PID_BUDGET,
    ignore: Ignore = None,
    floor: Floor = None,
    seed: Seed = None,
    junit: Junit = None,
    html: Html = None,
    github: Github = False,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Do a job of ours in a slot."""
    from tightship.cli.operations import require_media
    from tightship.cli.slotwork import job_options, open_job

    settings = settings_of(context, home, quiet, as_json)
    choices = _choices(budget, ignore, floor, seed, False, junit, html, github)
    require_media()
    if operation not in ("gif", "clip", "info"):
        raise InvalidOptions(f"there is no operation {operation!r}; there are gif, clip and info")
    given = job_options(option or ())

    def work(options: dict[str, Any]) -> Report:
        from tightship.leaks import trial

        with open_job(settings, operation, source, given) as (step, slot):
            return trial(counted(step, settings, budget), name=f"{operation} {source}", pid=slot, **options)

    return perform(settings, choices, work)


def _choices(
    budget: str,
    ignore: list[str] | None,
    floor: list[str] | None,
    seed: int | None,
    where: bool,
    junit: Path | None,
    html: Path | None,
    github: bool,
) -> Choices:
    return Choices(budget, tuple(ignore or ()), tuple(floor or ()), seed, where, junit, html, github)


def _run_target(
    target: str, around: dict[str, str], settings: Settings, budget: str, options: dict[str, Any]
) -> Report:
    from tightship.leaks.target import callable_at, is_test

    if is_test(target):
        if around:
            raise InvalidOptions("--setup and --teardown are for functions; a test has fixtures")
        from tightship.pytest_plugin.session import run_test

        return run_test(target, options)
    folder = Path.cwd()
    step = callable_at(target, folder)
    functions: dict[str, Any] = {name: callable_at(text, folder) for name, text in around.items()}
    from tightship.leaks import trial

    return trial(counted(step, settings, budget), name=target, **functions, **options)


def _run_command(
    words: list[str], around: dict[str, str], settings: Settings, budget: str, options: dict[str, Any]
) -> Report:
    import shlex

    from tightship.leaks import trial
    from tightship.leaks.command import open_command
    from tightship.leaks.target import callable_at

    with ExitStack() as stack:
        step = stack.enter_context(open_command(words, Path.cwd()))
        functions: dict[str, Any] = {name: callable_at(text, Path.cwd()) for name, text in around.items()}
        # Lines of Python say nothing about another program.
        options = {**options, "where": False}
        return trial(counted(step, settings, budget), name=shlex.join(words), **functions, **options)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise InvalidOptions(f"--header {text!r} is no NAME:VALUE")
    return name.strip(), value.strip()
