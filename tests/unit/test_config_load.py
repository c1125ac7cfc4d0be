"""Precedence of the four sources, what each kind of value allows, and how refusals read."""

import math
from pathlib import Path

import pytest

from umbel.config import OPTIONS, Config, load
from umbel.config.option import Status
from umbel.errors import ConfigError, NotBuilt


def config_of(*words: str, folder: Path | None = None, **environ: str) -> Config:
    return load(words, environ, folder=folder).config


def refusal(*words: str, folder: Path | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(words, environ, folder=folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write(folder: Path, text: str, name: str = "flowerconfig.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_each_source_beats_those_before_it(tmp_path: Path) -> None:
    environ = {"FLOWER_PORT": "1", "UMBEL_PORT": "2"}
    assert config_of(folder=tmp_path, FLOWER_PORT="1").port == 1
    assert config_of(folder=tmp_path, **environ).port == 2
    write(tmp_path, "port = 3")
    assert config_of(folder=tmp_path, **environ).port == 3
    write(tmp_path, "port = 4", "umbelconfig.py")
    assert config_of(folder=tmp_path, **environ).port == 4
    assert config_of("--port=5", folder=tmp_path, **environ).port == 5


def test_config_files_that_were_read_are_listed_in_order(tmp_path: Path) -> None:
    names = [write(tmp_path, "", name) for name in ("flowerconfig.py", "umbelconfig.py")]
    assert config_of(folder=tmp_path).config_files == tuple(map(str, names))


def test_a_named_config_file_is_the_only_one_read(tmp_path: Path) -> None:
    write(tmp_path, "port = 1")
    write(tmp_path, "port = 2", "umbelconfig.py")
    write(tmp_path, "debug = True", "other.py")
    for environ, words in (({}, ["--conf=other.py"]), ({"FLOWER_CONF": "other.py"}, [])):
        config = load(words, environ, folder=tmp_path).config
        assert (config.port, config.debug) == (5555, True)


@pytest.mark.parametrize("conf", ["gone.py", "./flowerconfig.py", "sub/flowerconfig.py"])
def test_a_named_config_file_that_is_missing_stops_the_start(conf: str, tmp_path: Path) -> None:
    assert "there is no file" in refusal(f"--conf={conf}", folder=tmp_path)


def test_an_empty_device_is_a_config_file() -> None:
    assert config_of("--conf=/dev/null").port == 5555


def test_strings_in_a_config_file_are_read_like_the_command_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        "port = '5000'\nbasic_auth = 'a:b,c:d'\nretention = '12h'\ninspect_timeout = 2500\ndebug = 'no'",
    )
    config = config_of(folder=tmp_path)
    assert (config.port, config.basic_auth, config.retention) == (5000, ("a:b", "c:d"), 43200.0)
    assert (config.inspect_timeout, config.debug) == (2.5, False)


def test_a_list_in_a_config_file_may_hold_commas(tmp_path: Path) -> None:
    write(tmp_path, "basic_auth = ['a:b,c']")
    assert config_of(folder=tmp_path).basic_auth == ("a:b,c",)


def test_imports_in_a_config_file_are_not_settings(tmp_path: Path) -> None:
    write(
        tmp_path, "import logging\nfrom datetime import timezone\ndef redact(task): return task\nport = None"
    )
    config = config_of(folder=tmp_path)
    assert (config.logging, config.timezone, config.redact, config.port) == ("info", None, True, 5555)


def test_a_config_file_knows_where_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, "url_prefix = __file__")
    assert config_of(folder=tmp_path).url_prefix == str(path).strip("/")


def test_format_task_comes_from_a_config_file_only(tmp_path: Path) -> None:
    write(tmp_path, "def format_task(task):\n    return task + 1")
    function = config_of(folder=tmp_path).format_task
    assert function is not None
    assert function(1) == 2
    assert "in a config file only" in refusal("--format_task=x")
    assert "in a config file only" in refusal(FLOWER_FORMAT_TASK="x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ny = nope\n", "line 2: NameError: name 'nope' is not defined"),
        ("x = (", "line 1: '(' was never closed"),
        ("port = [1]", "port: [1] from"),
        ("port = True", "allowed: a whole number from 0 to 65535"),
        ("debug = 2", "debug: 2 from"),
    ],
)
def test_what_is_wrong_in_a_config_file_is_one_line(text: str, told: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    message = refusal(folder=tmp_path)
    assert told in message
    assert str(path) in message


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (
            "--port=abc",
            "port: 'abc' from the command line is not allowed; allowed: a whole number from 0 to 65535",
        ),
        ("--port=70000", "from 0 to 65535"),
        ("--debug=maybe", "allowed: true, false, yes, no, on, off, 1, 0"),
        ("--inspect_timeout=nan", "allowed: a number from 1 to 600000"),
        ("--max_tasks=0", "from 1 up"),
        ("--retention=soon", "12h or 30d"),
        ("--worker_grace=none", "worker_grace: 'none'"),
        ("--stalled_after=0.5", "at least 1 s"),
        ("--max_bytes=3XB", "powers of 1000"),
        ("--logging=loud", "allowed: debug, info, warning, error, none"),
        ("--accept_content=json,xml", "allowed: json, pickle, yaml"),
        ("--timezone=Mars/Olympus", "IANA"),
        ("--redact_patterns=(", "regular expression"),
        ("--broker_transport_options=[1]", "a JSON object"),
        ("--task_runtime_metric_buckets=3,1", "not in ascending order"),
        ("--task_runtime_metric_buckets=inf", "at least one finite bound"),
        ("--tasks_columns=,", "no column is left"),
        ("--certfile=gone.pem", "there is no file"),
    ],
)
def test_a_bad_value_is_one_line_with_its_origin_and_what_is_allowed(word: str, told: str) -> None:
    assert told in refusal(word)


