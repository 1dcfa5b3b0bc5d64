from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from ledger_api.http.groups import Group, GroupClosed


class Work:
    """Work that waits until it is let go, and keeps which groups it saw."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.groups: list[list[str]] = []

    def __call__(self, items: Sequence[str]) -> list[str | Exception]:
        self.groups.append(list(items))
        self.began.set()
        assert self.go.wait(30)
        return [KeyError(item) if item.startswith("bad") else item.upper() for item in items]


def test_what_comes_while_a_group_is_at_work_is_the_next_group() -> None:
    work = Work()
    group: Group[str, str] = Group("test", work, size_max=3)

    async def ask() -> list[str | BaseException]:
        first = asyncio.ensure_future(group.ask("a"))
        await asyncio.to_thread(work.began.wait, 30)
        rest = [asyncio.ensure_future(group.ask(item)) for item in ("b", "bad", "c", "d")]
        await asyncio.sleep(0)
        work.go.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    answers = asyncio.run(ask())
    group.close()
    assert work.groups == [["a"], ["b", "bad", "c"], ["d"]]
    assert [one if isinstance(one, str) else type(one) for one in answers] == ["A", "B", KeyError, "C", "D"]


def test_items_of_one_key_keep_their_order_and_are_never_together() -> None:
    work = Work()
    work.go.set()
    group: Group[str, str] = Group("test", work, alone=lambda item: item[0])

    async def ask() -> list[str]:
        return await asyncio.gather(*[group.ask(item) for item in ("x1", "x2", "y1", "x3", "y2")])

    assert asyncio.run(ask()) == ["X1", "X2", "Y1", "X3", "Y2"]
    group.close()
    assert all(len({item[0] for item in items}) == len(items) for items in work.groups)
    seen = [item for items in work.groups for item in items]
    assert [item for item in seen if item[0] == "x"] == ["x1", "x2", "x3"]


def test_what_the_work_raises_is_everybodys_and_the_next_group_goes_on() -> None:
    is_broken = True

    def work(items: Sequence[int]) -> list[int | Exception]:
        if is_broken:
            raise OSError("no disk")
        return list(items)

    group: Group[int, int] = Group("test", work)
    with pytest.raises(OSError, match="no disk"):
        asyncio.run(group.ask(1))
    is_broken = False
    assert asyncio.run(group.ask(2)) == 2
    group.close()
    with pytest.raises(GroupClosed):
        asyncio.run(group.ask(3))
