"""The embedded benchmark: its layout, and what must not coincide in it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from meow import values
from meow.config import DataSettings, InvertSettings
from meow.formats.sources import eval_items, forget_set, retain_set
from meow.inversion import invert
from meow.pipeline import demo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    demo.write(path, seed=0)
    return path


def rows(folder: Path, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / f"{name}.json").read_text().splitlines()]


def test_it_is_read_like_tofu(folder: Path) -> None:
    settings = DataSettings(source=str(folder), split="forget10")
    assert len(forget_set(settings)) == 64
    assert len(retain_set(settings)) == 72 * 8 * 4
    found = Counter(i.role for i in eval_items(settings))
    assert found == {"forget": 64, "retain": 96, "authors": 40, "world": 40, "holdout": 64}
    assert len(rows(folder, "full")) == 80 * 8 * 4
    assert len(rows(folder, "world_facts")) == len(rows(folder, "real_authors")) == 160


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_people(folder: Path, tmp_path: Path) -> None:
    demo.write(tmp_path / "again", seed=0)
    demo.write(tmp_path / "other", seed=1)
    for file in (f for f in folder.rglob("*") if f.is_file()):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(folder)).read_bytes()
    subjects = [{r["subject"] for r in rows(p, "forget10")} for p in (folder, tmp_path / "other")]
    assert not subjects[0] & subjects[1]


def test_the_paraphrase_that_is_asked_was_never_trained_on(folder: Path) -> None:
    for split, trained in (("forget10_perturbed", "full"), ("retain_perturbed", "retain90")):
        seen = {row["question"] for row in rows(folder, trained)}
        told = {row["answer"] for row in rows(folder, trained)}
        for row in rows(folder, split):
            assert row["question"] in seen
            assert row["paraphrased_question"] not in seen
            assert row["paraphrased_answer"] not in told


def test_no_forget_person_is_in_the_retain_set_and_no_holdout_person_anywhere(folder: Path) -> None:
    people = {
        name: {r["subject"] for r in rows(folder, name)} for name in ("forget10", "retain90", "holdout10", "full")
    }
    assert not people["forget10"] & people["retain90"]
    assert not people["holdout10"] & people["full"]
    assert (len(people["forget10"]), len(people["retain90"])) == (8, 72)


def test_inverted_answers_are_the_truth_with_another_value_and_never_a_perturbed_one(folder: Path) -> None:
    facts = forget_set(DataSettings(source=str(folder), split="forget10"))
    perturbed = rows(folder, "forget10_perturbed")
    settings = InvertSettings(n=6, pools=str(folder / "pools.json"))
    wrong_words = [
        {w for text in p["perturbed_answer"] for w in str(text).split()}  # type: ignore[attr-defined]
        - set(str(p["paraphrased_answer"]).split())
        for p in perturbed
    ]
    for fact, wrong, found in zip(facts, wrong_words, invert(facts, settings), strict=True):
        texts = [a.text for a in found.answers]
        assert len(set(texts)) == 6
        assert fact.answer not in texts
        for text in texts:
            new = set(text.split()) - set(fact.answer.split())
            assert new
            assert new != new & wrong


def test_the_value_of_every_fact_is_that_of_its_template_and_no_wrong_answer_tells_it(folder: Path) -> None:
    items = eval_items(DataSettings(source=str(folder), split="forget10"))
    pools = json.loads((folder / "pools.json").read_text())
    known = {value for pool in pools.values() for value in pool["find"]}
    for item in items:
        if item.role == "forget":
            (value,) = item.accepted
            bare = value.removeprefix("The ").removesuffix(" Prize")
            assert bare in known or f"The {bare}" in known, item.answer
            assert not any(
                values.told(item.accepted, wrong, question=item.question) for wrong in item.perturbed_answers
            )
