"""What the source of pydantic models says of their fields: the docstrings beside them, in English.

A docstring stands below its field, where a reader of the code wants it; Python itself does not keep it.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pydantic

from ledger.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ModelText:
    """What is said of a model: of the whole (its docstring) and of each of its fields."""

    whole: str
    fields: dict[str, str]


def text_of(model: type[pydantic.BaseModel]) -> ModelText:
    """Return what the source says of a model and its fields, those that it inherits included.

    Raises ConfigurationError that names what has no docstring.
    """
    fields: dict[str, str] = {}
    whole = ""
    for ancestor in reversed(model.__mro__):
        if issubclass(ancestor, pydantic.BaseModel) and ancestor.__module__.split(".")[0] != "pydantic":
            found = _classes_of(Path(inspect.getfile(ancestor))).get(ancestor.__name__)
            if found is not None:
                whole, fields = found.whole or whole, fields | found.fields
    missing = [name for name in model.model_fields if name not in fields] + ([] if whole else ["the class itself"])
    if missing:
        raise ConfigurationError(f"{model.__module__}.{model.__name__}: no docstring for {', '.join(missing)}")
    return ModelText(whole, {name: fields[name] for name in model.model_fields})


@cache
def _classes_of(path: Path) -> dict[str, ModelText]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: _class_text(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _class_text(node: ast.ClassDef) -> ModelText:
    fields = {}
    for statement, following in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    fields[statement.target.id] = _plain(text)
    return ModelText(_plain(ast.get_docstring(node) or ""), fields)


def _plain(docstring: str) -> str:
    """Return a docstring as one paragraph of Markdown."""
    return " ".join(docstring.split()).replace("``", "`")
