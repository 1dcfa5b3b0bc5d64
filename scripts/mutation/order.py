"""In which order a mutant is shown to the tests: those first that are likely to notice it, then the quick ones."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

from scripts.mutation.finder import Mutant
from scripts.mutation.results import Result

_UNKNOWN_SECONDS = 1.0


class Order:
    """Learns from each kill: a test that noticed one fault of a function will often notice its next."""

    def __init__(self, seconds: Mapping[str, float], results: Iterable[Result]) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._by_key: dict[str, str] = {}
        self._in_function: dict[tuple[str, str], Counter[str]] = {}
        self._in_file: dict[str, Counter[str]] = {}
        for result in results:
            self.learn(result)

    def learn(self, result: Result) -> None:
        """Remember which test killed a mutant."""
        if not result.by:
            return
        test = f"tests/contracts/{result.by}"
        with self._lock:
            self._by_key[result.key] = test
            self._in_function.setdefault((result.file, result.function), Counter())[test] += 1
            self._in_file.setdefault(result.file, Counter())[test] += 1

    def arrange(self, mutant: Mutant, tests: Iterable[str]) -> list[str]:
        """Return the tests in the order in which to run them."""
        with self._lock:
            known = self._by_key.get(mutant.key)
            function = Counter(self._in_function.get((mutant.file, mutant.function), ()))
            file = Counter(self._in_file.get(mutant.file, ()))

        def rank(test: str) -> tuple[bool, int, bool, float, str]:
            seconds = self._seconds.get(test, _UNKNOWN_SECONDS)
            return (test != known, -function[test], test not in file, seconds, test)

        return sorted(tests, key=rank)