def test_a_bad_variable_is_named() -> None:
    assert "environment variable FLOWER_PORT" in refusal(FLOWER_PORT="x")
    assert "environment variable UMBEL_DEBUG" in refusal(UMBEL_DEBUG="maybe")


def test_secrets_are_not_repeated_in_refusals() -> None:
    assert "hunter2" not in refusal("--basic_auth=hunter2")


@pytest.mark.parametrize("value", ["", "user", "user:", ":password", "a:b,"])
def test_an_empty_or_broken_login_never_opens_the_page(value: str) -> None:
    assert "allowed: user:password" in refusal(FLOWER_BASIC_AUTH=value)


@pytest.mark.parametrize("name", [n for n, option in OPTIONS.items() if option.status is Status.NOT_BUILT])
def test_what_is_not_built_stops_the_start_wherever_it_is_set(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match=name):
        load([f"--{name}=x"], {})
    with pytest.raises(NotBuilt, match=f"FLOWER_{name.upper()}"):
        load([], {f"FLOWER_{name.upper()}": "x"})
    write(tmp_path, f"{name} = 'x'")
    with pytest.raises(NotBuilt, match=r"flowerconfig\.py"):
        load([], {}, folder=tmp_path)


def test_an_empty_auth_is_no_auth_as_in_flower() -> None:
    assert load([], {"FLOWER_AUTH": ""}).warnings == []


@pytest.mark.parametrize("name", ["state_save_interval", "inspect"])
def test_what_has_no_meaning_any_more_warns_once(name: str) -> None:
    warnings = load([f"--{name}=1"], {f"FLOWER_{name.upper()}": "1"}).warnings
    assert len(warnings) == 1
    assert name in warnings[0]


def test_kubernetes_service_variables_are_not_settings() -> None:
    loaded = load([], {"FLOWER_PORT": "tcp://10.0.0.1:5555", "UMBEL_SERVICE_HOST": "10.0.0.1"})
    assert loaded.config.port == 5555
    assert loaded.warnings == [
        "FLOWER_PORT=tcp://10.0.0.1:5555 is ignored: Kubernetes set it for a service of that name."
    ]


def test_a_misspelt_variable_of_ours_is_named_and_one_of_flowers_is_not() -> None:
    assert load([], {"UMBEL_MAX_TASK": "1", "FLOWER_MAX_TASK": "1"}).warnings == [
        "Unknown environment variable UMBEL_MAX_TASK is ignored; did you mean UMBEL_MAX_TASKS?"
    ]


