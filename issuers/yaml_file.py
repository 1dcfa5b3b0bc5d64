"""YAML files that agencies write: read into a model, or refused in a sentence with the file, the line, what is there
and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from ledger.errors import ConfigurationError

ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)

_SHOWN_MAX = 40


def load_yaml(model: type[ModelT], path: Path) -> ModelT:
    """Read a YAML file into a model. Raises ConfigurationError: one sentence on the first fault."""
    text = _text(path)
    content = _content(path, text)
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {_kind(content)}"
        raise ConfigurationError(f"{path.name} holds {found}; begin it with lines of `name: value`")
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        faults = error.errors(include_url=False)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ConfigurationError(f"{path.name}, {_sentence(faults[0], text)}{more}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: byte {error.start + 1} is not UTF-8; save the file as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _content(path: Path, text: str) -> Any:
    try:
        found = yaml.safe_load(text)
        _check_keys(path, yaml.compose(text, Loader=yaml.SafeLoader))
        return found
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigurationError(
            f"{path.name} cannot be read{line}: {error.problem or 'this is not YAML'}; "
            "check indentation, brackets, quotes and colons there"
        ) from error
    except yaml.reader.ReaderError as error:
        number, character = 1 + text.count("\n", 0, error.position), ord(text[error.position])
        raise ConfigurationError(
            f"{path.name} cannot be read at line {number}: the character U+{character:04X} is not allowed; remove it"
        ) from error
    except RecursionError as error:
        raise ConfigurationError(f"{path.name} cannot be read: it is nested too deeply") from error
    # PyYAML makes dates and numbers itself, and lets Python's errors about them through (a month's 31st of February).
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: {error}; write a value that is no date or number in quotes"
        ) from error


def _check_keys(path: Path, root: yaml.Node | None) -> None:
    """Refuse a key that stands twice: PyYAML takes the last one in silence, and the first is lost."""
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and key.value in lines:
                    raise ConfigurationError(
                        f"{path.name} cannot be read at line {line}: {_shown(key.value)} stands at line"
                        f" {lines[key.value]} already; keep one of them"
                    )
                if isinstance(key, yaml.ScalarNode):
                    lines[key.value] = line
                nodes.append(value)


def _sentence(fault: Any, text: str) -> str:
    """Return line, place, what is there and how to mend it, for a fault as pydantic describes it."""
    location, kind, message = fault["loc"], fault["type"], fault["msg"]
    line = _line(text, location)
    place = ".".join(map(str, location))
    if kind == "missing":
        return f"line {line}: {place} is missing; add it"
    if kind == "extra_forbidden":
        return f"line {line}: the name {place} is not known; correct or remove it"
    if kind == "value_error":  # of our own rules, which say what to do
        reason = message.removeprefix("Value error, ")
        return f"line {line}: {place}: {reason}" if place else f"line {line}: {reason}"
    shown = _shown(fault["input"])
    if kind == "string_pattern_mismatch":
        return f"line {line}: {place} is {shown}; give text that matches {fault['ctx']['pattern']}"
    if kind == "literal_error":
        return f"line {line}: {place} is {shown}; give {fault['ctx']['expected']}"
    return f"line {line}: {place} is {shown}; {message[0].lower()}{message[1:]}"


def _line(text: str, location: Sequence[int | str]) -> int:
    """Return the line of what a location names, or of the last part of it that the file has."""
    # The file has been read once, by the loader that made the values; places come from its tree of nodes.
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 0
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1


def _shown(value: object) -> str:
    """Return a value for the message: short, and no URL, for it may hold a password."""
    if isinstance(value, (dict, list)):
        return f"a {_kind(value)}"
    text = str(value)
    if "://" in text:
        return "a URL"
    return repr(value) if len(text) <= _SHOWN_MAX else repr(text[:_SHOWN_MAX] + "…")


def _kind(value: object) -> str:
    return "list" if isinstance(value, list) else "mapping" if isinstance(value, dict) else "single value"
