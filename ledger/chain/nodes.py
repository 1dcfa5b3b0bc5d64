"""Several nodes of one network as one client: what one does not answer, the next is asked.

Each request carries two questions more: which chain this is, and which block stands at the height that was last found
to be final. So a node that lags, forgot, stands on another fork or answers for another chain is noticed on the very
answer that it would spoil, also where one address has several nodes behind it; it is left, and asked again later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.chain.answers import contradiction, hash32, member, quantity
from ledger.chain.rpc import Call, RpcClient, RpcError, RpcLimits, RpcReason, read_answer, request_body

_LOG = logging.getLogger(__name__)

_CHAIN_ID = "eth_chainId"
_GET_BLOCK = "eth_getBlockByNumber"
_CHAIN_QUESTION, _BLOCK_QUESTION = -1, -2
"""Ids of the guard's questions: ours count up from 1."""

_REST_S, _REST_MAX_S = 1.0, 60.0
_LAG_S = 10.0
"""How long a node may stand while others go on before their word counts without its."""

_ANOTHERS_TURN = frozenset(
    {
        RpcReason.UNREACHABLE,
        RpcReason.TIMEOUT,
        RpcReason.MALFORMED_ANSWER,
        RpcReason.NOT_READY,
        RpcReason.RATE_LIMITED,
        RpcReason.NODE_INTERNAL,
        RpcReason.BLOCK_UNAVAILABLE,
        RpcReason.METHOD_NOT_FOUND,
        RpcReason.NOT_PERMITTED,
    }
)
"""Failures that say something of the node and nothing of the question: another may answer it."""

_LEFT_FOR = frozenset(
    {
        RpcReason.UNREACHABLE,
        RpcReason.TIMEOUT,
        RpcReason.MALFORMED_ANSWER,
        RpcReason.NOT_READY,
        RpcReason.RATE_LIMITED,
    }
)
"""Those for which it is not asked first again for a while."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A block that was found to be final."""

    number: int
    hash: bytes


@dataclass(slots=True)
class Guard:
    """What every answer must agree with. None: not known yet."""

    chain_id: int | None = None
    anchor: Anchor | None = None


class OtherFork(RpcError):
    """The node shows another block where one was final."""

    def __init__(self, anchor: Anchor, shown: bytes) -> None:
        self.shown = shown
        what = f"its block {anchor.number} is 0x{shown.hex()}, and 0x{anchor.hash.hex()} was final"
        super().__init__(RpcReason.MALFORMED_ANSWER, what, method=_GET_BLOCK)


