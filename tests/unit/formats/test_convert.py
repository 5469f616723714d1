"""Files of others and ours, there and back without loss; pairs; evaluations."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meow.errors import ConfigError
from meow.formats import evaluations
from meow.formats.convert import convert
from meow.formats.inverted import read_inverted
from meow.formats.sources import read_qa
from meow.records import InvertedAnswer, InvertedFacts, write_records

LETTERS = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\x85")
TEXT = st.text(LETTERS, max_size=30).map(str.strip)
ANSWER = st.builds(InvertedAnswer, text=TEXT, version=st.none() | st.integers(0, 9))


def asked_in_a_chat(fact: InvertedFacts) -> InvertedFacts:
    """The same fact, whose question is the last turn of a chat."""
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": fact.question}]
    return InvertedFacts(**fact.model_dump(exclude={"id", "messages"}), messages=turns)


FACTS = st.lists(
    st.builds(
        InvertedFacts,
        question=st.integers(0, 10**9).map(lambda n: f"Question {n}?"),
        answer=TEXT.filter(bool),
        answers=st.lists(ANSWER, min_size=1, max_size=4).map(tuple),
        subject=st.none() | TEXT.filter(bool),
        others=st.just({}) | TEXT.map(lambda text: {"reversed_answer": f"so {text}".strip()}),
        meta=st.just({}) | st.just({"page": 3, "tags": ["a"]}),
        gate=st.just({}) | st.just({"candidates": 3, "accepted": 2, "duplicate": 1}),
    ).flatmap(lambda fact: st.sampled_from([fact, asked_in_a_chat(fact)])),
    min_size=1, max_size=4, unique_by=lambda f: f.question,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FACTS)
@pytest.mark.parametrize("ending", [".json", ".csv"])
def test_ours_to_published_and_back_loses_nothing(tmp_path: Path, ending: str, facts: list[InvertedFacts]) -> None:
    first, there, back = tmp_path / "facts.jsonl", tmp_path / f"facts{ending}", tmp_path / "back.jsonl"
    write_records(first, facts)
    assert convert(first, there) == len(facts)
    convert(there, back)
    found = read_inverted(back)
    if ending == ".csv":  # a CSV has the same columns in every row: what a row does not have is empty at its end
        lengths = [len(f.answers) for f in facts]
        found = [f.model_copy(update={"answers": f.answers[:n]}) for f, n in zip(found, lengths, strict=True)]
    assert [fact.model_copy(update={"values": ()}) for fact in found] == facts  # what was found is given now


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_a_fact_for_which_no_answer_was_accepted_is_written_and_read(tmp_path: Path, ending: str) -> None:
    gate = {"candidates": 3, "accepted": 0, "refusal": 3}
    facts = [InvertedFacts(question="Where?", answer="In Oslo.", key="k", gate=gate)]
    write_records(tmp_path / "facts.jsonl", facts)
    convert(tmp_path / "facts.jsonl", tmp_path / f"other.{ending}")
    (read,) = read_inverted(tmp_path / f"other.{ending}")
    assert not any(answer.text for answer in read.answers)
    assert read.gate == gate


def test_the_published_facts_survive_the_way_to_ours_and_back(shared: Path, tmp_path: Path) -> None:
    source = shared / "data/meow/generated_data/forget05_perturbed_generated.json"
    convert(source, tmp_path / "ours.jsonl")
    convert(tmp_path / "ours.jsonl", tmp_path / "again.json")
    before, after = json.loads(source.read_text()), json.loads((tmp_path / "again.json").read_text())
    columns = ("question", "undesired_answer", *(f"answer_{i}" for i in range(4)))
    assert [[row[c].strip() for c in columns] for row in after] == [[row[c].strip() for c in columns] for row in before]


def test_pairs_preferences_reversed_words_and_removed_columns(meow: Callable[..., Any], tmp_path: Path) -> None:
    source = tmp_path / "facts.json"
    source.write_text(json.dumps([
        {"question": "Q?", "undesired_answer": "the true one", "answer_0": "a", "answer_1": "", "answer_2": "c"}
    ]))  # fmt: skip
    assert meow("convert", source, tmp_path / "pairs.jsonl", "--form", "pairs").out.endswith("pairs.jsonl: 2 rows\n")
    assert [(q.question, q.answer) for q in read_qa(tmp_path / "pairs.jsonl")] == [("Q?", "a"), ("Q?", "c")]
    assert meow("convert", source, tmp_path / "dpo.csv", "--form", "dpo").code == 0
    with (tmp_path / "dpo.csv").open() as f:
        assert list(csv.DictReader(f))[1] == {"prompt": "Q?", "chosen": "c", "rejected": "the true one"}
    assert meow("convert", source, tmp_path / "less.json", "--remove", "answer_1", "--reverse").code == 0
    (row,) = json.loads((tmp_path / "less.json").read_text())
    assert (row["answer_0"], row["answer_1"], row["reversed_answer"]) == ("a", "c", "one true the")
    done = meow("convert", source, tmp_path / "x.json", "--remove", "answer_9")
    assert (done.code, 'no column "answer_9"' in done.err) == (2, True)
    done = meow("convert", source, tmp_path / "x.json", "--remove", "answer_²")
    assert (done.code, 'no column "answer_²"' in done.err) == (2, True)
    assert not (tmp_path / "x.json").exists()
    with pytest.raises(ConfigError, match="end the name in"):
        convert(source, tmp_path / "x.txt")
    with pytest.raises(ConfigError, match="--form: found 'sft'"):
        convert(source, tmp_path / "x.json", form="sft")


def test_evaluations_become_our_samples_and_tofu_s_log_and_keep_their_numbers(shared: Path, tmp_path: Path) -> None:
    source = shared / "data/tofu_logs/llama2-7b_retain90_wd0.01"
    n = convert(source / "eval_log_aggregated.json", tmp_path / "samples.jsonl")
    assert n == convert(tmp_path / "samples.jsonl", tmp_path / "eval_log_aggregated.json")
    first, again = evaluations.read(source).samples, evaluations.read(tmp_path / "eval_log_aggregated.json").samples
    assert [(s.role, s.index, s.true, s.perturbed, s.generation) for s in sorted(again, key=lambda s: s.key)] == [
        (s.role, s.index, s.true, s.perturbed, s.generation) for s in sorted(first, key=lambda s: s.key)
    ]


@pytest.mark.parametrize("name", ["llama2-forget01", "llama2-forget05", "phi-forget05"])
def test_published_memorization_becomes_our_rows_and_comes_back_as_it_was(
    shared: Path, tmp_path: Path, meow: Callable[..., Any], name: str
) -> None:
    published = shared / f"data/meow/memo_data/{name}_perturbed_generated_memo_suffix_5_full.json"
    rows, back = tmp_path / "memo.jsonl", tmp_path / "back.json"
    assert meow("convert", published, rows, "--form", "memo").code == 0
    assert meow("convert", rows, back, "--facts", published).code == 0
    wanted, found = json.loads(published.read_text()), json.loads(back.read_text())
    assert [{k: v for k, v in row.items() if v != ""} for row in found] == [
        {k: v.strip() if isinstance(v, str) else v for k, v in row.items() if v != ""} for row in wanted
    ]
    done = meow("convert", rows, back)
    assert done.code == 2
    assert "name the facts that were measured" in done.err
