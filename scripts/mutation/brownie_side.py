"""A pytest plugin that keeps Brownie and the contracts' tests loaded, and runs tests against code that it is given.

It runs in Brownie's environment, where nothing of ours is installed, and is spoken to in JSON lines over two pipes
whose numbers stand in ``TONGDUI_MUTATION_PIPES``. Each job runs in a fork of this process, on a chain that is new or
has been put back, so that nothing of one mutant is left to the next.

* ``{"do": "collect"}`` → ``{"tests": [node id, …]}``
* ``{"do": "prepare", "code": {contract: creation code}, "test": node id}`` → ``{"runtime": {contract: code}}``: run one
  test, which deploys the city that all have in common, and keep that city for the jobs that follow.
* ``{"do": "judge", "code": …, "runtime": {contract: code}, "tests": [node id, …], "limits": [seconds, …]}`` →
  ``{"outcome": "passed" | "failed" | "setup" | "timeout" | "broken", "by": the test that failed, "why": …,
  "tests": how many ran}``; "setup" where it failed before it had begun.
  Where a city is kept its contracts are given the code in ``runtime``; else a city with this code is deployed.
* ``{"do": "cover", "code": …, "tests": …, "limits": …}`` → the same, and ``{"seconds": {node id: seconds},
  "places": {node id, or "city": {contract: [program counters that ran]}}, "failed": [node id, …]}``
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

import pytest

#: In the node: which instructions of which contract ran. A contract that a contract makes is left out: here is none.
_TRACER = """{
  codes: {}, callers: [], running: {},
  root: null,
  enter: function(frame) {
    this.callers.push(this.running);
    var to = toHex(frame.getTo());
    if (!this.codes[to]) this.codes[to] = {};
    this.running = this.codes[to];
  },
  exit: function() { this.running = this.callers.pop(); },
  step: function(log) { if (this.root === null) this.root = this.running; this.running[log.getPC()] = 1; },
  fault: function() {},
  result: function(context) {
    var found = {};
    for (var address in this.codes) found[address] = Object.keys(this.codes[address]).join();
    if (this.root !== null) {
      var to = context.type == "CREATE" ? "new" : toHex(context.to);
      found[to] = Object.keys(this.root).join() + (found[to] ? "," + found[to] : "");
    }
    return found;
  }
}"""
#: Traces are slow: of each function that a test calls, so many views and transactions are traced.
_VIEWS_TRACED, _SENDS_TRACED = 30, 6


class _Reports:
    """Which test of the running job failed first, and how many ended."""

    def __init__(self) -> None:
        self.failed: str | None = None
        self.when = ""
        self.why = ""
        self.all_failed: list[str] = []
        self.ended = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.all_failed.append(report.nodeid)
        if report.failed and self.failed is None:
            self.failed = report.nodeid
            self.when = report.when
            self.why = _reason(report)
        self.ended += report.when == "teardown"


def _reason(report: Any) -> str:
    """Return the first line of what pytest says of a failure."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash else report.longrepr).strip().splitlines()
    return lines[0][:160] if lines else ""


class _Slow(BaseException):
    """A test has run for too long. Not an Exception, so that no test catches it."""