class GuardedRpcClient(RpcClient):
    """A client of one node whose every answer is held against the guard."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        guard: Guard,
        *,
        limits: RpcLimits | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(url, timeout_s, limits=limits, headers=headers)
        self._guard = guard

    def _post(self, body: bytes, method: str, timeout_s: float | None) -> Any:
        chain_id, anchor = self._guard.chain_id, self._guard.anchor
        questions = [] if chain_id is None else [request_body(_CHAIN_QUESTION, _CHAIN_ID, [])]
        if anchor is not None:
            questions.append(request_body(_BLOCK_QUESTION, _GET_BLOCK, [hex(anchor.number), False]))
        if not questions:
            return super()._post(body, method, timeout_s)
        is_batch = body.startswith(b"[")
        whole = b"[" + b",".join([*questions, body[1:-1] if is_batch else body]) + b"]"
        answer = super()._post(whole, method, timeout_s)
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            if is_batch or not isinstance(answer, dict):
                return answer
            return self._one_by_one(questions, body, method, timeout_s)
        found = {item.get("id"): item for item in answer if item.get("id") in (_CHAIN_QUESTION, _BLOCK_QUESTION)}
        self._check(found, chain_id, anchor)
        rest = [item for item in answer if item.get("id") not in (_CHAIN_QUESTION, _BLOCK_QUESTION)]
        if is_batch:
            return rest
        if len(rest) != 1:
            raise RpcError(RpcReason.MALFORMED_ANSWER, f"a call got {len(rest)} answers", method=method)
        return rest[0]

    def _one_by_one(self, questions: Sequence[bytes], body: bytes, method: str, timeout_s: float | None) -> Any:
        """Ask a node that takes no batches."""
        answers = [super(GuardedRpcClient, self)._post(one, method, timeout_s) for one in questions]
        found = {item.get("id"): item for item in answers if isinstance(item, dict)}
        self._check(found, self._guard.chain_id, self._guard.anchor)
        return super()._post(body, method, timeout_s)

    @staticmethod
    def _check(found: dict[Any, dict[str, Any]], chain_id: int | None, anchor: Anchor | None) -> None:
        if chain_id is not None:
            named = quantity(read_answer(found.get(_CHAIN_QUESTION), _CHAIN_QUESTION, _CHAIN_ID), _CHAIN_ID)
            if named != chain_id:
                raise contradiction(f"it answers for chain {named}, not {chain_id}", _CHAIN_ID)
        if anchor is not None:
            block = read_answer(found.get(_BLOCK_QUESTION), _BLOCK_QUESTION, _GET_BLOCK)
            if block is None:
                raise contradiction(f"it does not show block {anchor.number}, which was final", _GET_BLOCK)
            shown = hash32(member(block, "hash", _GET_BLOCK), _GET_BLOCK)
            if shown != anchor.hash:
                raise OtherFork(anchor, shown)


@dataclass(slots=True)
class _Node:
    client: GuardedRpcClient
    rest_until_s: float = 0.0
    rest_s: float = _REST_S
    trouble: str | None = None
    height: int = -1
    grew_s: float = 0.0
    """When its height was last seen to grow."""


@dataclass(slots=True)
class _State:
    lock: threading.Lock = field(default_factory=threading.Lock)
    current: int = 0


class NodesClient(RpcClient):
    """Calls one of several nodes, and the next where it fails. Safe to share between threads."""

    def __init__(
        self,
        urls: Sequence[str],
        timeout_s: float = 30.0,
        *,
        limits: RpcLimits | None = None,
        headers: dict[str, str] | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """``urls``: at least one. ``headers`` go to each of them."""
        super().__init__(urls[0], timeout_s, limits=limits, headers=headers)
        self.guard = Guard()
        self._nodes = [
            _Node(GuardedRpcClient(url, timeout_s, self.guard, limits=limits, headers=headers)) for url in urls
        ]
        self._state = _State()
        self._steady = steady

    @property
    def url(self) -> str:
        """The address of the node that is asked first now."""
        return self._nodes[self._state.current].client.url

    @property
    def troubles(self) -> tuple[str, ...]:
        """Which nodes were left, and why."""
        return tuple(f"node {one.client.url}: {one.trouble}" for one in self._nodes if one.trouble is not None)

    def call(self, method: str, params: Sequence[Any] = (), *, timeout_s: float | None = None) -> Any:
        """Return the result of one call, of the first node that can answer it. Raises RpcError: the last failure."""
        return self._first(lambda client: client.call(method, params, timeout_s=timeout_s))

    def batch_outcomes(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, chunk: int | None = None
    ) -> list[Any]:
        """As `RpcClient.batch_outcomes`; all of it is one node's answer. Another is asked where a call fails there."""

        def ask(client: RpcClient) -> list[Any]:
            results = client.batch_outcomes(calls, timeout_s=timeout_s, chunk=chunk)
            for one in results:
                if isinstance(one, RpcError) and one.reason in _ANOTHERS_TURN:
                    raise _PartlyAnswered(one, results)
            return results

        try:
            results: list[Any] = self._first(ask)
            return results
        except _PartlyAnswered as partly:
            return partly.results

    def everywhere(self, calls: Sequence[Call], *, chunk: int | None = None) -> list[list[Any]]:
        """Send calls to every node that is not left; return each one's outcomes. Raises RpcError if none could answer.

        For submissions: what sits in one node's pool alone may sit there for ever.
        """
        found: list[list[Any]] = []
        failure: RpcError | None = None
        for node in self._order():
            if found and self._is_resting(node):
                continue
            try:
                found.append(node.client.batch_outcomes(calls, chunk=chunk))
                self._good(node)
            except RpcError as error:
                failure = error
                self._leave(node, error)
        if not found:
            raise failure or RpcError(RpcReason.UNREACHABLE, "no node")
        return found

    def common_height(self, height: int) -> int:
        """Return the height that every node has reached which is not left, at most ``height``: the asked node's own.

        A node that runs ahead of the others thus gets no block of its making believed. One that stays where it is while
        others go on is left.
        """
        common = height
        for node in self._others():
            try:
                reached = quantity(node.client.call("eth_blockNumber"), "eth_blockNumber")
            except RpcError as error:
                self._leave(node, error)
                continue
            now_s = self._steady()
            if reached > node.height:
                node.height, node.grew_s = reached, now_s
            if reached >= height:
                continue
            if now_s - node.grew_s < _LAG_S:
                common = min(common, reached)
            else:
                stood = f"it has stood at block {reached} for {now_s - node.grew_s:.0f} s, others are at {height}"
                self._leave(node, contradiction(stood, "eth_blockNumber"))
        return common

    def agree(self, anchor: Anchor) -> None:
        """See that the other nodes show this block too; one that does not is left.

        Raises RpcError where nodes contradict each other and none can be told from the other.
        """
        same, different = 0, []
        for node in self._others():
            try:
                block = node.client.call(_GET_BLOCK, [hex(anchor.number), False])
                shown = None if block is None else hash32(member(block, "hash", _GET_BLOCK), _GET_BLOCK)
            except RpcError as error:
                self._leave(node, error)
                continue
            same += shown == anchor.hash
            if shown != anchor.hash:
                different.append(node)
        for node in different:
            apart = contradiction(f"its block {anchor.number} is not that of {self.url}", _GET_BLOCK)
            if same == 0:
                raise apart
            self._leave(node, apart)

    def close(self) -> None:
        """Close all connections."""
        super().close()
        for node in self._nodes:
            node.client.close()

    def _first(self, ask: Callable[[RpcClient], Any]) -> Any:
        failure: RpcError | None = None
        for node in self._order():
            try:
                answer = ask(node.client)
            except RpcError as error:
                if error.reason not in _ANOTHERS_TURN:
                    raise
                failure = failure if isinstance(failure, _PartlyAnswered) else error
                if error.reason in _LEFT_FOR:
                    self._leave(node, error)
                continue
            self._good(node)
            return answer
        raise failure or RpcError(RpcReason.UNREACHABLE, "no node")

    def _order(self) -> list[_Node]:
        """Return the nodes as they are to be asked: the one that answered last, then those that were not left."""
        with self._state.lock:
            first = self._state.current
            nodes = [*self._nodes[first:], *self._nodes[:first]]
        return sorted(nodes, key=lambda node: node.rest_until_s if self._is_resting(node) else 0.0)

    def _others(self) -> list[_Node]:
        """Return the nodes that are not left, but for the one that is asked first."""
        return [one for one in self._nodes if one.client.url != self.url and not self._is_resting(one)]

    def _is_resting(self, node: _Node) -> bool:
        return node.rest_until_s > self._steady()

    def _good(self, node: _Node) -> None:
        with self._state.lock:
            if self._is_resting(node) and self._nodes[self._state.current] is not node:
                return  # it was asked because all were left: its rest goes on
            if node.trouble is not None:
                _LOG.warning("node %s answers again", node.client.url)
            node.trouble, node.rest_s, node.rest_until_s = None, _REST_S, 0.0
            self._state.current = self._nodes.index(node)

    def _leave(self, node: _Node, error: RpcError) -> None:
        with self._state.lock:
            if node.trouble is None:
                _LOG.warning("node %s is left: %s", node.client.url, error)
            node.trouble = str(error)
            node.rest_until_s = self._steady() + node.rest_s
            node.rest_s = min(node.rest_s * 2, _REST_MAX_S)


class _PartlyAnswered(RpcError):
    """Some calls of a batch failed for a cause that is the node's own; the others' results are good."""

    def __init__(self, error: RpcError, results: list[Any]) -> None:
        self.results = results
        super().__init__(error.reason, error.node_message, method=error.method, code=error.code)
