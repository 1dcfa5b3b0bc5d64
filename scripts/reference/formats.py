"""JSON Schemas and reference pages of the two formats that agencies write: mappings and rulebooks.

The models of the code say types, bounds, defaults and, in docstrings, the English meaning; ``formats.zh.yaml`` has the
Chinese one. What the models' validators check beyond that is repeated here as far as a schema can say it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import yaml

from issuers.rules.rulebook import RulebookFile
from issuers.rules.units import UNITS
from issuers.sources.mapping import FieldSpec
from issuers.sources.mapping import Mapping as MappingFile
from ledger.errors import ConfigurationError
from scripts.reference.models import text_of

Schema = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent.parent
CHINESE = Path(__file__).parent / "formats.zh.yaml"

FIELDS: Mapping[str, tuple[str, str]] = {
    "record_id": ("The record's id, unique within the system.", "记录编号，在来源系统内唯一。"),
    "source_id": ("Whose it is: the person's number in the source system.", "归属：当事人在来源系统中的编号。"),
    "activity": ("The activity's code, as the rulebook has it.", "活动代码，与积分规则一致。"),
    "started_at": ("When the deed began.", "行为开始时间。"),
    "ended_at": ("When it ended.", "行为结束时间。"),
    "day": ("The deed's day, where the source has no time of day.", "行为日期（来源没有具体时间时）。"),
    "revision": (
        "A rising number or time: of two versions of a record the higher one counts.",
        "递增的序号或时间：同一记录以较大者为准。",
    ),
    "device": ("The device that reported it, for the screen `device`.", "申报设备，供 `device` 筛查使用。"),
}
"""Names of fields in a mapping that have a meaning of their own."""


@dataclass(frozen=True, slots=True)
class Format:
    """One of the formats: its model, and how its page opens."""

    name: str
    model: type[pydantic.BaseModel]
    title: str
    intro: str
    example: Path

    @property
    def schema_name(self) -> str:
        """The schema's file below docs/schemas."""
        return f"{self.name}.schema.json"


MAPPING = Format(
    "mapping",
    MappingFile,
    "Mapping files · 映射文件",
    "A mapping turns the rows of a source system into records. It needs no code: see the guide\n"
    "[Add a source system](../how-to/add-a-source-system.md). · 映射文件把来源系统的行转换为记录，无需编写代码。",
    Path("issuers/sources/mappings/traffic-csv.yaml"),
)
RULEBOOK = Format(
    "rulebook",
    RulebookFile,
    "Rulebooks · 积分规则",
    "A rulebook says what a deed earns. It is versioned, and its hash is on chain: see the guide\n"
    "[Add a rulebook](../how-to/add-a-rulebook.md). · 积分规则规定每种行为获得的积分；规则有版本，其哈希写入链上。",
    Path("issuers/rules/rulebooks/volunteer-1.yaml"),
)

_UNIT: Schema = {"enum": sorted(UNITS), "type": "string"}


def _one_of(*names: str) -> Schema:
    return {"oneOf": [{"required": [name]} for name in names]}


_CHECKED: Mapping[str, Schema] = {
    "FieldSpec": _one_of("column", "columns", "constant"),
    "QuantitySpec": _one_of("column", "constant", "between"),
    "Cap": _one_of("points", "quantity", "deeds"),
    "Activity": _one_of("points_per_unit", "points", "bands") | {"dependentRequired": {"step": ["points"]}},
    "Mapping": {"anyOf": [{"properties": {"fields": {"required": [name]}}} for name in ("started_at", "day")]},
}
"""What a model's own validator checks, by model."""

_OF_QUANTITIES = ("column", "constant", "values", "strip_suffix", "empty")
"""What a quantity reads of the settings that it has in common with a field; the page leaves the others out."""


def schema_of(which: Format) -> Schema:
    """Return a format's JSON Schema (draft 2020-12). It is as strict as the code, or laxer; never stricter, but for
    ``null``, which the code takes for a setting that is left out.

    Raises ConfigurationError where a description is missing in either language, or is of something that is no more.
    """
    generated = which.model.model_json_schema()
    schemas: dict[str, Schema] = generated.pop("$defs", {}) | {which.model.__name__: generated}
    models = {model.__name__: model for model in _models(which.model)}
    said = {name: {"_": text_of(model).whole} | text_of(model).fields for name, model in models.items()}
    chinese = _chinese(which.name, models)
    _same_keys(which.name, said, chinese)
    for name, schema in schemas.items():
        schema.update(description=_both(said[name]["_"], chinese[name]["_"]), **_CHECKED.get(name, {}))
        schema.pop("title", None)
        for field, value in schema["properties"].items():
            _simplify(value)
            value["description"] = _both(said[name][field], chinese[name][field])
            if field == "unit":
                _list_units(value)
    if which is MAPPING:
        _name_fields(generated["properties"]["fields"])
    generated["$defs"] = {name: schema for name, schema in sorted(schemas.items()) if schema is not generated}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": which.title} | generated


