"""What is known of one option: the row type of `table.OPTIONS`, which everything else is made from."""

from enum import Enum
from typing import Any

import msgspec

from umbel.config.kind import Kind


class Status(Enum):
    """Whether an option does anything."""

    BUILT = "built"
    #: Real in Flower, not in this version of Umbel: setting it stops the start.
    NOT_BUILT = "not built"
    #: Had a meaning in Flower and has none here: setting it earns one warning.
    OBSOLETE = "obsolete"


class Group(Enum):
    """Headings of `--help` and of the reference page, in this order."""

    WEB = "Web server"
    ACCESS = "Access"
    CLUSTER = "Broker and cluster"
    TLS = "Broker TLS"
    HISTORY = "History"
    PRIVACY = "Privacy"
    PAGES = "Pages and metrics"
    LOGGING = "Logging"
    CONFIG = "Configuration"


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option. `help` is a sentence or two for users, in Markdown-safe plain text."""

    name: str
    kind: Kind
    default: Any
    help: str
    group: Group
    #: Unit of a bare number: "s", "ms", "bytes"; "" for none.
    unit: str = ""
    #: Flower has it too, under the same name.
    flower: bool = False
    #: Takes several values: comma-separated text, or a list in the config file.
    multi: bool = False
    status: Status = Status.BUILT
    #: Never printed.
    secret: bool = False
    #: What `--help` shows as the default where the value itself says too little.
    default_text: str = ""
    #: Environment variables read after UMBEL_X and FLOWER_X.
    variables: tuple[str, ...] = ()
    #: Umbel version that brought it.
    since: str = "0.1"

    @property
    def environment(self) -> tuple[str, ...]:
        """The variables that set it, the strongest first."""
        name = self.name.upper()
        return (f"UMBEL_{name}", *((f"FLOWER_{name}",) if self.flower else ()), *self.variables)

    @property
    def shown_default(self) -> str:
        """The default as a user would write it."""
        if self.default_text:
            return self.default_text
        if self.default is None or self.default in ("", ()):
            return "not set"
        if isinstance(self.default, tuple):
            return ",".join(f"{item:g}" if isinstance(item, float) else str(item) for item in self.default)
        if isinstance(self.default, bool):
            return str(self.default).lower()
        shown = f"{self.default:g}" if isinstance(self.default, float) else str(self.default)
        return f"{shown} {self.unit}".strip()
