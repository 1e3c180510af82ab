"""Which settings there are, asked of the models: the kind of value at a key, names, secrets."""

import difflib
import re
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Annotated, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

Keys = tuple[str, ...]

ENVIRONMENT_PREFIX = "CHATTERBOX_"
# Short names that are a contract; everything else is SECTION__KEY.
ENVIRONMENT_ALIASES = {"LOG_LEVEL": ("server", "log_level"), "LOG_FILE": ("server", "log_file_path")}


def dotted(keys: Iterable[str]) -> str:
    """`server.port`; what is no plain name is quoted, so that a line stays a line."""
    return ".".join(plain(key) for key in keys)


def plain(name: str) -> str:
    return name if re.fullmatch(r"[\w./-]+", name) else repr(name)


def variables(keys: Keys) -> list[str]:
    """The environment variables that set what is at `keys`, the preferred one first."""
    short = [alias for alias, aliased in ENVIRONMENT_ALIASES.items() if aliased == keys]
    return [ENVIRONMENT_PREFIX + name for name in [*short, "__".join(keys).upper()]]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like `name`, if any is like it at all."""
    return next(iter(difflib.get_close_matches(name, list(names), 1)), None)


def fields(kind: object) -> dict[str, FieldInfo]:
    """The keys of a section; of a model in `models`, those of every engine."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    found: dict[str, FieldInfo] = {}
    for section in (kind, *kind.__subclasses__()):
        found.update(section.model_fields)
    return found


def kind_at(root: type[BaseModel], keys: Keys) -> object | None:
    """The type of what is at `keys`, or None where there is no such setting."""
    kind: object = root
    for key in keys:
        if is_map(kind):
            kind = _bare(get_args(kind)[1])
        elif key in (known := fields(kind)):
            kind = _bare(known[key].annotation)
        else:
            return None
    return kind


def is_map(kind: object) -> bool:
    return get_origin(kind) is dict


def is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def is_optional(kind: object) -> bool:
    return NoneType in get_args(kind)


def is_structured(kind: object) -> bool:
    """True for what one line of text can't say: maps, lists, and a model in `models`."""
    return is_map(kind) or get_origin(kind) is list or is_section(kind)


def secret_depth(root: type[BaseModel], keys: Keys) -> int | None:
    """How many of `keys` lead to a map of secrets, or None if they lead elsewhere."""
    for depth in range(1, len(keys) + 1):
        if SecretStr in get_args(kind_at(root, keys[:depth])):
            return depth
    return None


def setting_names(root: type[BaseModel], keys: Keys = ()) -> Iterator[Keys]:
    """Every setting that has a fixed name: all but what is inside `models`."""
    for key, field in fields(kind_at(root, keys)).items():
        if is_section(_bare(field.annotation)):
            yield from setting_names(root, (*keys, key))
        else:
            yield (*keys, key)


def _bare(kind: object) -> object:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