def schema_json(which: Format) -> str:
    """Return a format's JSON Schema as indented JSON."""
    return json.dumps(schema_of(which), indent=2, ensure_ascii=False) + "\n"


def page(which: Format) -> str:
    """Return a format's reference page, in English and Chinese."""
    schema = schema_of(which)
    definitions = schema["$defs"] | {which.model.__name__: schema}
    lines = [
        f"# {which.title}",
        "",
        "<!-- Generated from the code by `make docs`: change the models' docstrings instead. -->",
        "",
        which.intro,
        "",
        "Editors that know YAML check a file while it is written if its first line names the",
        f"[schema](../schemas/{which.schema_name}) · 首行写明模式后，编辑器可在编写时校验：",
        "",
        "```yaml",
        f"# yaml-language-server: $schema={_up(which.example)}docs/schemas/{which.schema_name}",
        "```",
        "",
        "`tongdui issuers check --mapping M --rules R FILE` checks everything, and tries both on an export. Amounts",
        'and quantities are written as text (`"0.5"`). · 数值一律写成文本。',
    ]
    for name in [which.model.__name__, *(model.__name__ for model in list(_models(which.model))[1:])]:
        lines += ["", *_section(name, definitions[name])]
        if name == "Mapping":
            lines += ["", *_fields_section()]
    lines += ["", *_units_section(), "", *_example(which), ""]
    return "\n".join(lines)


def _models(model: type[pydantic.BaseModel]) -> Iterator[type[pydantic.BaseModel]]:
    """Yield a model and those of its fields, each once, the outer ones first."""
    waiting, seen = [model], set[str]()
    while waiting:
        current = waiting.pop(0)
        if current.__name__ in seen:
            continue
        seen.add(current.__name__)
        yield current
        for field in current.model_fields.values():
            waiting += _inner(field.annotation)


def _inner(annotation: Any) -> list[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _inner(part)]


def _chinese(name: str, models: Mapping[str, type[pydantic.BaseModel]]) -> dict[str, dict[str, str]]:
    """Return the Chinese texts by model and field; what a model inherits is said once, where it comes from."""
    own: dict[str, dict[str, str]] = yaml.safe_load(CHINESE.read_text(encoding="utf-8"))[name]
    found = {key: dict(texts) for key, texts in own.items() if key not in models}
    for key, model in models.items():
        texts: dict[str, str] = {}
        for ancestor in reversed(model.__mro__):
            texts |= own.get(ancestor.__name__, {})
        found[key] = texts
    return found


def _same_keys(name: str, said: Mapping[str, Mapping[str, str]], chinese: Mapping[str, Mapping[str, str]]) -> None:
    wanted = {(model, field) for model, fields in said.items() for field in fields}
    found = {(model, field) for model, fields in chinese.items() for field in fields}
    if wanted != found:
        missing = ", ".join(".".join(pair) for pair in sorted(wanted - found)) or "nothing"
        left = ", ".join(".".join(pair) for pair in sorted(found - wanted)) or "nothing"
        raise ConfigurationError(f"{CHINESE.name}, {name}: {missing} is missing; {left} is left over")


def _both(english: str, chinese: str) -> str:
    return f"{english} · {chinese}"


def _simplify(value: Schema) -> None:
    """Take away what pydantic adds for Python's sake: titles, and ``null`` for what is left out."""
    value.pop("title", None)
    choices = [choice for choice in value.get("anyOf", []) if choice != {"type": "null"}]
    if "anyOf" in value and len(choices) < len(value["anyOf"]):
        value.pop("anyOf")
        value.pop("default", None)
        value.update(choices[0] if len(choices) == 1 else {"anyOf": choices})


def _list_units(value: Schema) -> None:
    choices = value.get("anyOf", [value])
    for choice in choices:
        if choice.get("type") == "string":
            choice.update(_UNIT)


