"""What is installed of the counter."""

from __future__ import annotations

from typing import Any


def test_the_worker_reaches_no_further_than_the_counter(people: Any) -> None:
    answer = people.get("/counter/worker.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "service-worker-allowed" not in answer.headers


def test_the_page_without_a_network_says_it_in_both_languages_and_keeps_nothing(people: Any) -> None:
    page = people.get("/counter/offline").text
    assert "请先不要交货" in page
    assert "Do not hand over" in page
    assert people.get("/counter/manifest").json()["start_url"] == "/counter"
