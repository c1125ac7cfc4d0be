"""The option table, and that `Config` and the readers of the table agree with it."""

import msgspec
import pytest

from umbel.config import OPTIONS, Config, load
from umbel.config.option import Status
from umbel.config.table import canonical, nearest

#: Every option of Flower 2.2.0, Tornado's logging ones included.
FLOWER = frozenset({
    "address", "port", "unix_socket", "debug", "inspect_timeout", "auth", "basic_auth",
    "auth_provider", "oauth2_key", "oauth2_secret", "oauth2_redirect_uri", "cookie_secret",
    "max_workers", "max_tasks", "db", "persistent", "state_save_interval", "broker_api", "ca_certs",
    "certfile", "keyfile", "xheaders", "auto_refresh", "purge_offline_workers", "conf",
    "enable_events", "format_task", "natural_time", "tasks_columns", "url_prefix",
    "task_runtime_metric_buckets", "read_only", "logging", "log_to_stderr", "log_file_prefix",
    "log_file_max_size", "log_file_num_backups", "log_rotate_mode", "log_rotate_when",
    "log_rotate_interval", "inspect",
})  # fmt: skip
RESOLVED = {"config_files", "quiet"}


def test_every_option_of_flower_is_in_the_table() -> None:
    assert {name for name, option in OPTIONS.items() if option.flower} == FLOWER


def test_config_has_one_attribute_for_each_option_that_does_something() -> None:
    built = {name for name, option in OPTIONS.items() if option.status is Status.BUILT}
    assert {field.name for field in msgspec.structs.fields(Config)} == built | RESOLVED


def test_a_bare_config_is_what_an_empty_environment_gives() -> None:
    loaded = load([], {})
    assert loaded.config == Config()
    assert loaded.warnings == []


@pytest.mark.parametrize("option", OPTIONS.values(), ids=list(OPTIONS))
def test_each_option_has_a_name_a_sentence_and_a_default_for_users(option: object) -> None:
    option = OPTIONS[option.name]  # type: ignore[attr-defined]
    assert option.name == canonical(option.name)
    assert option.help.endswith((".", ")"))
    assert option.kind.allowed
    assert option.shown_default


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("prot", "port"), ("loglevel", "logging"), ("basic_aut", "basic_auth"), ("p", "port"), ("zzzz", None)],
)
def test_the_nearest_option_is_found_for_what_people_type(typed: str, meant: str | None) -> None:
    assert nearest(typed) == meant


def test_umbels_variable_stands_before_flowers() -> None:
    assert OPTIONS["port"].environment == ("UMBEL_PORT", "FLOWER_PORT")
    assert OPTIONS["retention"].environment == ("UMBEL_RETENTION",)
