"""What is changed: each operator looks at one node of the compiler's syntax tree and names the changes it would make.

Positions are in bytes, as the compiler counts them. Comments and NatSpec have no nodes, so they are never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Replace ``length`` bytes from ``start`` by ``text``. ``shown`` is the range that makes it readable to people."""

    operator: str
    start: int
    length: int
    text: str
    shown: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes, and the syntax tree's view of places in it."""

    data: bytes

    def range_of(self, node: Node) -> tuple[int, int]:
        """Return (start, length) of a node, in bytes."""
        start, length, _ = node["src"].split(":")
        return int(start), int(length)

    def text_of(self, node: Node) -> str:
        """Return a node's source text."""
        start, length = self.range_of(node)
        return self.data[start : start + length].decode()

    def end_of(self, node: Node) -> int:
        """Return the first byte behind a node."""
        return sum(self.range_of(node))

    def statement_range(self, node: Node) -> tuple[int, int]:
        """Return the range of a statement with its semicolon."""
        start, end = self.range_of(node)[0], self.end_of(node)
        after = self.data[end:]
        gap = len(after) - len(after.lstrip())
        return start, end - start + (gap + 1 if after[gap : gap + 1] == b";" else 0)


_BINARY = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("*",),
    "&&": ("||",),
    "||": ("&&",),
    "&": ("|",),
    "|": ("&",),
    "^": ("&",),
    "<<": (">>",),
    ">>": ("<<",),
}
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_ASSIGNMENTS = {
    "+=": "-=",
    "-=": "+=",
    "*=": "/=",
    "/=": "*=",
    "|=": "&=",
    "&=": "|=",
    "<<=": ">>=",
    ">>=": "<<=",
}
_YUL = {
    "add": "sub",
    "sub": "add",
    "mul": "div",
    "div": "mul",
    "and": "or",
    "or": "and",
    "shl": "shr",
    "shr": "shl",
    "lt": "gt",
    "gt": "lt",
    "eq": "lt",
}
_ZEROS = {"bool": "false", "address": "address(0)", "bytes32": "bytes32(0)"}


def _binary(node: Node, source: Source) -> Iterator[Change]:
    """Shift a bound, flip a comparison, swap an arithmetic, bitwise or logical operator, or drop one side of a logical
    one."""
    if node["nodeType"] != "BinaryOperation":
        return
    sign, left, right = node["operator"], node["leftExpression"], node["rightExpression"]
    # Operands may stand in brackets that belong to neither node, so the sign is looked for between them.
    between = source.data[source.end_of(left) : source.range_of(right)[0]]
    start = source.end_of(left) + between.index(sign.encode())
    kind = "comparison" if sign in _COMPARISONS else "operator"
    for other in _BINARY.get(sign, ()):
        yield Change(kind, start, len(sign), other, source.range_of(node))
    if sign in ("&&", "||"):
        whole = source.range_of(node)
        for side in (left, right):
            yield Change("condition part", *whole, f"({source.text_of(side)})", whole)


def _unary(node: Node, source: Source) -> Iterator[Change]:
    """Drop a negation, or count the other way."""
    if node["nodeType"] != "UnaryOperation":
        return
    whole = source.range_of(node)
    inner = source.text_of(node["subExpression"])
    if node["operator"] in ("!", "-", "~"):
        yield Change("negation", *whole, f"({inner})", whole)
    elif node["operator"] in ("++", "--"):
        other = "--" if node["operator"] == "++" else "++"
        yield Change("step", *whole, f"{other}{inner}" if node["prefix"] else f"{inner}{other}", whole)


def _assignment(node: Node, source: Source) -> Iterator[Change]:
    """Turn a compound assignment round."""
    if node["nodeType"] != "Assignment" or node["operator"] not in _ASSIGNMENTS:
        return
    sign = node["operator"]
    between = source.data[source.end_of(node["leftHandSide"]) : source.range_of(node["rightHandSide"])[0]]
    start = source.end_of(node["leftHandSide"]) + between.index(sign.encode())
    yield Change("assignment", start, len(sign), _ASSIGNMENTS[sign], source.range_of(node))


def _statement(node: Node, source: Source) -> Iterator[Change]:
    """Drop a statement: a write, a call, an event, a check that stands alone, a jump."""
    if node["nodeType"] in ("ExpressionStatement", "EmitStatement", "RevertStatement", "Continue", "Break"):
        place = source.statement_range(node)
        yield Change("statement", *place, "{}", place)


