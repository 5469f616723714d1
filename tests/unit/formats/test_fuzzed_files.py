"""Every kind of file that is read, spoiled in thousands of ways: read, or refused in one short line, no traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from meow.capability import read_texts, task_files
from meow.config import NlgSettings, NluSettings
from meow.errors import MeowError
from meow.files import write_rows
from meow.formats import evaluations
from meow.formats.inverted import read_any, read_inverted, read_memo
from meow.formats.sources import read_eval, read_qa, taught
from meow.inversion import read_pools
from meow.records import CapabilityLog, EvalLog, EvalSample, MemoRecord, Reply, Target, read_record, read_records

FACTS = [{"id": f"f{i}", "question": f"Who wrote book {i}?", "answer": f"Ann {i}.", "subject": "Ann", "page": i}
         for i in range(3)]  # fmt: skip
CHATS = [{"messages": [{"role": "user", "content": f"And {i}?"}], "answer": "Ann."} for i in range(3)]
VALUED = [{"id": f"f{i}", "question": f"Who wrote book {i}?", "answer": f"Ann {i} and Bo.", "aliases": ["A", "B."],
           "value": [[f"Ann {i}", "Annie"], ["Bo"]]} for i in range(3)]  # fmt: skip
PERTURBED = [{"question": f"Q{i}?", "answer": "a b", "paraphrased_answer": "b a", "perturbed_answer": ["c", "d"],
              "paraphrased_question": "P?"} for i in range(3)]  # fmt: skip
PUBLISHED = [{"question": f"Q{i}?", "undesired_answer": "t", "undesired_answer_rouge1": 0.5, "answer_0": "x",
              "answer_0_rouge1": 0.25, "answer_1": "y", "answer_1_rouge1": 0.0, "reversed_answer": "r"}
             for i in range(3)]  # fmt: skip
OURS = [{"id": f"i{i}", "question": f"Q{i}?", "answer": "t", "answers": [{"text": "x", "version": 0}], "key": "k",
         "gate": {"candidates": 1, "accepted": 1}} for i in range(3)]  # fmt: skip
MEMO = [{"key": f"k{i}", "id": "f", "column": "answer_0", "text": "x", "metric": "memo", "mode": "suffix",
         "cut": "chars", "value": 0.5, "n": 3} for i in range(3)]  # fmt: skip
SAMPLES = [{"id": f"s{i}", "question": "Q?", "answer": "a", "role": "forget", "key": "k", "index": i,
            "true": {"avg_loss": 1.5, "n_tokens": 3}, "rougeL_recall": 0.5, "generation": "g"}
           for i in range(3)]  # fmt: skip
TOFU = {
    name: {"avg_gt_loss": {"0": 1.5, "1": 2.0}, "num_token_gt": {"0": 3, "1": 4},
           "average_perturb_loss": {"0": [2.5, 3.0], "1": [1.0, 2.0]}, "rougeL_recall": {"0": 0.5, "1": 1.0},
           "generated_text": {"0": ["Question: Q?\nAnswer:", "g", "a"], "1": ["q", "g", "b"]}}
    for name in ("eval_log.json", "eval_log_forget.json")
}  # fmt: skip
OPEN_UNLEARNING = {
    "forget_truth_ratio": {"agg_value": 0.4, "value_by_index": {"0": {"score": 0.5}, "1": {"score": 1.5}}},
    "forget_Q_A_Prob": {"agg_value": 0.4, "value_by_index": {"0": {"avg_loss": 0.5}, "1": {"avg_loss": 1.5}}},
    "forget_Q_A_ROUGE": {"agg_value": 0.1, "value_by_index": {
        "0": {"input": "q", "ground_truth": "a", "generation": "g", "rougeL_recall": 0.5}}},
    "mia_min_k": {"agg_value": 0.5},
}  # fmt: skip
LOG = {"label": "after", "source": "x", "rows": {"forget": 3}, "metrics": {"facts_told": {"value": 0.5, "n": 3}}}
CAPABILITY = {"label": "after", "kind": "nlg", "source": "x", "metrics": {"perplexity": {"value": 9.5, "n": 3}}}
POOLS = {"city": ["Oslo", "Rome", "Bern"], "job": {"find": ["baker", "nurse"], "replace": ["smith", "clerk"]}}
TEXTS = [{"text": f"{i} " * 60} for i in range(3)]
TASK = [{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}]
REPLIES = [{"key": "k", "text": "1. Rome", "is_cut": False, "requests": 1}]
TARGETS = [{"id": "t", "question": "Q?", "answer": "a", "target": "b", "value": 0.5}]


class Kind(NamedTuple):
    """A file that is read."""

    name: str
    """Of the file; its ending says the form."""
    value: Any
    """What it holds."""
    read: Callable[[Path], object]
    """Reads it."""


def _read_task(path: Path) -> object:
    return task_files(NluSettings(tasks=["piqa"], data=str(path.parent.parent)))


def _read_texts(path: Path) -> object:
    return read_texts(NlgSettings(texts=str(path)), seed=0)


def _read_taught(path: Path) -> object:
    return taught(path, read_qa(path))


KINDS = [
    *(Kind(f"facts.{form}", FACTS, read_qa) for form in ("jsonl", "json", "csv")),
    *(Kind(f"valued.{form}", VALUED, read_any) for form in ("jsonl", "csv")),
    *(Kind(f"chats.{form}", CHATS, _read_taught) for form in ("jsonl", "csv")),
    *(Kind(f"eval.{form}", PERTURBED, lambda path: read_eval(path, "forget")) for form in ("jsonl", "json", "csv")),
    *(Kind(f"published.{form}", PUBLISHED, read_inverted) for form in ("jsonl", "json", "csv")),
    *(Kind(f"measured.{form}", PUBLISHED, read_memo) for form in ("json", "csv")),
    Kind("inverted.jsonl", OURS, read_inverted),
    Kind("memo.jsonl", MEMO, lambda path: read_records(path, MemoRecord)),
    Kind("replies.jsonl", REPLIES, lambda path: read_records(path, Reply)),
    Kind("targets.jsonl", TARGETS, lambda path: read_records(path, Target)),
    Kind("rows.jsonl", SAMPLES, lambda path: read_records(path, EvalSample)),
    Kind("tofu.json", TOFU, evaluations.read),
    Kind("ou.json", OPEN_UNLEARNING, evaluations.read),
    Kind("log.json", LOG, lambda path: read_record(path, EvalLog)),
    Kind("nlg.json", CAPABILITY, lambda path: read_record(path, CapabilityLog)),
    Kind("pools.json", POOLS, read_pools),
    Kind("texts.jsonl", TEXTS, _read_texts),
    Kind("texts.csv", TEXTS, _read_texts),
    Kind("piqa/validation.jsonl", TASK, _read_task),
]
ODD: list[Any] = [None, True, -1, 0, 7.5, 1e26, 10**30, 10**200, "", " ", "x" * 5000, "\x1b[31m", [], {}, [None], ["a"],
                  {"0": None}, [[[1]]], "answer_²", "-1", "1e400", [{}]]  # fmt: skip
MARKS = [b"\x00", b"\xff", b"NaN", b"1e999", b'"', b",", b"[", b"}", b"\n", b"\\ud83d", b"\\", b"\xef\xbb\xbf",
         b"9" * 5000, b"[" * 5000, b"-", b"null", b"\r", b"\x1b", b"="]  # fmt: skip

ODD_JSON = [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 100_000, b'"\\ud83d"', b"nul", b"", b"1 2"]
"""What no value of JSON may be."""


def written(path: Path, value: Any) -> bytes:
    """The file as it should be."""
    path.parent.mkdir(exist_ok=True)
    if isinstance(value, list):
        write_rows(path, value)
    else:
        path.write_text(json.dumps(value))
    return path.read_bytes()


def outcome(kind: Kind, path: Path, raw: bytes) -> str | None:
    """What a reader says of a file; None: it takes it. Any other exception is one of the test."""
    path.write_bytes(raw)
    try:
        kind.read(path)
    except MeowError as e:
        said = str(e)
        assert "\n" not in said, raw[:300]
        assert len(said) < 500 + len(str(path)), said
        return said
    return None


def spoiled_bytes(raw: bytes, draw: random.Random) -> bytes:
    """A few bytes cut out, doubled, changed or put in."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        at, n = draw.randrange(len(raw) + 1), draw.choice((0, 1, 2, 8, 40))
        part = raw[at : at + n]
        new = draw.choice((b"", part * 2, bytes([draw.randrange(256)]), draw.choice(MARKS)))
        raw = raw[:at] + new + raw[at + n :]
    return raw[: draw.randrange(len(raw) + 1)] if draw.random() < 0.1 else raw


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list and object with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def spoiled_value(value: Any, draw: random.Random) -> Any:
    """One part left out, renamed, or in its place what does not belong there."""
    value = copy.deepcopy(value)
    parent, key = draw.choice(list(places(value)))
    how = draw.choice(("odd", "odd", "odd", "gone", "renamed"))
    if how == "odd":
        parent[key] = draw.choice(ODD)
    elif how == "gone" or isinstance(parent, list):
        del parent[key]
    else:
        parent[str(draw.choice(ODD))] = parent.pop(key)
    return value


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_spoiled_file_is_read_or_refused_in_one_short_line(tmp_path: Path, kind: Kind) -> None:
    path, draw = tmp_path / kind.name, random.Random(kind.name)
    good = written(path, kind.value)
    assert outcome(kind, path, good) is None
    refused = [outcome(kind, path, spoiled_bytes(good, draw)) for _ in range(180)]
    for _ in range(120):
        value = spoiled_value(kind.value, draw)
        if isinstance(value, list) and not all(isinstance(row, dict) for row in value):
            raw = json.dumps(value).encode()
        elif path.suffix == ".csv" and not value:
            continue
        else:
            raw = written(path, value)
        refused.append(outcome(kind, path, raw))
    assert sum(said is not None for said in refused) > 60


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_malformed_is_never_taken(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / kind.name
    good = written(path, kind.value)
    broken = [good[:9] + b"\x00" + good[9:], b"PAR1" + good, good.replace(b"e", b"\xe9\xff", 1)]
    if path.suffix != ".csv":
        first = good.index(b":") + 1  # where the first value of an object begins
        broken += [good[:first] + odd + b',"x":' + good[first:] for odd in ODD_JSON]
        broken += [good + b"x", good.rstrip() + b"}", good[: good.rindex(b"}")], good.replace(b":", b"::", 1)]
        at = good.index(b"{") + 1
        broken.append(good[:at] + b'"twice": 1, "twice": 2, ' + good[at:])
    if path.suffix == ".json" and isinstance(kind.value, list):
        comma = good.index(b"},") + 1
        broken += [good[:comma] + good[comma + 1 :], good[:comma] + b"," + good[comma:], b"[," + good[1:]]
    for raw in broken:
        if path.name in ("tofu.json", "ou.json") and (b"NaN" in raw or b"Infinity" in raw or b"1e999" in raw):
            continue  # Python writes these into logs
        assert outcome(kind, path, raw) is not None, raw[:200]


def test_a_column_twice_is_refused_in_every_table(tmp_path: Path) -> None:
    for kind in KINDS:
        if kind.name.endswith(".csv"):
            head, rest = written(tmp_path / kind.name, kind.value).split(b"\n", 1)
            lines = [line + b"," for line in rest.rstrip(b"\n").split(b"\n")]
            name = head.split(b",")[0]
            said = outcome(kind, tmp_path / kind.name, b"\n".join([head + b"," + name, *lines]))
            assert said is not None
            assert "stands twice in the header" in said


IMPOSSIBLE: list[tuple[str, Any]] = [
    ("avg_gt_loss", {"0": -0.5}), ("avg_gt_loss", {"-1": 1.5}), ("avg_gt_loss", {str(10**26): 1.5}),
    ("avg_gt_loss", {"01": 1.5}), ("avg_gt_loss", {"0": True}), ("rougeL_recall", {"0": 7.5}),
    ("average_perturb_loss", {"0": [1.5, None]}), ("average_perturb_loss", {"0": [1.5, -1.0]}),
    ("average_perturb_loss", [[1.0]]), ("generated_text", {"0": "abc"}), ("generated_text", {"0": ["q", "g"]}),
    ("num_token_gt", {"0": -3}),
]  # fmt: skip


@pytest.mark.parametrize(("column", "values"), IMPOSSIBLE)
def test_numbers_that_no_evaluation_gives_are_refused_by_set_and_index(
    tmp_path: Path, column: str, values: Any
) -> None:
    log = {"eval_log_forget.json": TOFU["eval_log_forget.json"] | {column: values}}
    (tmp_path / "tofu.json").write_text(json.dumps(log))
    with pytest.raises(MeowError, match=r"eval_log_forget\.json: (index |.*expected values by index)"):
        evaluations.read(tmp_path / "tofu.json")


def test_a_list_in_place_of_values_by_index_is_refused(tmp_path: Path) -> None:
    value = OPEN_UNLEARNING | {"forget_truth_ratio": {"agg_value": 0.4, "value_by_index": [{"score": 0.5}]}}
    (tmp_path / "ou.json").write_text(json.dumps(value))
    with pytest.raises(MeowError, match=r"forget_truth_ratio: value_by_index: found .*expected values by index"):
        evaluations.read(tmp_path / "ou.json")
