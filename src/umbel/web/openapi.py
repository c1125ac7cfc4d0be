"""The OpenAPI 3.1 document of `/api/v1`, made from `operations.OPERATIONS` and the structs they name.

Served at `/api/v1/openapi.json`; `python -m umbel.web.openapi` prints it without a server, for the page's types.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from umbel import __version__
from umbel.web.operations import OPERATIONS, PREFIX, Operation
from umbel.web.problem import PROBLEM_TYPE
from umbel.web.query import parameters_of
from umbel.web.schema import Problem

_REF = "#/components/schemas/{name}"
_REFUSALS = {
    "400": "A parameter is unknown or bad; `parameter` names it.",
    "401": "A login is configured and was not given; or none is, and commands were not opened to everybody.",
    "403": "Read-only mode, or a page of another site.",
    "404": "There is no such thing.",
    "409": "This worker can't do that; nothing was sent.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "503": "The history, the broker or the audit can't be used now.",
}


def document(operations: Iterable[Operation] = OPERATIONS) -> dict[str, Any]:
    """The whole document as plain JSON values."""
    listed = list(operations)
    bodies = [operation.body for operation in listed if operation.body is not None]
    types: list[type] = [Problem, *bodies, *(answer for operation in listed for answer in operation.answers)]
    refs, components = msgspec.json.schema_components(types, ref_template=_REF)
    schemas = dict(zip(types, refs, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Umbel",
            "version": __version__,
            "summary": "Tasks and workers of a Celery cluster, from stored history.",
            "description": "Times are float epoch seconds UTC, durations are seconds. Unknown is null.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "paths": _paths(listed, schemas),
        "components": {
            "schemas": {name: components[name] for name in sorted(components)},
            "responses": _refusals(schemas[Problem]),
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"basic": []}],
    }


def _paths(operations: Iterable[Operation], schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for item in operations:
        paths.setdefault(PREFIX + item.path, {})[item.method.lower()] = _operation(item, schemas)
    return paths


def _operation(item: Operation, schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    codes = ["400", "401", "503"] + (["404"] if item.path_parameters else [])
    if item.is_command:
        codes += ["403", "409", "413", "415"]
    content = {item.media_type: {"schema": _answer(item, schemas)}}
    answers = {"200": {"description": item.summary, "content": content}}
    if item.is_command:
        answers["202"] = {"description": "Sent; not all workers have answered.", "content": content}
    described: dict[str, Any] = {
        "operationId": item.name,
        "summary": item.summary,
        "parameters": [*_path_parameters(item), *_query_parameters(item)],
    }
    if item.body is not None:
        body = {"content": {"application/json": {"schema": schemas[item.body]}}}
        described["requestBody"] = {"required": has_required(item.body), **body}
    refusals = {code: {"$ref": f"#/components/responses/Refused{code}"} for code in sorted(codes)}
    return {**described, "responses": {**answers, **refusals}}


def has_required(body: type[msgspec.Struct]) -> bool:
    """Whether a body can't be left out."""
    return any(field.required for field in msgspec.structs.fields(body))


def _answer(item: Operation, schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    if item.is_free:
        return {"type": "object"}
    refs = [schemas[answer] for answer in item.answers]
    return refs[0] if len(refs) == 1 else {"oneOf": refs}


def _path_parameters(item: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string", "minLength": 1},
        }
        for name, text in item.path_parameters.items()
    ]


def _query_parameters(item: Operation) -> list[dict[str, Any]]:
    parameters = []
    for name, raw in parameters_of(item.query).items():
        schema = _without_null(raw)
        description = schema.pop("description", "")
        parameter = {"name": name, "in": "query", "required": False, "schema": schema}
        parameters.append({**parameter, "description": description} if description else parameter)
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is absent, never null: take null out of its union and of its default."""
    schema = dict(schema)
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    for option in options:
        schema = {**option, **schema}
    if schema.get("default", "") is None:
        del schema["default"]
    return schema


def _refusals(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        f"Refused{code}": {
            "description": text,
            "content": {PROBLEM_TYPE: {"schema": schema}},
        }
        for code, text in _REFUSALS.items()
    }


def text() -> str:
    """The document as indented JSON with a final newline: what is committed or given to a generator."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
