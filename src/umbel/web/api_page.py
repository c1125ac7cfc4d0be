"""The reference page of `/api/v1`, made from the OpenAPI document: `python -m umbel.web.api_page FILE` writes it.

`tests/docs` holds the committed page against it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from umbel.web.openapi import document

_INTRODUCTION = """\
# The v1 API

<!-- Made by `python -m umbel.web.api_page docs/reference/api.md` from the code; edit there. -->

Umbel's own API. Its reads are open or closed as the pages are: with `basic_auth` it asks for the same user and
password. Commands (POST) need that login, or where none is configured `FLOWER_UNAUTHENTICATED_API=true`; never do they
take requests from another site's page, and with `read_only` they are all refused (403). The same description as OpenAPI
3.1 is at `/api/v1/openapi.json`; with `url_prefix` both move below it.

- Times are float epoch seconds UTC, durations seconds, unknown is `null`, never 0 or an empty text.
- Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details (`application/problem+json`). A
  parameter that is unknown, repeated or bad is 400; `parameter` names it and `detail` says what is allowed.
- Lists are paged by cursor: give `next` of one page as `cursor` for the following one, with the same `sort`.
- `total.exact` is false where counting stopped: then there are at least `total.value`.
- A command takes a JSON object, waits for the workers it is for until `timeout` is over, and tells what each of them
  said: 200 when all have answered, 202 when not. Look at `outcome`: only "confirmed" means that it was done everywhere.
  What a worker is known to be unable to do is 409, and not sent. Every command is in the audit.

```console
$ curl 'http://localhost:5555/api/v1/tasks?state=FAILURE&sort=-received&limit=2'
```

The stream (`/api/v1/stream`) sends [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html):
one `snapshot`, then a `delta` at most four times a second while something changes, and a comment after 15 s of
silence. A worker of which nothing but signs of life (heartbeat, clock, load) changed is told every 4 s.
`tasks` in a delta lists ids, or is `null` when more than 200 changed: ask for the list again. `id` is the feed id; a
client that comes back with `Last-Event-ID` gets what it missed, or a new snapshot when that is too long ago.
A client that reads too slowly gets a new snapshot instead of what it did not take.
"""


def reference_page() -> str:
    """The page as Markdown."""
    described = document()
    parts = [_INTRODUCTION, "## Operations\n"]
    for path, item in described["paths"].items():
        for method, operation in item.items():
            parts.extend(_operation(f"{method.upper()} {path}", operation))
    parts.append("## Types\n")
    for name, schema in described["components"]["schemas"].items():
        parts.extend(_type(name, schema))
    return "\n".join(parts)


def _operation(name: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{name}`\n"
    (content,) = operation["responses"]["200"]["content"].values()
    taken = ""
    if "requestBody" in operation:
        (body,) = operation["requestBody"]["content"].values()
        taken = f" Takes {_type_name(body['schema'])}."
    yield f"{operation['summary']}.{taken} Answers {_type_name(content['schema'])}.\n"
    if operation["parameters"]:
        yield "| parameter | in | type | default | meaning |\n| --- | --- | --- | --- | --- |"
        for item in operation["parameters"]:
            schema = item["schema"]
            default = schema.get("default", "")
            shown = f"`{default}`" if default not in ("", []) else ""
            text = item.get("description", "")
            yield f"| `{item['name']}` | {item['in']} | {_type_name(schema)} | {shown} | {text} |"
        yield ""


def _type(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield " ".join(schema["description"].split()) + "\n"
    if "enum" in schema:
        yield f"One of {_type_name(schema)}.\n"
        return
    yield "| field | type |\n| --- | --- |"
    for field, value in schema["properties"].items():
        optional = "" if field in schema["required"] else ", may be absent"
        yield f"| `{field}` | {_type_name(value)}{optional} |"
    yield ""


def _type_name(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to the named types."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_type_name(option) for option in schema[key])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type_name(schema.get('items', {}))}"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return f"object of {_type_name(schema['additionalProperties'])}"
    bounds = f" {schema['minimum']} to {schema['maximum']}" if "minimum" in schema else ""
    return f"{schema.get('type', 'any')}{bounds}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference_page(), encoding="utf-8")
