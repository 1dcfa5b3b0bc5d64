"""YAML files that agencies write: read into a model, or refused with the file and the place."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pydantic
import yaml

from ledger.errors import ConfigurationError

ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)


def load_yaml(model: type[ModelT], path: Path) -> ModelT:
    """Read a YAML file into a model. Raises ConfigurationError that names the file and the place."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    # PyYAML makes dates and numbers itself, and lets Python's errors about them through (a month's 31st of February).
    except (OSError, yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}") from error
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigurationError(f"{path.name}: {place}: {first['msg']}") from error