def _name_fields(value: Schema) -> None:
    value["properties"] = {
        name: {"$ref": "#/$defs/FieldSpec", "description": _both(*texts)} for name, texts in FIELDS.items()
    }
    value["required"] = ["record_id", "source_id", "activity"]
    value["propertyNames"] = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}


def _section(name: str, schema: Schema) -> list[str]:
    required = set(schema.get("required", []))
    lines = [f"## {name}", "", schema["description"].replace(" · ", " ·\n"), ""]
    lines += ["| setting · 字段 | value · 取值 | default · 默认 | meaning · 含义 |", "|---|---|---|---|"]
    for field, value in schema["properties"].items():
        if name == "QuantitySpec" and field in FieldSpec.model_fields and field not in _OF_QUANTITIES:
            continue
        default = "required · 必填" if field in required else _default(value)
        meaning = value["description"].replace(" · ", "<br>")
        lines.append(f"| `{field}` | " + " | ".join(map(_cell, (_value(value), default, meaning))) + " |")
    if "oneOf" in schema:
        names = ", ".join(f"`{choice['required'][0]}`" for choice in schema["oneOf"])
        lines += ["", f"Exactly one of {names} is given. · {names} 必须且只能给出一项。"]
    return lines


def _cell(text: str) -> str:
    """Return text for the cell of a table, in which a bar would end it."""
    return text.replace("|", "\\|")


def _default(value: Schema) -> str:
    if value.get("default") in (None, [], {}, ""):
        return "—"
    return f"`{json.dumps(value['default'], ensure_ascii=False)}`"


def _value(value: Schema) -> str:
    """Return in a few words what a setting takes."""
    match value:
        case {"$ref": reference}:
            name = reference.rsplit("/", 1)[1]
            return f"[{name}](#{name.lower()})"
        case {"enum": choices}:
            return (
                "[unit](#units--单位)" if choices == _UNIT["enum"] else ", ".join(f"`{choice}`" for choice in choices)
            )
        case {"anyOf": choices}:
            return " or ".join(_value(choice) for choice in choices)
        case {"type": "array", "items": items}:
            return f"list of {_value(items)}"
        case {"type": "object", "additionalProperties": dict(inner)}:
            return f"table of {_value(inner)}"
    return _scalar(value)


def _scalar(value: Schema) -> str:
    match value:
        case {"const": constant}:
            return f"`{constant}`"
        case {"type": "integer" | "number"}:
            return _range(value)
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"format": "date"}:
            return "date"
        case {"pattern": pattern} if pattern.startswith("^[0-9]"):
            return "number as text"
        case {"pattern": pattern}:
            return f"text `{pattern}`"
    return "text"


def _range(value: Schema) -> str:
    lowest = value.get("minimum", value.get("exclusiveMinimum"))
    highest = value.get("maximum", value.get("exclusiveMaximum"))
    kind = "integer" if value["type"] == "integer" else "number"
    if lowest is None:
        return kind
    above = "above " if "exclusiveMinimum" in value else ""
    if highest is None:
        return f"{kind}, {above}{lowest} or more" if not above else f"{kind}, {above}{lowest}"
    below = f" to below {highest}" if "exclusiveMaximum" in value else f" to {highest}"
    return f"{kind}, {above}{lowest}{below}"


def _fields_section() -> list[str]:
    lines = ["### Names of fields · 字段名称", "", "| name · 名称 | meaning · 含义 |", "|---|---|"]
    lines += [f"| `{name}` | {english}<br>{chinese} |" for name, (english, chinese) in FIELDS.items()]
    return [
        *lines,
        "",
        "`record_id`, `source_id`, `activity`, and `started_at` or `day` must be there. Any other name (ASCII) is kept",
        "with the record, and a rulebook can ask for it in `requires`. ·",
        "其他名称（ASCII）随记录保存，可由规则的 `requires` 要求。",
    ]


def _units_section() -> list[str]:
    lines = ["## Units · 单位", "", "| unit · 单位 | 中文 | dimension · 量纲 |", "|---|---|---|"]
    return lines + [f"| `{name}` | {unit.zh} | {unit.dimension} |" for name, unit in UNITS.items()]


def _example(which: Format) -> list[str]:
    text = (ROOT / which.example).read_text(encoding="utf-8").rstrip("\n")
    return ["## Example · 示例", "", f"[`{which.example}`](../../{which.example}):", "", "```yaml", text, "```"]


def _up(path: Path) -> str:
    return "../" * (len(path.parts) - 1)
