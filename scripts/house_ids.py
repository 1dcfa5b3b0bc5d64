"""The rule that ids are types: what is named for an id is not annotated ``int``, ``bytes`` or ``str``.

The rule looks at parameters, fields and annotated variables named programme…, order…, account…, merchant… or lot…,
also behind to_ and from_. Members of a union count, so do a mapping's keys and the elements of any other container;
the members of a tuple do not. A name that a module gives to such an annotation (``Account = bytes``) counts as what it
stands for, there and where it is imported. No id is:

* a name that ends in one of ``OTHER_SUFFIXES`` (``orders_max``, ``merchant_zh``, ``account_path``);
* a plural that is a plain number or plain bytes: a count, or lots in their packed form;
* an argument that Typer reads: what a person types is text until it is parsed.

Each exception is named below with its reason; one that is no longer needed is a finding too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

TYPED = ("ledger", "ledger_api", "issuers", "redemption", "tongdui")
"""Packages whose ids are types; migrations are left as they were generated."""

NOT_IDS: dict[str, str] = {"ledger/store/models/residents.py:account_key": "the wrapped key of an account"}
"""Exceptions, as ``path:name``."""

OTHER_SUFFIXES = ("max", "gas", "hash", "path", "zh", "en")

_NAME = re.compile(r"_?(?:to_|from_)?(?:programme|order|account|merchant|lot)(?:(s)|_|$)(.*)")
_BARE = frozenset({"int", "bytes", "str"})
_WRAPPERS = {"Annotated", "Mapped", "ClassVar", "Final"}
_MAPPINGS = {"dict", "defaultdict", "Mapping", "MutableMapping"}


def bare_ids(root: Path, typed: tuple[str, ...] = TYPED, allowed: Mapping[str, str] = NOT_IDS) -> Iterator[str]:
    """Find ids annotated as plain numbers, bytes or text, and exceptions without need."""
    needless = {name for name in allowed if (root / name.partition(":")[0]).exists()}
    names = _Names(root)
    for place in typed:
        folder = root / place
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
            if "migrations" in path.parts:
                continue
            file = path.relative_to(root).as_posix()
            for name, annotation in _annotations(names.tree(file)):
                if not _is_bare_id(name, annotation, names.bare(file)):
                    continue
                needless.discard(f"{file}:{name}")
                if f"{file}:{name}" not in allowed:
                    yield f"{file}:{annotation.lineno}: {name} is an id, annotated {ast.unparse(annotation)}"
    for name in sorted(needless):
        yield f"{name}: is typed, and needs no exception"


def _annotations(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            yield node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            yield node.target.attr, node.annotation


class _Names:
    """The names of annotations in each file, followed through imports to what they stand for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees: dict[str, ast.Module] = {}
        self._bare: dict[str, frozenset[str]] = {}

    def tree(self, file: str) -> ast.Module:
        """Return the syntax tree of a file, given as a path below the root; an empty one if there is no such file."""
        if file not in self._trees:
            path = self._root / file
            self._trees[file] = ast.parse(path.read_text(encoding="utf-8") if path.is_file() else "")
        return self._trees[file]

    def bare(self, file: str) -> frozenset[str]:
        """Return the names that stand for ``int``, ``bytes`` or ``str`` in a file."""
        if file not in self._bare:
            self._bare[file] = _BARE  # while it is looked at: imports may be circular under TYPE_CHECKING
            found = set(_BARE)
            for node in self.tree(file).body:
                if isinstance(node, ast.ImportFrom) and node.module:
                    imported = self.bare(self._file(node.module))
                    found |= {alias.asname or alias.name for alias in node.names if alias.name in imported - _BARE}
                elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    is_read_by_typer = "typer." in ast.unparse(node.value)
                    if not is_read_by_typer and any(leaf.id in found for leaf in leaves(node.value)):
                        found |= {target.id for target in targets if isinstance(target, ast.Name)}
            self._bare[file] = frozenset(found)
        return self._bare[file]

    def _file(self, module: str) -> str:
        path = module.replace(".", "/")
        return f"{path}.py" if (self._root / f"{path}.py").is_file() else f"{path}/__init__.py"


def _is_bare_id(name: str, annotation: ast.expr, bare: frozenset[str]) -> bool:
    match = _NAME.match(name)
    if match is None or name.rpartition("_")[2] in OTHER_SUFFIXES or "typer." in ast.unparse(annotation):
        return False
    is_plural = bool(match[1]) and not match[2]
    return any(leaf.id in bare for leaf in leaves(annotation, is_inside=not is_plural))


def leaves(annotation: ast.expr, *, is_inside: bool = True) -> Iterator[ast.Name]:
    """Return the names in an annotation that can stand for an id; outside a container only if ``is_inside``."""
    if isinstance(annotation, ast.Name):
        if is_inside:
            yield annotation
    elif isinstance(annotation, ast.BinOp):
        yield from leaves(annotation.left, is_inside=is_inside)
        yield from leaves(annotation.right, is_inside=is_inside)
    elif isinstance(annotation, ast.Subscript):
        generic = ast.unparse(annotation.value).rpartition(".")[2]
        members = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if generic in _WRAPPERS:
            yield from leaves(members[0], is_inside=is_inside)
        elif generic in _MAPPINGS:
            yield from leaves(members[0])
        elif generic != "tuple" or ast.unparse(members[-1]) == "...":
            for member in members:
                yield from leaves(member)
