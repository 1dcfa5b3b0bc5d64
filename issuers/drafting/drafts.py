"""From a file to a draft of its mapping: which programme it speaks of, and the text that a person finishes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from issuers.drafting.columns import Column, Kind
from issuers.drafting.proposals import Doubt, Proposal, likeness, propose
from issuers.drafting.tables import table_of
from issuers.rules.rulebook import Rulebook
from issuers.sources.mapping import Mapping
from ledger.standard.ids import ProgrammeSlug

UNKNOWN: Final = ProgrammeSlug("change-me")
"""Stands for a programme that nothing in the file names."""
_EXAMPLES: Final = 3
_EXAMPLE_CHARS: Final = 24


def draft(
    path: Path,
    books: Sequence[Rulebook],
    mappings: Sequence[Mapping] = (),
    *,
    programme: ProgrammeSlug | None = None,
    name: str | None = None,
    system: str | None = None,
) -> Proposal:
    """Return a proposal for a file's mapping.

    ``books``: the newest rulebook of each programme that it could be of; ``mappings``: those that exist, for the name
    of the source system; the rest stands for itself, and is guessed where it is None. Raises NoTable or OSError.
    """
    table = table_of(path)
    ranked = sorted(((likeness(table, one), one) for one in books), key=lambda one: one[0], reverse=True)
    if programme is not None:
        book = next((one for one in books if one.file.slug == programme), None)
    else:
        book = ranked[0][1] if ranked and ranked[0][0] > 0 else None
    slug = programme or (book.file.slug if book else UNKNOWN)
    systems = sorted({one.system for one in mappings if one.programme == slug})
    chosen = system or (systems[0] if len(systems) == 1 else slug)
    found = propose(table, name or f"{slug}-{table.form.format}", chosen, slug, book)
    if programme is None:
        found.doubts.insert(0, _of_programme(slug, known=book is not None))
    if system is None:
        found.doubts.insert(
            1,
            Doubt(
                f"The source system is called `{chosen}`: two files of one system may hold the same record, files of"
                " two systems never do.",
                f"来源系统名为 `{chosen}`：同一系统的两个文件可以含有同一条记录，不同系统的则不会。",
            ),
        )
    return found


def _of_programme(slug: ProgrammeSlug, *, known: bool) -> Doubt:
    if known:
        return Doubt(
            f"The file speaks most of the programme `{slug}`: is it?", f"文件内容最接近积分项目 `{slug}`：是否正确？"
        )
    return Doubt(
        "No rulebook fits the file: name the programme, and write its activities' codes into `values`.",
        "没有相符的积分规则：请写明积分项目，并在 `values` 中填入活动代码。",
    )


def text_of(found: Proposal, file: str) -> str:
    """Return a proposal as the text of a mapping file, with what is known and doubted of it in comments.

    Of columns that say who somebody is no value is shown: a mapping is kept, and read by many.
    """
    lines = [
        f"# 映射草案，依据 {_shown(file)} 生成：请核对后使用。",
        f"# Draft of a mapping, proposed from {_shown(file)}: look it over, finish it, and try it with",
        "# `tongdui issuers check`.",
        "#",
    ]
    for doubt in found.doubts:
        lines += [f"# ? {_shown(doubt.zh, 400)}", f"#   {_shown(doubt.en, 400)}"]
    lines += ["#", "# 列 columns:"]
    lines += [f"#   {_line(one, found.uses.get(one.name, ''))}" for one in found.columns]
    body = yaml.safe_dump(found.content, allow_unicode=True, sort_keys=False, width=110, default_flow_style=None)
    return "\n".join(lines) + "\n" + body


def columns_of(found: Proposal) -> list[dict[str, Any]]:
    """Return the columns for a machine to show."""
    return [
        {
            "column": one.name,
            "kind": one.kind.value,
            "filled": one.filled,
            "rows": one.rows,
            "distinct": one.distinct,
            "examples": examples(one, found.uses.get(one.name, "")),
            "field": found.uses.get(one.name),
        }
        for one in found.columns
    ]


def examples(column: Column, use: str) -> list[str]:
    """Return values of a column; of identifiers, names and free text only their shapes."""
    is_open = column.kind in (Kind.TIME, Kind.DATE, Kind.DURATION) or column.is_code
    is_open |= column.kind is Kind.NUMBER and use in ("quantity", "revision")
    if not is_open or "_id" in use or use.startswith("("):
        return list(column.forms)
    return [value for value, _ in column.common[:_EXAMPLES]]


def _line(column: Column, use: str) -> str:
    shown = ", ".join(_shown(one) for one in examples(column, use))
    counts = f"{column.filled}/{column.rows}, {column.distinct} different"
    return f"{_shown(column.name)}: {column.kind.value} ({counts}) {shown} -> {use or '(unread)'}"


def _shown(text: str, most: int = _EXAMPLE_CHARS * 2) -> str:
    """Return a text in one line of a comment."""
    plain = "".join(one if one.isprintable() else "·" for one in text)
    return plain[:most] + ("…" if len(plain) > most else "")
