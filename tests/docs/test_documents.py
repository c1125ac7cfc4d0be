"""Documents name what is there: commands, files, options."""

import re
import shlex
import subprocess
import tomllib

import pytest

from tests.docs.documents import ROOT, find_blocks, find_documents, find_links, read
from umbel.config import OPTIONS

S4 = (
    "flower --address=localhost --port=5555 --broker=redis://:{redis-password}@localhost:6379/0 "
    "--broker_api=redis://:{redis-password}@localhost:6379/0 --basic_auth={user_id}:{user_password}"
)
#: Options in our commands that are Celery's, or one command's alone.
OTHER_OPTIONS = {"broker", "result_backend", "app", "workdir", "config", "dry_run"}


@pytest.mark.parametrize("name", find_documents())
def test_every_link_leads_to_a_file(name: str) -> None:
    folder = (ROOT / name).parent
    assert [target for target in find_links(name) if not (folder / target).exists()] == []


@pytest.mark.parametrize("name", find_documents())
def test_every_make_verb_in_a_document_exists(name: str) -> None:
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    verbs = {line.split()[0] for line in listed.stdout.splitlines()}
    # a part of the benchmarks is a module of them
    verbs |= {f"bench-{module.stem}" for module in (ROOT / "benchmarks").glob("*.py")}
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", read(name), re.MULTILINE))
    assert named <= verbs


@pytest.mark.parametrize("name", find_documents())
def test_every_option_in_a_command_exists(name: str) -> None:
    known = set(OPTIONS) | OTHER_OPTIONS
    for block in find_blocks(name):
        for line in block.replace("\\\n", " ").splitlines():
            if re.search(r"celery .*\b(?:flower|umbel)\b|^umbel (?:serve|collect|prune)\b", line):
                words = re.findall(r"--([a-z][a-z0-9_-]*)", line)
                assert {word.replace("-", "_") for word in words} <= known, line


def test_the_service_unit_runs_the_command_that_flowers_users_have() -> None:
    unit = read("deploy/systemd/umbel.service")
    command = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert command is not None
    names = {"REDIS_PASSWORD": "redis-password", "WEB_USER": "user_id", "WEB_PASSWORD": "user_password"}
    said = re.sub(r"\$\{(\w+)\}", lambda match: "{" + names[match[1]] + "}", command[1])
    program, *words = shlex.split(said)
    assert program.endswith("/celery")
    assert " ".join(words) == f"-A celery_app {S4}"
    for setting in (
        "Type=simple",
        "Restart=on-failure",
        "User=",
        "WorkingDirectory=",
        "StateDirectory=umbel",
    ):
        assert re.search(rf"^{setting}", unit, re.MULTILINE), setting


def test_decisions_name_every_dependency() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    told = read("docs/explanation/decisions.md")
    rows = "\n".join(re.findall(r"^\| ([^|]+) \|", told, re.MULTILINE))
    names = {re.split(r"[<>=;\[ ]", requirement)[0] for requirement in wanted}
    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", rows)} == set()


def test_ci_runs_the_readmes_test_command_and_nothing_else() -> None:
    lines = [line for line in read(".ci/run").splitlines() if line and not line.startswith("#")]
    assert lines == ['cd "$(dirname "$0")/.." && CI=true exec make test']
    assert "make test" in read("README.md")


def test_constraints_hold_names_and_versions_only() -> None:
    for line in read("constraints.txt").splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[^\s;]+( ; .+)?", line), line
