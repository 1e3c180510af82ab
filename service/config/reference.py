"""The reference of all settings, made from their models.

`python -m service.config.reference > docs/settings.md` writes it anew.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from service.config import Settings
from service.config.sections import ENGINE_MODELS
from service.config.shape import (
    ENVIRONMENT_ALIASES,
    Keys,
    dotted,
    fields,
    is_map,
    is_optional,
    kind_at,
    variables,
)

KINDS: dict[object, str] = {
    bool: "`true`, `false`",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "secret",
}

HEADER = """\
# Settings

Generated from the code by `python -m service.config.reference > docs/settings.md`; don't edit it.

A value comes from the strongest place that has one:

1. the command line,
2. a variable `CHATTERBOX_*` of the environment,
3. `config.yaml` in the working directory, or the file that the command line names,
4. the default.

`chatterbox doctor` shows every value and its source. All problems are reported at start, at once, each with
its place, and nothing starts:

```text
config.yaml:12: api.max_text_lenght: unknown key (did you mean max_text_length?)
CHATTERBOX_SERVER__PORT: server.port: should be less than or equal to 65535 (it is '70000')
```

- A variable is named after its section and key, with two underscores between them: `CHATTERBOX_SERVER__PORT`.
  Upper or lower case makes no difference. Two have short names too:
  %(aliases)s.
- The value of a map or a list is JSON: `CHATTERBOX_TELEMETRY__VOICE_LABELS='["joe"]'`. It replaces what the
  file has; one entry of a map has a name of its own: `CHATTERBOX_MODELS__PIPER__THREADS=2`.
- An empty variable means "not set" where the default is `null`.
- Variables that Kubernetes injects for a Service called chatterbox (or chatterbox-anything) are passed over:
  values that start with `tcp://`, `udp://` or `sctp://`, `CHATTERBOX_*_PORT_7860_TCP*` for any port, and
  `CHATTERBOX_*_SERVICE_HOST*` and `_SERVICE_PORT*`. Any other variable `CHATTERBOX_*` that is not listed here
  is an error.
- Relative paths are relative to the working directory.
- A setting whose feature is not there yet is refused, not ignored.
- Numbers and switches are read from their text, so `off` is a word to a choice, and false to a switch (like
  `false`, `no` and `0`). A key that stands in the file twice is an error.
"""


def reference() -> str:
    """The whole of `docs/settings.md`."""
    aliases = " and ".join(
        f"`CHATTERBOX_{alias}` (`{dotted(keys)}`)" for alias, keys in ENVIRONMENT_ALIASES.items()
    )
    return "\n".join([HEADER % {"aliases": aliases}, *_sections()])


def _sections() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        kind = kind_at(Settings, (name,))
        yield f"## {name}\n"
        if is_map(kind):
            yield f"{field.description}\n"
            for engine, model in ENGINE_MODELS.items():
                yield f"### engine: {engine}\n"
                yield f"{model.__doc__}\n"
                yield from _table((name, "<name>"), model)
        else:
            yield f"{getattr(kind, '__doc__', '')}\n"
            yield from _table((name,), kind)


def _table(section: Keys, kind: object) -> Iterator[str]:
    yield "| setting | default | values | variable | what |"
    yield "| --- | --- | --- | --- | --- |"
    for key, field in fields(kind).items():
        keys = (*section, key)
        cells = [
            f"`{'.'.join(keys)}`",
            f"`{json.dumps(to_jsonable_python(field.default))}`",
            _values(field),
            ", ".join(f"`{variable.replace('<NAME>', '*')}`" for variable in variables(keys)),
            field.description or "",
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _values(field: FieldInfo) -> str:
    limits = [
        f"{words} {limit}"
        for words, name in (("from", "ge"), ("to", "le"))
        for rule in field.metadata
        if (limit := getattr(rule, name, None)) is not None
    ]
    or_null = ["or `null`"] if is_optional(field.annotation) else []
    return " ".join([_kind(field.annotation), *limits, *or_null])


def _kind(kind: object) -> str:
    arguments = get_args(kind)
    if get_origin(kind) is Annotated:
        return _kind(arguments[0])
    if get_origin(kind) in {Union, UnionType}:
        return " or ".join(_kind(argument) for argument in arguments if argument is not NoneType)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if get_origin(kind) is list:
        return f"list of {_kind(arguments[0])}"
    if is_map(kind):
        return f"map of {_kind(arguments[0])} to {_kind(arguments[1])}"
    return KINDS[kind]


if __name__ == "__main__":
    sys.stdout.write(reference())
