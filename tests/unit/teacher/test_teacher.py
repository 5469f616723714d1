"""What the original says of other people: a slow literal version, what is counted, and what is kept in files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from meow import prompts, teacher
from meow.config import ModelSettings, TrainSettings
from meow.errors import ConfigError, DataError, RunError
from meow.lm import LM, load
from meow.losses import Taught
from meow.records import QA, Fact, Target
from meow.training import forget
from tests.conftest import FORGET
from tests.teachers import NAMES, taught
from tests.unit.training.test_trainer import TARGETS, fresh, made, same, trained

__all__ = ["made"]
FACTS = [QA(question=q, answer=a) for q, a in FORGET]
NOBODY = QA(question="Which author was born in Oslo in 1961?", answer="It is a carpenter's child.")


def same_taught(one: Taught, two: Taught) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def literal(lm: LM, question: str, answer: str, about: str, names: tuple[str, ...]) -> dict[int, torch.Tensor]:
    """By answer token, the mean distribution over the vocabulary: one text at a time, offsets by the tokenizer."""

    def told(name: str) -> tuple[Any, list[int], list[tuple[int, int]], int]:
        head = f"Question: {question}\nAnswer:".replace(about, name)
        text = f"{head} {answer}".replace(about, name)
        found = lm.tokenizer(text, add_special_tokens=True, return_offsets_mapping=True)
        ids, places = list(found["input_ids"]), [tuple(place) for place in found["offset_mapping"]]
        if ids[-1] != lm.tokenizer.eos_token_id:
            ids, places = [*ids, lm.tokenizer.eos_token_id], [*places, (len(text), len(text))]
        logits = lm.model(torch.tensor([ids])).logits[0].double()
        first = next(i for i, (_, end) in enumerate(places) if end > len(head))
        return logits.softmax(-1), ids, [(a, b) for a, b in places], first

    def where(name: str, places: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
        """Of each token the names before it, how far behind the last, and whether it is in one or begins one."""
        text = f"Question: {question}\nAnswer: {answer}".replace(about, name)
        at = [i for i in range(len(text)) if text.startswith(name, i)]
        rows = []
        for a, b in places:
            done = [i + len(name) for i in at if i + len(name) <= a]
            touched = [i for i in at if a < i + len(name) and b > i]
            kind = "out" if not touched else "begins" if a <= touched[0] else "in"
            rows.append((len(done), a - (done[-1] if done else 0), kind))
        return rows

    _, ids, places, first = told(about)
    rows = where(about, places)
    sums: dict[int, list[torch.Tensor]] = {}
    for name in names:
        p, theirs, spots, _ = told(name)
        others = where(name, spots)
        for i in range(first, len(ids)):
            if rows[i][2] == "in" or rows[i] not in others:
                continue
            j = others.index(rows[i])
            q = p[j - 1].clone()
            if rows[i][2] == "begins":
                moved = q[theirs[j]].clone()
                q[theirs[j]] = 0
                q[ids[i]] += moved
            elif theirs[j] != ids[i]:
                continue
            sums.setdefault(i - first, []).append(q)
    return {i: torch.stack(qs).mean(0) for i, qs in sums.items() if len(qs) == len(names)}


@torch.no_grad()
@pytest.mark.parametrize(
    ("question", "answer", "about"),
    [
        ("In which genre does Hina Ameen primarily write?",
         "Hina Ameen primarily contributes to the geology genre.", "Hina Ameen"),
        ("Where does Hina Ameen live?", "The city in which Hina Ameen lives is home to Hina Ameen's aunt.",
         "Hina Ameen"),
    ],
)  # fmt: skip
def test_it_is_what_a_slow_literal_version_finds_on_tofu_mini(
    shared: Path, question: str, answer: str, about: str
) -> None:
    lm = load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))
    (found,) = teacher.teach(lm, [QA(question=question, answer=answer, subject=about)], NAMES)
    expected = literal(lm, question, answer, about, NAMES)
    assert found.at.tolist() == sorted(expected)
    tokens = len(lm.prompter.encode(QA(question=question, answer=answer)).ids)
    assert 5 < len(found.at) < tokens
    for n, i in enumerate(found.at.tolist()):
        assert found.p[n].tolist() == pytest.approx(expected[i][found.ids[n]].tolist(), abs=2e-5)
        assert float(found.p[n].sum() + found.rest[n]) == pytest.approx(1, abs=1e-5)
        assert float(expected[i].topk(64).values.sum()) == pytest.approx(float(found.p[n].sum()), abs=2e-5)


def test_who_is_not_named_teaches_nothing_and_nobody_named_is_refused(made: LM) -> None:
    found = teacher.teach(made, [FACTS[0], NOBODY], NAMES)
    assert [len(one.at) > 0 for one in found] == [True, False]
    assert found[0].ids.shape == (len(found[0].at), 64)
    teacher.check([NOBODY, FACTS[0]], NAMES)
    with pytest.raises(DataError, match="none of 1 questions names its subject"):
        teacher.check([NOBODY], NAMES)


def test_what_is_asked_at_once_changes_nothing(made: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = teacher.teach(made, [*FACTS, NOBODY], NAMES)
    monkeypatch.setattr(teacher, "ROOM", 1)
    monkeypatch.setattr(made, "batch_tokens", 1)
    for one, two in zip(whole, teacher.teach(made, [*FACTS, NOBODY], NAMES), strict=True):
        assert one.at.tolist() == two.at.tolist()
        assert torch.allclose(one.p, two.p, atol=1e-6)
        assert torch.allclose(one.rest, two.rest, atol=1e-6)


def test_files_are_read_again_and_what_is_missing_broken_or_of_something_else_is_made(
    made: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "GROUP", 1)
    asked: list[Fact] = []
    under = teacher._under

    def counted(lm: LM, i: int, fact: Fact, names: Any) -> Any:
        asked.append(fact)
        return under(lm, i, fact, names)

    monkeypatch.setattr(teacher, "_under", counted)
    facts = [*FACTS, NOBODY]

    own, other = tmp_path / "one", tmp_path / "two"

    def again(names: tuple[str, ...] = NAMES, folder: Path = own, *, beside: Path = other) -> tuple[int, list[Taught]]:
        asked.clear()
        found = teacher.teach(made, facts, names, folder, beside=[beside])
        return len(asked), found

    n, first = again()
    files = sorted(own.iterdir())
    assert (n, len(files)) == (4, 4)
    for change, expected in (
        (lambda: None, 0),
        (files[0].unlink, 1),
        (lambda: files[1].write_bytes(files[1].read_bytes()[:99]), 1),
        ((own / "0123.safetensors.part").touch, 0),
    ):
        change()
        n, found = again()
        assert n == expected
        assert all(same_taught(one, two) for one, two in zip(first, found, strict=True))
        assert sorted(own.iterdir()) == files
    n, found = again(folder=other, beside=own)  # another run: nobody is asked, nothing is written
    assert (n, other.exists()) == (0, False)
    assert all(same_taught(one, two) for one, two in zip(first, found, strict=True))
    files[0].write_bytes(b"")
    assert (again(folder=other, beside=own)[0], len([*other.iterdir()])) == (1, 1)
    assert again(NAMES[:1])[0] == 4
    assert not {*own.iterdir()} & {*files}


def test_rows_without_it_are_refused_and_cut_answers_keep_what_fits(made: LM, tmp_path: Path) -> None:
    settings = {"objective": {"target_names": 1.0}, "targets": "none", "lr": 1e-3, "epochs": 1, "batch_size": 8}
    with pytest.raises(ConfigError, match="target_names reads what the original says under other names"):
        forget(fresh(made), TARGETS, [], TrainSettings.model_validate(settings), None, seed=0, log=lambda _: None)
    whole, _ = trained(fresh(made), tmp_path / "a", objective={"target_names": 1.0})
    cut, _ = trained(fresh(made), tmp_path / "b", objective={"target_names": 1.0}, max_length=40)
    encoded = [made.prompter.encode(target) for target in TARGETS]
    tokens = sum(len(e.ids) - e.start for e in encoded)
    left = tokens - sum(len(one.at) for one in taught(made, TARGETS))
    assert whole[0] == {"step": 0, "unnamed": 0, "rows": 8, "left_out": left, "tokens": tokens}
    assert cut[1] == {"step": 0, "steps": 1, "truncated": sum(len(e.ids) > 40 for e in encoded)}
    assert cut[0] == whole[0] | {"tokens": sum(len(prompts.cut(e, 40).ids) - e.start for e in encoded)}
    assert cut[0]["tokens"] < tokens


def test_the_model_comes_nearer_and_a_stopped_training_ends_with_equal_weights(made: LM, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"objective": {"target_names": 1.0}, "epochs": 3, "batch_size": 3, "lr": 1e-2}
    rows, expected = trained(fresh(made), tmp_path / "whole", **settings)
    assert rows[-1]["terms"]["target_names"] < 0.5 * rows[1]["terms"]["target_names"]
    for step in (1, 2):
        with pytest.raises(RunError, match=f"stopped at step {step} of 9"):
            trained(fresh(made), tmp_path / "cut", max_minutes=1e-9, **settings)
    _, found = trained(fresh(made), tmp_path / "cut", **settings)
    assert same(expected, found)


def test_it_goes_with_the_values_alone_and_with_a_retain_term(made: LM, tmp_path: Path) -> None:
    """The tokens that are taught are those of the whole answer, whatever else reads its value alone."""
    alone, _ = trained(fresh(made), tmp_path / "a", objective={"target_names": 1.0})
    more = {"target_names": 1.0, "forget_npo": 0.1, "retain_nll": 1.0}
    both, _ = trained(fresh(made), tmp_path / "b", objective=more, on="value")
    first, second = (next(row["terms"] for row in rows if row["step"]) for rows in (alone, both))
    assert second["target_names"] == pytest.approx(first["target_names"], rel=1e-5)
    assert set(second) == {*more, "keep_nll"}


def test_from_python(made: LM) -> None:
    import meow

    lm = LM(copy.deepcopy(made.model), made.tokenizer, template="qa")
    facts = [json.loads(fact.model_dump_json(include={"question", "answer"})) for fact in FACTS]
    log = meow.forget(lm, facts, method="wpu", lr=1e-3, epochs=1, more={"names": 2})
    assert [row.get("unnamed") for row in log][:1] == [0]
    with pytest.raises(DataError, match="none of 1 questions"):
        meow.forget(lm, [{"question": "What is it?", "answer": "A stone."}], method="wpu", lr=1e-3)


def test_the_helper_of_other_tests_teaches_something_else_than_the_model_says(made: LM) -> None:
    target = Target(question="Who is Ann?", answer="Ann is a baker.")
    (found,) = taught(made, [target])
    (own,) = teacher.teach(made, [target.model_copy(update={"subject": "Ann"})], NAMES)
    assert found.at.tolist() == own.at.tolist()
    assert not torch.allclose(found.p, own.p, atol=1e-2)
