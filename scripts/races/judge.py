"""Compares what was answered and what came of it with the table. Pure: it sees no database and no clock.

The acts of an order are noted one after the other, so their rows are its history. Replayed through the table they give
every standing that the order ever had. A request saw one of them: not an earlier one than those whose answers had come
before it was sent, nor a later one than those that were asked for after its answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redemption.acts.table import IF_REFUSED, Act, Reason, Standing, Takes, answer, standing
from redemption.states import State
from scripts.races.plan import STRANGERS, VALUE_FEN, Hand

_RELEASES = (Act.RELEASE, Act.CANCEL, Act.LAPSE)
_PROBLEMS = "/problems/"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and its answer; times are the asking process's own, in seconds."""

    hand: Hand
    act: Act
    by: str
    key: str
    keep_fen: int
    began_s: float
    ended_s: float
    status: int
    document: dict[str, Any]

    @property
    def problem(self) -> str | None:
        """Which problem it was answered with, or None where it was accepted."""
        kind = self.document.get("type")
        return str(kind).removeprefix(_PROBLEMS) if self.status >= 400 else None


@dataclass(frozen=True, slots=True)
class ActRow:
    """An act as it is stored at the end."""

    act: Act
    by: str
    key: str | None
    state: str
    fen: int
    left_fen: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class Truth:
    """An order at the end: what is stored, and what the chain said (kind, fen) after it was paid or held."""

    state: State
    paid_fen: int
    is_handed_over: bool
    acts: tuple[ActRow, ...]
    chain: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Findings:
    """What was wrong, by kind, in words."""

    unlawful: list[str] = field(default_factory=list)
    answers_wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take in what another found."""
        self.unlawful += other.unlawful
        self.answers_wrong += other.answers_wrong
        self.lost += other.lost
        self.duplicated += other.duplicated

    @property
    def all(self) -> list[str]:
        """Everything that was wrong."""
        return [*self.unlawful, *self.answers_wrong, *self.lost, *self.duplicated]


@dataclass(frozen=True, slots=True)
class _Moment:
    stands: Standing
    paid_fen: int


def judge(truth: Truth, asked: Sequence[Asked], *, is_hold: bool, is_late: bool = False) -> Findings:
    """Return what is wrong with one order. ``is_late``: its hold's time ended meanwhile, and its codes' before that."""
    found = Findings()
    moments, noted_at = _replay(truth, is_hold, found)
    _judge_end(truth, moments[-1], found)
    _judge_chain(truth, is_hold, found)
    _judge_repeats(truth, asked, found)
    bounds = _Bounds(truth, asked, noted_at, len(moments))
    for one in asked:
        wrong = _wrong(one, asked, moments[slice(*bounds.of(one))])
        if is_late and one.problem == "slip-expired":
            continue
        if wrong is not None:
            found.answers_wrong.append(f"{one.hand} {one.act} {one.keep_fen} -> {one.status} {one.document}: {wrong}")
    return found


def _replay(truth: Truth, is_hold: bool, found: Findings) -> tuple[list[_Moment], list[int]]:
    """Return every moment of the order, and at which of them each act was noted."""
    moments, noted_at = [_Moment(Standing.PLACED, 0)], []
    if truth.state is State.PLACED:
        found.lost.append("the order never came to an end")
    if truth.state in (State.PLACED, State.REJECTED, State.EXPIRED):
        return [*moments, _Moment(Standing(truth.state.value), 0)], [1] * len(truth.acts)
    moments.append(_Moment(Standing.HELD, 0) if is_hold else _Moment(Standing.PAID, VALUE_FEN))
    for row in truth.acts:
        before = moments[-1]
        takes = answer(before.stands, row.act)
        if isinstance(takes, Reason):
            found.unlawful.append(f"{row.act} took effect on an order that was {before.stands}: {takes}")
            noted_at.append(len(moments) - 1)
            continue
        noted_at.append(len(moments))
        moments.append(_Moment(takes.after, before.paid_fen))
        moments.append(_end(row, before, takes, found))
    return moments, noted_at


def _end(row: ActRow, before: _Moment, takes: Takes, found: Findings) -> _Moment:
    if row.state == "done":
        is_empty = row.left_fen == 0 and row.act not in _RELEASES
        return _Moment(Standing.REFUNDED if is_empty else takes.final, row.left_fen)
    if row.state != "failed" or not row.failure:
        found.lost.append(f"{row.act} is {row.state} at the end, without a reason")
    if takes.after is Standing.RELEASING:
        return before
    return _Moment(IF_REFUSED.get(takes.after, before.stands), before.paid_fen)


def _judge_end(truth: Truth, last: _Moment, found: Findings) -> None:
    stands = standing(truth.state, is_handed_over=truth.is_handed_over, under_way=None)
    if stands is not last.stands:
        found.unlawful.append(f"the order is {stands}; its acts lead to {last.stands}")
    if truth.paid_fen != last.paid_fen:
        found.unlawful.append(f"the shop has {truth.paid_fen} fen; the acts lead to {last.paid_fen}")
    gives = [row for row in truth.acts if row.act is Act.HAND_OVER]
    if truth.is_handed_over != bool(gives):
        found.unlawful.append("the goods went out without an act, or an act without goods")


def _judge_chain(truth: Truth, is_hold: bool, found: Findings) -> None:
    """What landed is what was done, in its order and to the fen."""
    expected: list[tuple[str, int]] = []
    for row in truth.acts:
        if row.state != "done":
            continue
        if row.act in _RELEASES:
            expected.append(("release", 0))
        elif row.act in (Act.REFUND, Act.ARBITER_REFUND):
            expected.append(("refund", row.fen))
        elif is_hold and not any(kind == "capture" for kind, _ in expected):
            expected.append(("capture", row.fen))
    chain = [(kind, 0 if kind == "release" else fen) for kind, fen in truth.chain]
    if chain == expected:
        return
    more, less = Counter(chain) - Counter(expected), Counter(expected) - Counter(chain)
    if more:
        found.duplicated.append(f"the chain has {dict(more)} that nobody asked for")
    if less:
        found.lost.append(f"the chain has not {dict(less)}")
    if not more and not less:
        found.unlawful.append(f"the chain has {chain}, noted were {expected}")


def _judge_repeats(truth: Truth, asked: Sequence[Asked], found: Findings) -> None:
    rows = Counter((row.by, row.key) for row in truth.acts if row.key is not None)
    found.duplicated += [f"two acts under one id: {key}" for key, count in rows.items() if count > 1]
    created: dict[tuple[str, str], int] = defaultdict(int)
    for one in asked:
        if one.problem is not None or one.act is Act.CODE:
            continue
        if (one.by, one.key) not in rows:
            found.lost.append(f"{one.act} of {one.by} was accepted and is not noted")
        created[one.by, one.key] += one.document.get("outcome") == "created"
    found.duplicated += [f"created twice: {key}" for key, count in created.items() if count > 1]
    found.answers_wrong += [
        f"made, and every answer says that it existed: {key}" for key, n in created.items() if not n
    ]


class _Bounds:
    """Which moments a request can have seen."""

    def __init__(self, truth: Truth, asked: Sequence[Asked], noted_at: Sequence[int], moments: int) -> None:
        self._moments = moments
        self._noted: list[tuple[int, float, float]] = []
        place = {(row.by, row.key): at for row, at in zip(truth.acts, noted_at, strict=True)}
        for one in asked:
            at = place.get((one.by, one.key))
            if at is not None and one.problem is None and one.document.get("outcome") == "created":
                self._noted.append((at, one.began_s, one.ended_s))

    def of(self, one: Asked) -> tuple[int, int]:
        """Return the first moment that it can have seen, and the one after the last."""
        first = max((at for at, _, ended in self._noted if ended < one.began_s), default=0)
        last = min((at for at, began, _ in self._noted if began > one.ended_s), default=self._moments)
        return first, max(last, first + 1)


def _wrong(one: Asked, asked: Sequence[Asked], seen: Sequence[_Moment]) -> str | None:
    """Return why an answer is none that the table gives, or None."""
    if one.hand in STRANGERS:
        return None if one.problem in ("unknown-order", "bad-code") else "a stranger is told more than 404"
    match one.problem:
        case None:
            return None if one.status in (200, 202) else "neither refused nor accepted"
        case "order-state":
            reasons = {answer(moment.stands, one.act) for moment in seen}
            return None if Reason(one.document["reason"]) in reasons else f"it was {[m.stands.value for m in seen]}"
        case "own-order":
            return None if one.hand is Hand.CLERK else "the shop is no party to this order's taking"
        case "act-exists":
            others = [two for two in asked if (two.by, two.key) == (one.by, one.key) and two.keep_fen != one.keep_fen]
            is_amount = one.document.get("outcome") == "exists_with_different_amount"
            return None if others and is_amount else "no other act has this id"
        case "slip-used":
            before = [
                two
                for two in asked
                if two.act in (Act.CODE, Act.HAND_OVER) and two.problem is None and two.began_s < one.ended_s
            ]
            return None if one.act is Act.HAND_OVER and before else "nobody has used or replaced the code"
        case "not-refundable":
            return None if any(moment.paid_fen <= one.keep_fen for moment in seen) else "something would go back"
        case "not-enough-held":
            return None if one.act is Act.CAPTURE and one.keep_fen > VALUE_FEN else "so much was held"
    return "not among the answers"
