"""`python -m umbel` is the `umbel` script."""

from umbel.cli import main

main(prog_name="umbel")
