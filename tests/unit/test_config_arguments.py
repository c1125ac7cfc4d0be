"""How a command line is sorted into options, Celery's arguments and the rest."""

import pytest

from umbel.config.arguments import parse, split_command
from umbel.errors import ConfigError


@pytest.mark.parametrize(
    "words",
    [["--url_prefix=x"], ["--url-prefix=x"], ["--url-prefix", "x"], ["--url_prefix", "x"]],
)
def test_dashes_underscores_spaces_and_equals_are_alike(words: list[str]) -> None:
    assert parse(words).options == {"url_prefix": "x"}


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--debug"], "true"),
        (["--debug", "--port=1"], "true"),
        (["--debug=no"], "no"),
        (["--debug", "False"], "False"),
        (["--debug", "word"], "true"),
    ],
)
def test_a_bare_boolean_is_true_and_takes_only_a_boolean_word(words: list[str], value: str) -> None:
    assert parse(words).options["debug"] == value


def test_the_last_of_a_repeated_option_counts() -> None:
    assert parse(["--port=1", "--port", "2"]).options == {"port": "2"}


def test_celery_arguments_after_the_command_are_honoured() -> None:
    words = "-A proj -b redis://h --result-backend=rpc:// --loader app --config=c --workdir /w"
    parsed = parse([*words.split(), "-C", "-q", "--skip-checks"])
    assert parsed.options == {"broker": "redis://h", "result_backend": "rpc://"}
    celery = parsed.celery
    assert (celery.app, celery.loader, celery.config, celery.workdir) == ("proj", "app", "c", "/w")
    assert (celery.no_color, celery.quiet, celery.skip_checks) == (True, True, True)
    assert parsed.warnings == []


@pytest.mark.parametrize("words", [["-Aproj"], ["--app=proj"], ["--app", "proj"]])
def test_the_application_can_be_written_in_every_way_celery_takes(words: list[str]) -> None:
    assert parse(words).celery.app == "proj"


def test_an_unknown_option_is_one_warning_that_names_the_nearest() -> None:
    parsed = parse(["--prot", "5555", "--port=1"])
    assert parsed.options == {"port": "1"}
    assert parsed.warnings == ["Unknown option --prot is ignored; did you mean --port?"]


def test_an_unknown_option_that_nothing_is_like_points_to_help() -> None:
    assert parse(["--zzzz=1"]).warnings == ["Unknown option --zzzz is ignored; --help lists them all."]


def test_a_bare_assignment_is_named_and_does_not_stop_the_rest() -> None:
    parsed = parse(["broker-api=http://x", "--port=1"])
    assert parsed.options == {"port": "1"}
    assert parsed.warnings == [
        "Argument broker-api=… is ignored: options begin with two dashes, --broker_api=…"
    ]


@pytest.mark.parametrize("words", [["--port"], ["--port", "--debug"], ["-A"], ["--broker"]])
def test_an_option_without_its_value_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="needs a value"):
        parse(words)


def test_a_flag_with_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes no value"):
        parse(["--quiet=1"])


@pytest.mark.parametrize(
    ("words", "head", "command", "tail"),
    [
        ("serve --port=1", "", "serve", "--port=1"),
        ("-A proj flower --port 1", "-A proj", "flower", "--port 1"),
        ("--port 5555 --debug serve", "--port 5555 --debug", "serve", ""),
        ("--debug false collect", "--debug false", "collect", ""),
        ("--broker=redis://h", "--broker=redis://h", None, ""),
        ("-q -A proj", "-q -A proj", None, ""),
        ("nonsense", "", "nonsense", ""),
    ],
)
def test_the_command_is_found_among_the_options(
    words: str, head: str, command: str | None, tail: str
) -> None:
    found = split_command(words.split(), {"serve", "flower", "collect"})
    assert found == (head.split(), command, tail.split())
