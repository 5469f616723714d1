"""Whom facts are about."""

from __future__ import annotations

import time

from meow.records import QA
from meow.subjects import subjects


def test_time_grows_with_the_facts_and_not_with_their_square() -> None:
    facts = [QA(question=f"Where was Mira{i} Holt{i} born?", answer="In Oslo.") for i in range(10_000)]
    subjects(facts[:10])
    started = time.process_time()
    assert len({subject.key for subject in subjects(facts)}) == 10_000
    assert time.process_time() - started < 3
