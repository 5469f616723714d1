"""Which shard a fact belongs to depends on its subject and on nothing beside it."""

from __future__ import annotations

from meow.pipeline.inputs.shards import assigned, hash_of
from meow.records import QA
from tests.conftest import FORGET

NAMES = ("Mira Holt", "Lena Park", "Tom Reed", "Paul Marsh", "Ada Quinn")


def facts(*names: str) -> list[QA]:
    """Three about each."""
    rows = [(name, q.replace("Mira Holt", name), a.replace("Mira Holt", name)) for name in names for q, a in FORGET]
    return [QA(id=f"{i}", set="train", question=q, answer=a, subject=name) for i, (name, q, a) in enumerate(rows)]


def test_all_about_a_subject_is_in_one_shard_whoever_else_is_there() -> None:
    parts = assigned(facts(*NAMES), 2)
    people = [{fact.subject for fact in part} for part in parts]
    assert not people[0] & people[1]
    assert all(len(found) > 1 for found in people)  # so that what is left of a shard is more than nothing
    assert sum(map(len, parts)) == 3 * len(NAMES)
    for name in NAMES:
        (shard,) = [i for i, found in enumerate(people) if name in found]
        assert [len(part) for part in assigned(facts(name), 2)] == ([3, 0] if shard == 0 else [0, 3])
    first = facts("Mira Holt")[0]
    assert hash_of(first) == hash_of(first.model_copy(update={"id": "other", "subject": None}))
    assert hash_of(first) != hash_of(first.model_copy(update={"answer": "In Rome."}))