def _branch(node: Node, source: Source) -> Iterator[Change]:
    """Never take a branch (so a check is dropped), always take it, or take one side of a choice."""
    if node["nodeType"] == "IfStatement":
        condition = source.range_of(node["condition"])
        body = node["trueBody"]
        inner = body["statements"][0] if body["nodeType"] == "Block" and len(body["statements"]) == 1 else body
        yield Change("branch", *condition, "false", condition)
        if inner["nodeType"] != "RevertStatement":
            yield Change("branch", *condition, "true", condition)
    elif node["nodeType"] == "Conditional":
        whole = source.range_of(node)
        for side in ("trueExpression", "falseExpression"):
            yield Change("branch", *whole, f"({source.text_of(node[side])})", whole)


def _modifier(node: Node, source: Source) -> Iterator[Change]:
    """Drop a modifier."""
    if node["nodeType"] == "ModifierInvocation" and node.get("kind") == "modifierInvocation":
        whole = source.range_of(node)
        yield Change("modifier", *whole, "", whole)


def _literal(node: Node, source: Source) -> Iterator[Change]:
    """Move a constant by one, swap true and false, change a text."""
    if node["nodeType"] != "Literal":
        return
    whole = source.range_of(node)
    text = source.text_of(node)
    if node["kind"] == "bool":
        yield Change("constant", *whole, "false" if text == "true" else "true", whole)
    elif node["kind"] == "string" and text.startswith('"'):
        yield Change("constant", *whole, f'{text[:-1]}~"', whole)
    elif node["kind"] == "number" and node["typeDescriptions"].get("typeString", "").startswith("int_const"):
        yield Change("constant", *whole, f"({text} + 1)", whole)
        if text != "0":
            yield Change("constant", *whole, f"({text} - 1)", whole)


def _enum(node: Node, source: Source) -> Iterator[Change]:
    """Take the next member of an enumeration: another verdict, another state."""
    if node["nodeType"] != "MemberAccess" or not node["expression"]["typeDescriptions"].get(
        "typeString", ""
    ).startswith("type(enum "):
        return
    # The finder puts the members of the enumeration beside the node, for the node itself names only one.
    members: list[str] = node["enumMembers"]
    following = members[(members.index(node["memberName"]) + 1) % len(members)]
    whole = source.range_of(node)
    yield Change("constant", *whole, f"{source.text_of(node['expression'])}.{following}", whole)


def _result(node: Node, source: Source) -> Iterator[Change]:
    """Return the opposite, or nothing."""
    if node["nodeType"] != "Return" or not node.get("expression"):
        return
    value = node["expression"]
    whole = source.range_of(value)
    kind = value["typeDescriptions"].get("typeString", "")
    text = source.text_of(value)
    if kind == "bool" and text not in ("true", "false"):
        yield Change("result", *whole, f"!({text})", whole)
    elif kind.startswith("uint"):
        yield Change("result", *whole, "0", whole)
    elif kind in _ZEROS and kind != "bool" and text != _ZEROS[kind]:
        yield Change("result", *whole, _ZEROS[kind], whole)


def _assembly(node: Node, source: Source) -> Iterator[Change]:
    """The same for Yul: other functions, constants moved by one, dropped statements."""
    whole = source.range_of(node)
    if node["nodeType"] == "YulFunctionCall" and node["functionName"]["name"] in _YUL:
        name = source.range_of(node["functionName"])
        yield Change("operator", *name, _YUL[node["functionName"]["name"]], whole)
    elif node["nodeType"] == "YulLiteral" and node["kind"] == "number":
        yield Change("constant", *whole, str(int(source.text_of(node), 0) + 1), whole)
    elif node["nodeType"] in ("YulExpressionStatement", "YulAssignment"):
        yield Change("statement", *whole, "{}", whole)


OPERATORS: tuple[Callable[[Node, Source], Iterator[Change]], ...] = (
    _binary,
    _unary,
    _assignment,
    _statement,
    _branch,
    _modifier,
    _literal,
    _enum,
    _result,
    _assembly,
)


def changes_at(node: Node, source: Source) -> Iterator[Change]:
    """Yield what every operator would change at one node."""
    for operator in OPERATORS:
        yield from operator(node, source)
