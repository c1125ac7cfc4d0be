"""`celery flower` and `celery umbel`: the entry points that Celery loads at every start, so also of `celery worker`.

Imports nothing but click and the standard library; everything else waits until the command is really called.
"""

import importlib
import sys
from typing import Any

import click

_HELP = "Monitor and control room for Celery clusters: Umbel, a drop-in successor to Flower."
_NO_WINDOWS = "Umbel runs on Linux and other Unix systems; on Windows, run it in WSL or in a container."


class LazyCommand(click.Command):
    """A command whose option list is only made when somebody asks for it."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the option table, grouped, with units and defaults."""
        for heading, rows in load_module("umbel.config.manual").help_sections():
            with formatter.section(heading):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


def load_module(module: str) -> Any:
    """Import a module of Umbel's; a broken installation becomes one line instead of a traceback."""
    try:
        return importlib.import_module(module)
    except (
        Exception
    ) as error:  # half-installed: a missing dependency, a damaged file, a wrong version of either
        if sys.platform == "win32":  # a file lock and a fork are missing there
            raise click.ClickException(_NO_WINDOWS) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise click.ClickException(f"Umbel cannot start, its installation is broken ({reason})") from error


def _run(ctx: click.Context, words: tuple[str, ...], preload: dict[str, Any]) -> None:
    start = load_module("umbel.start")
    celery = ctx.obj
    base = importlib.import_module("celery.bin.base")
    if preload and not hasattr(base, "consume_preload_options"):
        # Celery before 5.7 hands preload options to the command and leaves the signal to it
        signals = importlib.import_module("celery.signals")
        signals.user_preload_options.send(sender=_run, app=celery.app, options=preload)
    ctx.exit(
        start.run(
            words,
            start.serve,
            given=celery.app,
            quiet=bool(celery.quiet),
            colour=not celery.no_color,
            notices=start.flower_notice() if ctx.info_name == "flower" else (),
        )
    )


def _entry(name: str) -> click.Command:
    @click.command(
        name,
        cls=LazyCommand,
        help=_HELP,
        short_help=_HELP,
        context_settings={"ignore_unknown_options": True, "max_content_width": 110},
        options_metavar="",
    )
    @click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]")
    @click.pass_context
    def command(ctx: click.Context, /, words: tuple[str, ...], **preload: Any) -> None:
        _run(ctx, words, preload)

    return command


flower = _entry("flower")
umbel = _entry("umbel")
