"""Configuration: `OPTIONS`, the table of options; `Config`, the settings of a run; `load`, which builds it."""

from umbel.config.load import Loaded, load
from umbel.config.option import Option
from umbel.config.record import Config
from umbel.config.table import OPTIONS

__all__ = ["OPTIONS", "Config", "Loaded", "Option", "load"]
