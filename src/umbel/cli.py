"""The `umbel` script, also `python -m umbel`: serve, collect, doctor, demo, prune,
version.

Without a command it serves, and Celery's arguments may stand before or after the command, so that
`python -m umbel -A proj flower --port=5555` works as it did with Flower. Bodies are imported lazily.
"""

import sys

import click

from umbel import __version__
from umbel.command import LazyCommand, load_module
from umbel.config.arguments import split_command
from umbel.errors import ConfigError

#: Names under which `celery` knows the server.
_ALIASES = frozenset({"flower", "umbel"})
_WORDS = {"ignore_unknown_options": True, "max_content_width": 110}


class Commands(click.Group):
    """A group whose default command is `serve`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move what stands before the command behind it, and fill in `serve`."""
        if not args or args[0] in {"--help", "--version"}:
            return super().parse_args(ctx, args or ["--help"])
        try:
            head, command, tail = split_command(args, self.commands.keys() | _ALIASES)
        except ConfigError as error:
            click.echo(f"umbel: {error}", err=True)
            ctx.exit(1)
        if command is None or command in _ALIASES:
            command = "serve"
        return super().parse_args(ctx, [command, *head, *tail])


@click.group(cls=Commands, context_settings={"max_content_width": 110})
@click.version_option(__version__, prog_name="umbel", message="%(prog)s %(version)s")
def main() -> None:
    """Umbel: the monitor and control room for Celery clusters.

    `umbel --broker URL` is short for `umbel serve --broker URL`.
    """


@main.command("serve", cls=LazyCommand, context_settings=_WORDS, options_metavar="")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]")
@click.pass_context
def serve(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Serve the pages and the API, and collect events. Needs no application: --broker is enough."""
    start = load_module("umbel.start")
    ctx.exit(start.run(words, start.serve))


@main.command("collect", cls=LazyCommand, context_settings=_WORDS, options_metavar="")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]")
@click.pass_context
def collect(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Collect events into the history, without pages."""
    start = load_module("umbel.start")
    ctx.exit(start.run(words, start.collect))


@main.command("prune", cls=LazyCommand, context_settings=_WORDS, options_metavar="")
@click.option("--dry-run", "--dry_run", is_flag=True, help="Only say what would be removed.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]")
@click.pass_context
def prune(ctx: click.Context, words: tuple[str, ...], dry_run: bool) -> None:
    """Remove finished tasks beyond the limits (retention, max_tasks, max_bytes) now."""
    start = load_module("umbel.start")
    ctx.exit(start.run(words, start.pruner(dry_run=dry_run)))


@main.command("doctor", cls=LazyCommand, context_settings=_WORDS, options_metavar="")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]")
@click.pass_context
def doctor(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Say what is wrong with the cluster or with how it is watched, and what to do. Exits with 1 if anything is."""
    start = load_module("umbel.start")
    ctx.exit(start.run(words, start.doctor))


@main.command("demo")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5555,
    show_default=True,
    help="Port of the page.",
)
@click.option("--address", default="127.0.0.1", show_default=True, help="Address of the page.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.pass_context
def demo(ctx: click.Context, port: int, address: str, open_browser: bool) -> None:
    """Show everything alive on this machine: a broker, two workers, a small shop and the page."""
    run = load_module("umbel.demo.run")
    ctx.exit(run.main(port, address, open_browser))


@main.command("version")
def version() -> None:
    """Print Umbel's version and those of what it stands on."""
    from importlib.metadata import version as installed

    click.echo(f"umbel {__version__}")
    click.echo(f"celery {installed('celery')}, kombu {installed('kombu')}, python {sys.version.split()[0]}")
