"""Settings as they were written: in a YAML file, the environment, on the command line, and where exactly.

Every scalar stays the text it was; the models alone decide what is a number or a switch. So a file and a
variable are read alike, and YAML's own guesses (`off` is false, `010` is 8) do no harm.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.config.shape import (
    ENVIRONMENT_ALIASES,
    ENVIRONMENT_PREFIX,
    Keys,
    dotted,
    fields,
    is_map,
    is_optional,
    is_section,
    is_structured,
    kind_at,
    nearest,
    plain,
    secret_depth,
    setting_names,
    variables,
)

# pydantic's errors about numbers, switches and choices: values that are no secrets and can be shown
SHOWN_VALUES = re.compile(
    r"(int|float|bool)_(parsing|type|from_float)|(greater|less)_than.*|literal_error|finite.*"
)

WHOLE_SECTION = "is a section; set its keys one by one"


@dataclass(frozen=True, order=True)
class Origin:
    """The place a value comes from; sorts as problems are listed."""

    source: Literal[0, 1, 2]  # file, environment, command line
    line: int
    label: str


class RawSettings:
    """Values and their origins, from the weakest source to the strongest, and every problem met.

    Args:
        root: the model of all settings.
    """

    def __init__(self, root: type[BaseModel]) -> None:
        self.tree: dict[str, object] = {}
        self.origins: dict[Keys, Origin] = {}
        self.problems: list[tuple[Origin, str]] = []
        self._root = root

    def problem_lines(self) -> list[str]:
        """`config.yaml:12: server.port: what is wrong`, in the order of the files."""
        return [f"{origin.label}: {message}" for origin, message in sorted(self.problems)]

    def read_file(self, path: Path) -> None:
        """Take the values of a YAML file, each with its line."""
        name = str(path) if str(path).isprintable() else repr(str(path))
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            self.problems.append((Origin(0, 0, name), "there is no such file"))
        except UnicodeDecodeError:
            self.problems.append((Origin(0, 0, name), "is not UTF-8 text"))
        except OSError as error:
            self.problems.append((Origin(0, 0, name), f"can't be read: {error.strerror}"))
        else:
            self._read_yaml(text, name)

    def _read_yaml(self, text: str, name: str) -> None:
        values: object = None
        try:
            document = yaml.compose(text, Loader=yaml.SafeLoader)
            values = None if document is None else self._from_node(document, (), name)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            # A quoted word could be a secret that was taken for an alias.
            problem = re.sub(r" '[^']{2,}'", "", error.problem or "not YAML")
            self.problems.append((Origin(0, line, f"{name}:{line}"), f"is not YAML: {problem}"))
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.problems.append((Origin(0, line, f"{name}:{line}"), "is not YAML: control character"))
        except (ValueError, OverflowError):  # a character beyond Unicode: "\U99999999"
            self.problems.append((Origin(0, 0, name), "is not YAML: there is no such character"))
        except RecursionError:  # an alias inside of its own anchor, or thousands of brackets
            self.problems.append((Origin(0, 0, name), "is nested too deeply"))
        if isinstance(values, dict):
            # A section with all its keys commented out is null.
            self.tree.update({key: value for key, value in values.items() if value is not None})
        elif values is not None:
            self.problems.append((self.origins[()], "should hold sections, like `server:`"))

    def _from_node(self, node: yaml.Node, keys: Keys, name: str) -> object:
        line = node.start_mark.line + 1
        self.origins.setdefault(keys, Origin(0, line, f"{name}:{line}"))
        if isinstance(node, yaml.SequenceNode):
            return [self._from_node(item, (*keys, str(i)), name) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._from_mapping(node, keys, name)
        is_bare = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if is_bare and node.value in {"", "~", "null", "Null", "NULL"} else node.value

    def _from_mapping(self, node: yaml.MappingNode, keys: Keys, name: str) -> dict[str, object]:
        values: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            origin = Origin(0, line, f"{name}:{line}")
            key = key_node.value
            if not isinstance(key, str):
                self._complain(origin, keys, "a key should be a plain word")
            elif key in values:
                self._complain(origin, (*keys, key), f"set twice, first on line {lines[key]}")
            else:
                self.origins[(*keys, key)] = origin
                lines[key] = line
                values[key] = self._from_node(value_node, (*keys, key), name)
        return values

    def read_environment(self, environ: Mapping[str, str]) -> None:
        """Take `CHATTERBOX_*`, in any case; what Kubernetes injects is passed over."""
        taken: dict[Keys, str] = {}
        # Shorter names first: CHATTERBOX_MODELS before CHATTERBOX_MODELS__PIPER__THREADS.
        for name, value in sorted(environ.items(), key=lambda item: (item[0].count("__"), item[0])):
            upper = name.upper()
            if not upper.startswith(ENVIRONMENT_PREFIX) or _is_injected(upper, value):
                continue
            origin = Origin(1, 0, plain(name))
            rest = upper.removeprefix(ENVIRONMENT_PREFIX)
            keys = self._as_spelled(ENVIRONMENT_ALIASES.get(rest) or tuple(rest.lower().split("__")))
            kind = kind_at(self._root, keys)
            if kind is None:
                self.problems.append((origin, self._unknown_variable(rest, keys)))
            elif is_section(kind) and len(keys) == 1:
                self._complain(origin, keys, WHOLE_SECTION)
            elif keys in taken:
                self._complain(origin, keys, f"set twice, also by {taken[keys]}")
            else:
                taken[keys] = origin.label
                self._set_text(keys, kind, value, origin)

    def _as_spelled(self, keys: Keys) -> Keys:
        """The keys as the file spells them: variables know no case, names of voices do."""
        node: object = self.tree
        spelled: list[str] = []
        for key in keys:
            names = node if isinstance(node, dict) else {}
            if is_map(kind_at(self._root, tuple(spelled))):
                key = next((name for name in names if name.lower() == key), key)
            spelled.append(key)
            node = names.get(key)
        return tuple(spelled)

    def _unknown_variable(self, rest: str, keys: Keys) -> str:
        known = list(setting_names(self._root))
        if len(keys) > 1:  # a model's settings have no fixed names
            known += [(*keys[:-1], key) for key in fields(kind_at(self._root, keys[:-1]))]
        # All names share the prefix, so with it each would be like every other.
        names = [name.removeprefix(ENVIRONMENT_PREFIX) for near in known for name in variables(near)]
        near_name = nearest(rest, names)
        if near_name is not None:
            return f"unknown setting{_did_you_mean(ENVIRONMENT_PREFIX + near_name)}"
        elsewhere = self._same_key_elsewhere(keys)
        return f"unknown setting{_did_you_mean(variables(elsewhere)[0] if elsewhere else None)}"

    def _set_text(self, keys: Keys, kind: object, text: str, origin: Origin) -> None:
        if not is_structured(kind):
            self._set(keys, None if text == "" and is_optional(kind) else text, origin)
            return
        try:
            value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        except json.JSONDecodeError as error:
            self._complain(origin, keys, f"should be JSON: {error.msg} at character {error.pos + 1}")
        except RecursionError:
            self._complain(origin, keys, "should be JSON: it is nested too deeply")
        else:
            self._set(keys, value, origin)

    def read_overrides(self, overrides: Mapping[str, object]) -> None:
        """Take dotted names from the command line; None stands for an option that was not given."""
        origin = Origin(2, 0, "command line")
        for name, value in overrides.items():
            keys = tuple(name.split("."))
            kind = kind_at(self._root, keys)
            if kind is None:
                self._complain(origin, keys, f"unknown setting{self._suggestion(keys)}")
            elif is_section(kind) and len(keys) == 1:
                self._complain(origin, keys, WHOLE_SECTION)
            elif isinstance(value, str):
                self._set_text(keys, kind, value, origin)
            elif value is not None:
                self._set(keys, value, origin)

    def _set(self, keys: Keys, value: object, origin: Origin) -> None:
        node = self.tree
        for depth, key in enumerate(keys[:-1], start=1):
            inner = node.setdefault(key, {})
            self.origins.setdefault(keys[:depth], origin)
            if not isinstance(inner, dict):
                return  # the file has something else there: its own problem, reported
            node = inner
        for inner_keys in [known for known in self.origins if known[: len(keys)] == keys]:
            del self.origins[inner_keys]
        node[keys[-1]] = self._plain_value(keys, value, origin)

    def _plain_value(self, keys: Keys, value: object, origin: Origin) -> object:
        self.origins[keys] = origin
        if isinstance(value, dict):
            return {key: self._plain_value((*keys, str(key)), inner, origin) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._plain_value((*keys, str(i)), item, origin) for i, item in enumerate(value)]
        # Else `true` for a number would be a 1.
        return str(value).lower() if isinstance(value, bool) else value

    def report_invalid(self, error: ValidationError) -> None:
        """Turn what pydantic found into problems."""
        for details in error.errors(include_url=False):
            is_key = details["loc"][-1] == "[key]"
            keys = tuple(str(key) for key in (details["loc"][:-1] if is_key else details["loc"]))
            origin = next(
                (
                    self.origins[keys[:depth]]
                    for depth in range(len(keys), 0, -1)
                    if keys[:depth] in self.origins
                ),
                Origin(0, 0, "settings"),
            )
            if details["type"] == "extra_forbidden":
                message = f"unknown key{self._suggestion(keys)}"
            else:
                message = ("the name " if is_key else "") + self._reason(details)
            self._complain(origin, keys, message)

    def _reason(self, details: ErrorDetails) -> str:
        if details["input"] is None:
            return "has no value (leave the key out for its default)"
        reason = re.sub(r"^(Input|Value|String|List|Dictionary) ", "", details["msg"])
        reason = re.sub(
            r", (unable|not \d|got a number).*| after validation.*| or instance of .*| for <.*", "", reason
        )
        reason = reason.replace("a valid dictionary", "a map of keys and values").replace(" items", "")
        value = details["input"]
        is_shown = SHOWN_VALUES.fullmatch(details["type"]) and isinstance(value, str | int | float)
        if is_shown:
            return f"{reason} (it is {str(value)[:40]!r})"
        return reason

    def _suggestion(self, keys: Keys) -> str:
        near = nearest(keys[-1], fields(kind_at(self._root, keys[:-1])))
        elsewhere = self._same_key_elsewhere(keys)
        return _did_you_mean(near or (dotted(elsewhere) if elsewhere else None))

    def _same_key_elsewhere(self, keys: Keys) -> Keys | None:
        return next((known for known in setting_names(self._root) if known[-1] == keys[-1]), None)

    def _complain(self, origin: Origin, keys: Keys, message: str) -> None:
        # Inside of a map of secrets, a slip of the pen can make a secret a key.
        shown = keys[: secret_depth(self._root, keys)]
        self.problems.append((origin, f"{dotted(shown)}: {message}" if shown else message))


def _is_injected(name: str, value: str) -> bool:
    """What Kubernetes puts into the environment for a Service called chatterbox, or chatterbox-anything.

    `CHATTERBOX_PORT=tcp://10.0.0.1:7860`, `CHATTERBOX_PORT_7860_TCP_ADDR`, `CHATTERBOX_SERVICE_PORT_HTTP`:
    these and no more (`pkg/kubelet/envvars`), or `CHATTERBOX_TELEMETRY_SERVICE_NAME`, a slip, went unseen.
    """
    if value.startswith(("tcp://", "udp://", "sctp://")):
        return True
    return re.search(r"_PORT_\d+_(TCP|UDP|SCTP)(_|$)|_SERVICE_(HOST|PORT)(_|$)", name) is not None


def _did_you_mean(name: str | None) -> str:
    return f" (did you mean {name}?)" if name else ""
