"""Work in groups: what is asked for while a group is at work is the next group, and costs one transaction together.

Nobody waits for a group to fill: an idle group takes a single item at once. So a group is as large as the load makes
it, and under load a transaction, a snapshot or an fsync is shared by all that came meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[Sequence[T]], Sequence[R | Exception]]
"""Does the work of a group; an answer or an error for each item, in order. What it raises is everybody's error."""


class GroupClosed(RuntimeError):
    """The process is ending; the item was not begun."""


class _Asked(Generic[T, R]):
    """An item that waits, and who waits for it."""

    __slots__ = ("future", "item", "loop")

    def __init__(self, item: T, loop: asyncio.AbstractEventLoop) -> None:
        self.item = item
        self.loop = loop
        self.future: asyncio.Future[R] = loop.create_future()


class Group(Generic[T, R]):
    """A queue with one thread that works on all that waits, up to ``size_max`` at once.

    ``alone``: items of one key are never in one group, for each must see what the one before it did.
    """

    def __init__(
        self, name: str, work: Work[T, R], *, size_max: int = 64, alone: Callable[[T], Hashable] | None = None
    ) -> None:
        self._name = name
        self._work = work
        self._size_max = size_max
        self._alone = alone
        self._waiting: deque[_Asked[T, R]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    async def ask(self, item: T) -> R:
        """Return what came of an item. Raises what its work raised, or GroupClosed."""
        asked: _Asked[T, R] = _Asked(item, asyncio.get_running_loop())
        with self._changed:
            if self._is_closed:
                raise GroupClosed(self._name)
            self._waiting.append(asked)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return await asked.future

    def close(self, timeout_s: float = 30.0) -> None:
        """Finish what was begun, refuse what waits, and end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        while group := self._next():
            _tell(group, self._answers(group))
        with self._changed:
            left, self._waiting = list(self._waiting), deque()
        _tell(left, [GroupClosed(self._name)] * len(left))

    def _next(self) -> list[_Asked[T, R]]:
        """Wait for the next group; none is the end."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            return [] if self._is_closed else self._take()

    def _take(self) -> list[_Asked[T, R]]:
        """Return the next group; what may not be in it keeps its place in the queue."""
        group: list[_Asked[T, R]] = []
        passed: list[_Asked[T, R]] = []
        seen: set[Hashable] = set()
        while self._waiting and len(group) < self._size_max:
            asked = self._waiting.popleft()
            if self._alone is not None:
                key = self._alone(asked.item)
                if key in seen:
                    passed.append(asked)
                    continue
                seen.add(key)
            group.append(asked)
        self._waiting.extendleft(reversed(passed))
        return group

    def _answers(self, group: Sequence[_Asked[T, R]]) -> Sequence[R | Exception]:
        try:
            answers = self._work([asked.item for asked in group])
        except Exception as error:  # noqa: BLE001  # whoever asked hears it; the thread goes on
            return [error] * len(group)
        if len(answers) != len(group):
            return [RuntimeError(f"{self._name} gave {len(answers)} answers to {len(group)}")] * len(group)
        return answers


def _tell(group: Sequence[_Asked[T, R]], answers: Sequence[R | Exception]) -> None:
    """Hand over a group's answers, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[R], R | Exception]]] = {}
    for asked, answer in zip(group, answers, strict=True):
        by_loop.setdefault(asked.loop, []).append((asked.future, answer))
    for loop, pairs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, pairs)
        except RuntimeError:
            continue  # the loop has ended, and with it whoever waited


def _settle(pairs: Sequence[tuple[asyncio.Future[R], R | Exception]]) -> None:
    for future, answer in pairs:
        if future.done():  # the client has gone
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