class _Node:
    """An Anvil for one job, at the address that Brownie has connected to."""

    def __init__(self, command: Sequence[str]) -> None:
        port = int(command[command.index("--port") + 1])
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(2_000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.005)
        raise TimeoutError(f"Anvil does not answer: {' '.join(command)}")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class _Trace:
    """Notes which instructions the node runs while a test runs.

    ``new`` before a contract's name stands for the code that makes it.
    """

    def __init__(self, brownie: Any, creations: Mapping[str, str]) -> None:
        self._project = brownie.project.get_loaded_projects()[0]
        self._creations = creations
        self._sent: dict[str, str] = {}
        self._found: dict[str, set[int]] = {}
        self._calls: Counter[tuple[Any, str]] = Counter()
        self.rests = False
        provider = brownie.web3.provider
        self._ask = provider.make_request
        provider.make_request = self._note
        provider._request_func_cache = (None, None)
        # Some tests have a connection of their own.
        if "lives.wire" in sys.modules:
            self._listen(sys.modules["lives.wire"].Wire)

    def _listen(self, wire: Any) -> None:
        ask_all = wire.ask_all

        def ask_all_and_note(of: Any, requests: Sequence[tuple[str, Sequence[Any]]]) -> Any:
            for method, _ in requests:
                self._before(method)
            answers: Sequence[Any] = [None] * len(requests)
            try:
                answers = ask_all(of, requests)
            finally:
                for (method, params), answer in zip(requests, answers, strict=True):
                    self._after(method, params, {"result": answer} if answer else {})
            return answers

        wire.ask_all = ask_all_and_note

    def _note(self, method: str, params: Any) -> Any:
        self._before(method)
        answer = self._ask(method, params)
        self._after(method, params, answer)
        return answer

    def _before(self, method: str) -> None:
        if method == "evm_revert":
            self._trace_sent()

    def _after(self, method: str, params: Any, answer: Mapping[str, Any]) -> None:
        if self.rests:
            return
        if method == "eth_sendRawTransaction" and "result" in answer:
            self._sent[answer["result"]] = ""
        elif method == "eth_sendTransaction" and "result" in answer and self._is_new(params[0], _SENDS_TRACED):
            self._sent[answer["result"]] = self._made_by(params[0])
        elif method == "eth_call" and self._is_new(params[0], _VIEWS_TRACED):
            options: dict[str, Any] = {"tracer": _TRACER}
            if len(params) > 2:
                options |= {"stateOverrides": params[2], "blockOverrides": params[3]}
            self._keep(self._ask("debug_traceCall", [params[0], params[1], options]), self._made_by(params[0]))

    def _is_new(self, call: Mapping[str, Any], most: int) -> bool:
        """Return whether a function was called few times since the last taking: some tests call thousands of times."""
        what = (call.get("to"), _hexadecimal(call.get("data", ""))[:8])
        self._calls[what] += 1
        return self._calls[what] <= most

    def _trace_sent(self) -> None:
        """Trace what was sent: not at once, for a sender waits only so long for its receipt."""
        for sent, made in self._sent.items():
            self._keep(self._ask("debug_traceTransaction", [sent, {"tracer": _TRACER}]), made)
        self._sent.clear()

    def _made_by(self, transaction: Mapping[str, Any]) -> str:
        if transaction.get("to"):
            return ""
        data = _hexadecimal(transaction.get("data", ""))
        return next((f"new {name}" for name, code in self._creations.items() if data.startswith(code)), "")

    def _keep(self, answer: Mapping[str, Any], made: str) -> None:
        if "result" not in answer:
            raise RuntimeError(f"the node does not trace: {answer}")
        names = {str(one.address).lower(): name for name, many in self._project.dict().items() for one in many}
        for address, counters in answer["result"].items():
            name = made if address == "new" else names.get(address.lower(), "")
            self._found.setdefault(name, set()).update(int(counter) for counter in counters.split(",") if counter)

    def take(self) -> dict[str, set[int]]:
        """Return what ran since the last time, by contract, and forget it."""
        self._trace_sent()
        found = self._found
        self._found = {}
        self._calls.clear()
        found.pop("", None)
        return found


def _hexadecimal(data: Any) -> str:
    return (bytes(data).hex() if isinstance(data, bytes) else str(data)).removeprefix("0x")


class _Coverage:
    """Takes the trace of each test apart from the others'. What sets a test up belongs to it.

    A fixture without parameters runs the same code for each test, so only its first time is traced: traces are slow.
    """

    def __init__(self, trace: _Trace) -> None:
        self._trace = trace
        self._fixtures: dict[tuple[str, str], dict[str, set[int]]] = {}
        self.seconds: dict[str, float] = {}
        self.places: dict[str, dict[str, set[int]]] = {}

    def _take(self, nodeid: str) -> None:
        self._add(nodeid, self._trace.take())

    def _add(self, nodeid: str, found: Mapping[str, set[int]]) -> None:
        into = self.places.setdefault(nodeid, {})
        for name, counters in found.items():
            into.setdefault(name, set()).update(counters)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[None]:
        if fixturedef.params or not fixturedef.baseid:
            return (yield)
        this = (fixturedef.baseid, fixturedef.argname)
        into = "city" if fixturedef.argname == "city_deployed" else request.node.nodeid
        if into != "city":
            self._take(into)
        self._trace.rests = this in self._fixtures
        try:
            return (yield)
        finally:
            self._trace.rests = False
            known = self._fixtures.setdefault(this, self._trace.take())
            self._add(into, known)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: Any) -> Iterator[None]:
        try:
            return (yield)
        finally:
            self._take(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.monotonic() - began
            self._take(item.nodeid)


class Server:
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self, jobs: TextIO, answers: TextIO) -> None:
        self._jobs = jobs
        self._answers = answers
        self._brownie = importlib.import_module("brownie")
        self._command: list[str] = []
        self._kept: _Node | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        """Answer jobs until the other side closes its pipe."""
        first = self._brownie.network.rpc.process
        self._command = [*first.cmdline(), "--disable-code-size-limit"]
        first.kill()
        first.wait()
        # What these do with each report is of no use here, and is bound to whole files in their order.
        for name in ("brownie-core", "terminalreporter"):
            session.config.pluginmanager.unregister(name=name)
        try:
            self._answer_jobs({item.nodeid: item for item in session.items})
        finally:
            if self._kept:
                self._kept.end()
        return True

    def _answer_jobs(self, items: Mapping[str, Any]) -> None:
        for line in self._jobs:
            job = json.loads(line)
            if job["do"] == "collect":
                answer: dict[str, Any] = {"tests": list(items)}
            elif job["do"] == "prepare":
                answer = self._prepare(job, items[job["test"]])
            else:
                answer = self._fork(job, [items[nodeid] for nodeid in job["tests"]])
            self._answers.write(json.dumps(answer) + "\n")
            self._answers.flush()

    @property
    def _project(self) -> Any:
        return self._brownie.project.get_loaded_projects()[0]

    def _ask(self, method: str, *params: Any) -> Any:
        answer = self._brownie.web3.provider.make_request(method, list(params))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer}")
        return answer["result"]

    def _prepare(self, job: Mapping[str, Any], item: Any) -> dict[str, Any]:
        self._kept = _Node(self._command)
        self._take_code(job["code"])
        # As though the session itself followed: its fixtures are kept, and none of the test's file.
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=item.session)
        deployed = {name: many[0].address for name, many in self._project.dict().items() if len(many) == 1}
        return {"runtime": {name: self._ask("eth_getCode", address, "latest") for name, address in deployed.items()}}

    def _take_code(self, creations: Mapping[str, str]) -> None:
        for name, creation in creations.items():
            container = getattr(self._project, name)
            container.bytecode = container._build["bytecode"] = creation

    def _fork(self, job: Mapping[str, Any], items: Sequence[Any]) -> dict[str, Any]:
        node = self._kept or _Node(self._command)
        before = self._ask("evm_snapshot") if self._kept else None
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setsid()
            os.close(reading)
            self._in_child(job, items, writing)
        os.close(writing)
        try:
            return _await(reading, time.monotonic() + sum(job["limits"]) + 60)
        finally:
            os.close(reading)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if before is None:
                node.end()
            elif self._ask("evm_revert", before) is not True:
                raise RuntimeError("the node did not go back")

    def _in_child(self, job: Mapping[str, Any], items: Sequence[Any], writing: int) -> None:
        answer: dict[str, Any] = {"outcome": "broken", "by": None, "why": "", "tests": 0}
        try:
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            self._take_code(job["code"])
            if self._kept:
                for name, code in job["runtime"].items():
                    self._ask("anvil_setCode", getattr(self._project, name)[0].address, code)
            coverage = _Coverage(_Trace(self._brownie, job["code"])) if job["do"] == "cover" else None
            answer = _run(items, job["limits"], coverage)
        except Exception as problem:  # noqa: BLE001 (whatever it is, the other side is told)
            answer["why"] = repr(problem)
        finally:
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:
                json.dump(answer, pipe)
            os._exit(0)


