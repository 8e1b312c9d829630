"""How the commands read their arguments, and how their usage is written."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

#: Where a command finds the words after `--`, in its context's `meta`.
AFTER_DASHES = "tightship.after_dashes"


class Command(TyperCommand):
    """A command whose usage names its arguments plainly; some versions of typer put them in braces."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the command's name."""
        plain = (piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx))
        return [piece.replace("[[", "[").replace("]]", "]") for piece in plain]


class WrappingCommand(Command):
    """A command that takes another program's command line after `--`, and leaves it as it is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what stands before `--` and keep the rest."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[AFTER_DASHES] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)