@pytest.mark.parametrize(
    ("words", "retention", "max_tasks"),
    [
        ([], 30 * 86400.0, None),
        (["--max_tasks=10"], None, 10),
        (["--max_tasks=10", "--retention=1d"], 86400.0, 10),
        (["--retention=none"], None, None),
        (["--retention=0"], None, None),
    ],
)
def test_history_is_bounded_by_age_unless_a_count_is_asked_for(
    words: list[str], retention: float | None, max_tasks: int | None
) -> None:
    loaded = load(words, {})
    assert (loaded.config.retention, loaded.config.max_tasks) == (retention, max_tasks)
    assert bool(loaded.warnings) == (max_tasks is not None)


@pytest.mark.parametrize(
    ("text", "size"),
    [("100", 100), ("10GB", 10**10), ("1.5 MiB", 3 * 2**19), ("64kib", 65536), ("none", None), ("0", None)],
)
def test_sizes_are_read_with_units(text: str, size: int | None) -> None:
    assert config_of(f"--max_bytes={text}").max_bytes == size


def test_bounds_are_completed_by_infinity() -> None:
    assert config_of("--task_runtime_metric_buckets=1,5,inf").task_runtime_metric_buckets == (
        1.0,
        5.0,
        math.inf,
    )
    assert config_of("--task_runtime_metric_buckets=1,5").task_runtime_metric_buckets == (1.0, 5.0, math.inf)


def test_columns_keep_their_order_and_unknown_ones_are_named() -> None:
    loaded = load(["--tasks_columns=state,name,wroker"], {})
    assert loaded.config.tasks_columns == ("state", "name")
    assert loaded.warnings == ["tasks_columns: unknown column 'wroker' is ignored; did you mean worker?"]
    assert len(config_of("--tasks_columns=all").tasks_columns) == 17


def test_https_needs_certificate_and_key(tmp_path: Path) -> None:
    pem = write(tmp_path, "", "a.pem")
    assert "HTTPS needs keyfile" in refusal(f"--certfile={pem}")
    assert "HTTPS needs certfile" in refusal(f"--keyfile={pem}")
    config = config_of("--certfile=a.pem", "--keyfile=a.pem", folder=tmp_path)
    assert (config.certfile, config.scheme) == (str(pem), "https")


def test_settings_for_nothing_are_named(tmp_path: Path) -> None:
    write(tmp_path, "", "a.pem")
    assert "no effect" in load(["--ca_certs=a.pem"], {}, folder=tmp_path).warnings[0]
    assert "unix_socket" in load(["--unix_socket=s", "--xheaders"], {}, folder=tmp_path).warnings[0]


def test_paths_are_absolute_and_urls_stay(tmp_path: Path) -> None:
    config = config_of("--db=history", "--unix_socket=~/s", folder=tmp_path)
    assert config.db == str(tmp_path.resolve() / "history")
    assert config.unix_socket == str((Path.home() / "s").resolve())
    assert config_of("--db=postgresql://h/d").db == "postgresql://h/d"


def test_flowers_default_file_name_means_the_automatic_place() -> None:
    assert config_of("--db=flower").db is None


def test_the_folder_of_the_history_follows_systemd_and_docker(tmp_path: Path) -> None:
    assert config_of(STATE_DIRECTORY="/a:/b", FLOWER_DATA_DIR="/c").state_folder == Path("/a")
    assert config_of(FLOWER_DATA_DIR="/c").state_folder == Path("/c")
    assert config_of(UMBEL_DATA_DIR="/d", STATE_DIRECTORY="/a").state_folder == Path("/d")
    assert config_of().state_folder.name == "umbel"


def test_a_prefix_loses_its_outer_slashes() -> None:
    assert config_of("--url_prefix=/a/b/").url_prefix == "a/b"


def test_patterns_of_ours_may_hold_an_escaped_comma() -> None:
    assert config_of(r"--redact_patterns=a{1\,2},b").redact_patterns == ("a{1,2}", "b")


def test_tls_of_the_broker_may_be_a_dict_in_a_config_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        "broker_use_ssl = {'ssl_cert_reqs': 0}\nbroker_transport_options = {'global_keyprefix': 'x'}",
    )
    config = config_of(folder=tmp_path)
    assert config.broker_use_ssl == {"ssl_cert_reqs": 0}
    assert config.broker_transport_options == {"global_keyprefix": "x"}