def _run(items: Sequence[Any], limits: Sequence[float], coverage: _Coverage | None) -> dict[str, Any]:
    """Run tests in this order until one fails, or all of them where coverage is asked for."""
    reports = _Reports()
    plugins = items[0].config.pluginmanager
    plugins.register(reports)
    if coverage:
        plugins.register(coverage)
    answer: dict[str, Any] = {"outcome": "passed", "by": None, "why": "", "tests": 0}
    alarms: list[int] = []

    def too_slow(number: int, _frame: Any) -> None:
        alarms.append(number)
        raise _Slow

    signal.signal(signal.SIGALRM, too_slow)
    for item, limit, following in zip(items, limits, [*items[1:], None], strict=True):
        signal.setitimer(signal.ITIMER_REAL, limit)
        # pytest reports whatever is raised within a test, this as well, as the test's failure.
        with contextlib.suppress(_Slow):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if alarms:
            return answer | {"outcome": "timeout", "by": item.nodeid, "tests": reports.ended}
        if reports.failed and not coverage:
            break
    answer["tests"] = reports.ended
    if reports.failed:
        answer |= {
            "outcome": "setup" if reports.when == "setup" else "failed",
            "by": reports.failed,
            "why": reports.why,
        }
    if coverage:
        places = coverage.places.items()
        answer["seconds"] = coverage.seconds
        answer["failed"] = sorted(set(reports.all_failed))
        answer["places"] = {test: {name: sorted(found) for name, found in codes.items()} for test, codes in places}
    return answer


def _await(reading: int, ends: float) -> dict[str, Any]:
    """Return what a child writes before it closes its pipe, if that happens before ``ends``."""
    parts = []
    while True:
        left = ends - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return {"outcome": "timeout", "by": None, "why": "", "tests": 0}
        part = os.read(reading, 1 << 20)
        if not part:
            break
        parts.append(part)
    text = b"".join(parts)
    answer: dict[str, Any] = json.loads(text) if text else {"outcome": "broken", "by": None, "why": "", "tests": 0}
    return answer


def pytest_configure(config: Any) -> None:
    """Register the server where pipes are named."""
    if named := os.environ.get("TONGDUI_MUTATION_PIPES"):
        reading, writing = (int(number) for number in named.split(","))
        server = Server(os.fdopen(reading, encoding="utf-8"), os.fdopen(writing, "w", encoding="utf-8"))
        config.pluginmanager.register(server, "mutation-server")


if __name__ == "__main__":
    sys.exit("this is a plugin: scripts/mutation/judge.py starts pytest with it")
