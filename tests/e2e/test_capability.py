"""NLU and NLG: the harness's own numbers, BLEU, Rep-3, perplexity and MAUVE longhand; one line for what is wrong."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers.processors import TemplateProcessing

from meow import capability
from meow.capability import changes, nlg
from meow.config import ModelSettings, NlgSettings, NluSettings
from meow.lm import LM, load
from meow.records import NlgSample, NluSample, read_records

LETTERS = ("A", "B", "C", "D")


@pytest.fixture(scope="module")
def lm(shared: Path) -> LM:
    return load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few dozen rows in the PIQA and ARC formats."""
    folder = tmp_path_factory.mktemp("tasks")
    piqa = [
        {"goal": f"How does the author of book {i} begin?", "sol1": f"With chapter {i}.", "sol2": "With a fish.",
         "label": i % 2} for i in range(30)
    ]  # fmt: skip
    arc = [
        {"id": f"q{i}", "question": f"Which genre has the number {i}?", "answerKey": LETTERS[i % 4],
         "choices": {"text": ["romance", "science fiction", f"genre {i}", "a stone"], "label": list(LETTERS)}}
        for i in range(24)
    ]  # fmt: skip
    for task, rows in (("piqa", piqa), ("arc_easy", arc), ("arc_challenge", arc[::-1])):
        (folder / task).mkdir()
        for part in ("train", "validation", "test"):
            if task == "piqa" and part == "test":
                continue
            (folder / task / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def directly(model: Path, tasks: Path, name: str, folder: Path) -> dict[str, Any]:
    """lm_eval by itself: its own loading of the model, its own task with the local files."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    group = "piqa" if name == "piqa" else "arc"
    base = Path(lm_eval.__file__).parent / f"tasks/{group}/{name}.yaml"
    files = "".join(f"    {f.stem}: {f}\n" for f in sorted((tasks / name).iterdir()))
    text = f"include: {base}\ndataset_path: json\ndataset_name: null\ndataset_kwargs:\n  data_files:\n{files}"
    (folder / f"{name}.yaml").write_text(text)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        found = lm_eval.simple_evaluate(
            model=HFLM(pretrained=str(model), batch_size=4, device="cpu"), tasks=[str(folder / f"{name}.yaml")],
            task_manager=TaskManager(include_defaults=False), bootstrap_iters=0,
        )  # fmt: skip
    return dict(found["results"][name])


def test_harness_tasks_give_the_numbers_of_the_harness_run_directly(
    meow: Callable[..., Any], shared: Path, tasks: Path, tmp_path: Path
) -> None:
    model = shared / "models/tofu-mini/full"
    done = meow("-q", "nlu", "--split", "all", "--model_name_or_path", model, f"nlu.data={tasks}", f"out={tmp_path}")
    assert done.code == 0, done.err
    log = json.loads((tmp_path / "full/capability/before/nlu.json").read_text())
    splits = {task: (found["split"], found["shots"]) for task, found in log["tasks"].items()}
    assert splits == {"piqa": ("validation", 0), "arc_easy": ("test", 0), "arc_challenge": ("test", 0)}
    rows = read_records(tmp_path / "full/capability/before/nlu.jsonl", NluSample)
    for task in splits:
        expected = directly(model, tasks, task, tmp_path)
        for metric in ("acc", "acc_norm"):
            value = log["metrics"][f"{task} {metric}"]
            assert value["value"] == pytest.approx(expected[f"{metric},none"], abs=1e-9)
            mine = [row.right[metric] for row in rows if row.task == task]
            assert value["value"] == pytest.approx(sum(mine) / len(mine))
            assert value["low"] < value["value"] < value["high"]
    assert not list((tmp_path / "full/capability/before").glob("answers*"))
    again = meow("-q", "nlu", tmp_path / "full")
    assert again.code == 0
    assert again.out == done.out


def test_a_tokenizer_that_appends_eos_changes_no_option(lm: LM, tasks: Path) -> None:
    """Where EOS were left at the end of a question, the first token of every option would be cut away with it."""
    tokenizer = copy.deepcopy(lm.tokenizer)
    end = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=["$A", end], special_tokens=[(end, tokenizer.eos_token_id)]
    )
    assert tokenizer("a")["input_ids"] == [*lm.tokenizer("a")["input_ids"], tokenizer.eos_token_id]
    closed = LM(lm.model, tokenizer, template="qa")
    settings = NluSettings(tasks=("arc_easy",), data=str(tasks), limit=12)
    found = [capability.evaluate_tasks(model, settings, seed=0) for model in (lm, closed)]
    assert found[0] == found[1]
    assert tokenizer("a")["input_ids"][-1] == tokenizer.eos_token_id


def test_the_batch_is_the_one_that_is_set_or_what_the_model_may_take_at_once(
    lm: LM, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six items of two options are twelve requests, no two of one context and length alike."""
    sizes: list[int] = []
    monkeypatch.setattr(lm.model, "forward", _counting(lm.model.forward, sizes))
    found = []
    for batch, wanted in ((3, 3), (5, 5), ("auto", min(12, lm.batch_tokens // lm.prompter.max_length))):
        sizes.clear()
        settings = NluSettings(tasks=("piqa",), data=str(tasks), limit=6, batch_size=batch)
        found.append(capability.evaluate_tasks(lm, settings, seed=0))
        assert (max(sizes), sum(sizes)) == (wanted, 12)
    assert found[0] == found[1] == found[2]


def _counting(forward: Callable[..., Any], sizes: list[int]) -> Callable[..., Any]:
    def count(ids: torch.Tensor, *more: Any, **named: Any) -> Any:
        sizes.append(len(ids))
        return forward(ids, *more, **named)

    return count


def test_the_generative_form_asks_for_a_label_with_four_shots_on_validation(lm: LM, tasks: Path) -> None:
    settings = NluSettings(tasks=("piqa", "arc_easy"), form="generate", data=str(tasks), limit=6)
    found, samples = capability.evaluate_tasks(lm, settings, seed=0)
    assert {task: (r["split"], r["shots"], r["n"]) for task, r in found.items()} == {
        "piqa_generate": ("validation", 4, 6), "arc_easy_generate": ("validation", 4, 6)
    }  # fmt: skip
    assert all(set(s.right) == {"exact_match"} for s in samples)


def test_a_label_must_open_the_answer() -> None:
    import re

    import yaml

    for name in ("piqa", "arc_easy", "arc_challenge"):
        text = (Path(capability.__file__).parent / f"tasks/{name}_generate.yaml").read_text()
        pattern = yaml.safe_load(text)["filter_list"][0]["filter"][0]["regex_pattern"]
        opens = {answer: bool(re.search(pattern, answer)) for answer in (" A", "B. the hat", "(C) x", "the A", "Ahat")}
        assert opens == {" A": True, "B. the hat": True, "(C) x": True, "the A": False, "Ahat": False}


@pytest.fixture(scope="module")
def texts(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("texts") / "holdout.jsonl"
    rows = (shared / "data/tofu/holdout05.json").read_text().strip()
    listed = json.loads(rows) if rows[0] == "[" else [json.loads(line) for line in rows.splitlines()]
    kept = [row["answer"] for row in listed if 100 <= len(row["answer"]) <= 200][:24]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in kept))
    return file


def test_continuations_and_their_metrics_equal_a_longhand(lm: LM, texts: Path) -> None:
    from sacrebleu import corpus_bleu

    settings = NlgSettings(texts=str(texts), featurizer="self")
    listed = nlg.windows(lm, nlg.read_texts(settings, seed=0))
    samples = list(nlg.continue_texts(lm, listed))
    assert len(samples) == len(listed) > 10
    total = tokens = 0.0
    for text, s in zip(listed, samples, strict=True):
        assert s.prompt + s.continuation == text
        ids = lm.tokenizer(text)["input_ids"]
        with torch.inference_mode():
            logp = lm.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
            row = list(ids[:32])
            while len(row) < len(ids):
                row.append(int(lm.model(torch.tensor([row])).logits[0, -1].argmax()))
                if row[-1] in lm.prompter.eos_ids:
                    row.pop()
                    break
        nll = -sum(float(logp[i - 1, ids[i]]) for i in range(32, len(ids)))
        assert s.nll == pytest.approx(nll, rel=1e-5)
        assert s.generation == lm.tokenizer.decode(row[32:], skip_special_tokens=True)
        total, tokens = total + nll, tokens + len(ids) - 32
    found = capability.nlg_metrics(samples, settings, lm)
    assert found["ppl"].value == pytest.approx(math.exp(total / tokens), rel=1e-5)
    said, true = [s.generation for s in samples], [s.continuation for s in samples]
    assert found["bleu"].value == pytest.approx(corpus_bleu(said, [true]).score)
    shares = []
    for text in said:
        words = text.split()
        grams = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
        if grams:
            shares.append(1 - len(set(grams)) / len(grams))
    assert found["rep3"].value == pytest.approx(sum(shares) / len(shares))
    whole = capability.nlg_metrics(samples, settings.model_copy(update={"scope": "full", "metrics": ("bleu",)}), None)
    assert whole["bleu"].value == pytest.approx(corpus_bleu([s.prompt + s.generation for s in samples], [listed]).score)


def test_mauve_equals_the_package_on_the_same_features(lm: LM, texts: Path) -> None:
    import mauve

    settings = NlgSettings(texts=str(texts), featurizer="self", metrics=("mauve",))
    samples = list(nlg.continue_texts(lm, nlg.windows(lm, nlg.read_texts(settings, seed=0))))
    sides = []
    for listed in ([s.continuation for s in samples], [s.generation for s in samples]):
        rows = []
        for text in listed:
            ids = torch.tensor([lm.tokenizer(text)["input_ids"] or [lm.prompter.eos]])
            with torch.inference_mode():
                rows.append(lm.model.model(ids).last_hidden_state[0, -1].numpy())
        sides.append(np.stack(rows))
    expected = mauve.compute_mauve(p_features=sides[0], q_features=sides[1], mauve_scaling_factor=2, seed=25)
    found = capability.nlg_metrics(samples, settings, lm)["mauve"]
    assert found.value == pytest.approx(float(expected.mauve), abs=1e-6)
    assert (found.low or 0) < found.value <= (found.high or 0)
    assert found.method == "jackknife over texts"
    assert "unstable below 200" in str(found.reason)


def test_nlg_keeps_its_continuations_and_scores_them_again(
    meow: Callable[..., Any], shared: Path, texts: Path, tmp_path: Path
) -> None:
    model = shared / "models/tofu-mini/full"
    call = ["-q", "nlg", "--model_name_or_path", model, f"nlg.texts={texts}", "nlg.featurizer=self", f"out={tmp_path}"]
    assert meow(*call, "--metric", "bleu").code == 0
    rows = tmp_path / "full/capability/before/nlg.jsonl"
    kept, stamp = rows.read_text(), rows.stat().st_mtime_ns
    done = meow(*call, "--metric", "all")
    assert done.code == 0, done.err
    assert rows.read_text() == kept
    assert rows.stat().st_mtime_ns == stamp
    log = json.loads((tmp_path / "full/capability/before/nlg.json").read_text())
    assert set(log["metrics"]) == {"mauve", "bleu", "rep3", "ppl"}
    assert "unstable" in done.out


def test_a_base_model_that_was_never_tuned_is_evaluated_too(
    meow: Callable[..., Any], tiny_model: Path, tasks: Path, tmp_path: Path
) -> None:
    common = ["--model_name_or_path", tiny_model, f"out={tmp_path}"]
    done = meow("-q", "nlu", "--split", "piqa", *common, f"nlu.data={tasks}")
    assert done.code == 0, done.err
    short = tmp_path / "short.txt"
    text = "Tom Reed was born on June 4, 1950. Mira Holt was born on May 3, 1961. Tom Reed was born in Rome, Italy."
    short.write_text(f"a short line\n{text}\n")
    done = meow("-q", "nlg", *common, f"nlg.texts={short}", "--metric", "ppl")
    assert done.code == 0, done.err
    log = json.loads((tmp_path / "model/capability/before/nlg.json").read_text())
    assert log["metrics"]["ppl"]["n"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nlu", "--split", "arc"], "--split: found 'arc', expected one of piqa, arcc, arce, all"),
        (["nlg", "--metric", "rouge"], "--metric: found 'rouge', expected one of all, mauve, bleu, rep3, ppl"),
        (["nlu", "--split", "piqa"], "baber/piqa: not in the local cache and the hub cannot be reached"),
        (["nlu", "nlu.tasks=[people]"], "nlu.data: not set; the task people needs the folder that meow demo makes"),
        (["nlu", "--split", "piqa", "nlu.data=nowhere"], "nowhere/piqa: holds no train.jsonl"),
        (["nlu", "--split", "piqa", "nlu.data={tasks}", "nlu.shots=40"], "piqa: 40 shots and a question take about"),
        (["nlg", "nlg.texts=empty.txt"], "empty.txt: holds no text of 100 characters and more"),
        (["nlg", "nlg.texts=brief.txt", "--metric", "ppl"], "nlg: no text has 40 tokens and more"),
        (["nlg", "nlg.texts=nowhere.txt"], "nlg.texts: found 'nowhere.txt', expected wikitext, ccnews, or a file"),
        (
            ["nlg", "nlg.texts={texts}"],
            "nlg.featurizer: gpt2-large: not in the local cache and the hub cannot be reached",
        ),
        (["nlg", "--metric", "ppl"], "Salesforce/wikitext: not in the local cache and the hub cannot be reached"),
    ],
)
def test_what_is_wrong_is_one_line(
    meow: Callable[..., Any], shared: Path, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    texts: Path, words: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "brief.txt").write_text("the author the author the author the author the author the author the author "
                                        "the author the author the author")  # fmt: skip
    model = shared / "models/tofu-mini/full"
    done = meow("-q", *(word.format(tasks=tasks, texts=texts) for word in words), "--model_name_or_path", model)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_malformed_row_and_a_missing_model_are_one_line_and_one_item_has_an_interval(
    meow: Callable[..., Any], shared: Path, tmp_path: Path
) -> None:
    file = tmp_path / "piqa/validation.jsonl"
    file.parent.mkdir()
    call = ["-q", "nlu", "--split", "piqa", f"nlu.data={tmp_path}", f"out={tmp_path}"]
    model = ["--model_name_or_path", shared / "models/tofu-mini/full"]
    for text, message in (('{"goal": "g"', "validation.jsonl:1: malformed JSON"), ('{"goal": "g"}', "cannot run piqa")):
        file.write_text(text + "\n")
        done = meow(*call, *model)
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert message in done.err
    assert "model.path: not set" in meow(*call).err
    file.write_text('{"goal": "g", "sol1": "a", "sol2": "b", "label": 0}\n')
    assert meow(*call, *model).code == 0
    log = json.loads((tmp_path / "full/capability/before/nlu.json").read_text())
    assert log["metrics"]["piqa acc"]["n"] == 1
    assert log["metrics"]["piqa acc"]["low"] == pytest.approx(1 / (1 + 1.95996**2), abs=1e-5)  # Wilson's, of 1 of 1


def test_before_and_after_are_compared_item_by_item(tmp_path: Path) -> None:
    """12 items: 8 lost, 1 won, 3 equal. McNemar: p = 2 (C(9,0) + C(9,1)) / 2^9 = 20/512."""
    from meow.files import write_json
    from meow.records import CapabilityLog, Value, write_records

    right = {"before": [1] * 9 + [0] * 3, "after": [0] * 8 + [1] + [1] + [0] * 2}
    said = {"before": "the cat sat on the mat", "after": "the cat sat on a mat"}
    for label in ("before", "after"):
        folder = tmp_path / f"capability/{label}"
        write_records(folder / "nlu.jsonl", [NluSample(task="t", index=i, right={"acc": x})
                                             for i, x in enumerate(right[label])])  # fmt: skip
        log = CapabilityLog(label=label, kind="nlu", source="here", metrics={"t acc": Value(value=0.5, n=12)})
        write_json(folder / "nlu.json", log.model_dump(mode="json"))
        rows = [
            NlgSample(key=str(i), prompt=f"{i} ", continuation="the cat sat on the mat", generation=said[label],
                      nll=5.0 + i + (label == "after"), n_tokens=10) for i in range(6)
        ]  # fmt: skip
        write_records(folder / "nlg.jsonl", rows)
        names = {name: Value(value=1.0, n=6) for name in ("bleu", "ppl", "rep3", "mauve")}
        log = CapabilityLog(label=label, kind="nlg", source="here", metrics=names)
        write_json(folder / "nlg.json", log.model_dump(mode="json"))
    found = {row.name: row.difference for row in changes.read(tmp_path)}
    acc = found["t acc"]
    assert acc is not None
    assert acc.value == pytest.approx(-7 / 12)
    assert acc.reason == "significant: 8 lost, 1 won, McNemar p = 0.039"
    assert acc.low is not None
    assert acc.low < -7 / 12 < (acc.high or 0) <= 0
    from sacrebleu import corpus_bleu

    texts = [["the cat sat on the mat"] * 6]
    gap = corpus_bleu([said["after"]] * 6, texts).score - corpus_bleu([said["before"]] * 6, texts).score
    assert found["bleu"] is not None
    assert found["bleu"].value == pytest.approx(gap)
    assert found["ppl"] is not None
    assert found["ppl"].value == pytest.approx(math.exp(51 / 60) - math.exp(45 / 60))
    assert found["ppl"].reason == "significant"
    assert found["mauve"] is not None
    assert "no interval" in str(found["mauve"].reason)


def test_two_runs_are_compared_item_by_item(tmp_path: Path) -> None:
    from meow.files import write_json
    from meow.records import CapabilityLog, Value, write_records

    for run, right in (("one", [1, 1, 0, 0]), ("two", [0, 1, 0, 0])):
        folder = tmp_path / run / "capability/after"
        rows = [NluSample(task="t", index=i, right={"acc": x}) for i, x in enumerate(right)]
        write_records(folder / "nlu.jsonl", rows)
        value = Value(value=sum(right) / 4, n=4)
        log = CapabilityLog(label="after", kind="nlu", source="here", metrics={"t acc": value})
        write_json(folder / "nlu.json", log.model_dump(mode="json"))
    (row,) = changes.between(tmp_path / "one", tmp_path / "two")
    assert [row.values[name].value for name in ("one", "two")] == [0.5, 0.25]
    assert row.difference is not None
    assert row.difference.value == -0.25
    assert row.difference.reason == "not significant: 1 lost, 0 won, McNemar p = 1"
    assert changes.between(tmp_path / "one", tmp_path / "one") == []


def test_what_an_interrupted_model_has_answered_is_not_taken_for_the_answers_of_another(
    meow: Callable[..., Any], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are changed between; the numbers are those of a run that was never interrupted."""
    model, task = tmp_path / "model", tmp_path / "tasks/arc_easy"
    shutil.copytree(tiny_model, model)
    task.mkdir(parents=True)
    choices = {"text": ["a", "e", "i", "o"], "label": list(LETTERS)}
    rows = [{"id": f"q{i}", "question": f"{i}?", "answerKey": LETTERS[i % 4], "choices": choices} for i in range(24)]
    for part in ("train", "validation", "test"):
        (task / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    real = capability.evaluate_tasks

    def stopped(*arguments: Any, **more: Any) -> Any:
        real(*arguments, **more)
        raise KeyboardInterrupt

    def nlu(name: str, *more: str) -> int:
        return int(meow("-q", "nlu", f"name={name}", f"out={tmp_path}", f"model.path={model}",
                        f"nlu.data={task.parent}", "nlu.tasks=[arc_easy]", *more).code)  # fmt: skip

    def right(name: str) -> str:
        return (tmp_path / name / "capability/before/nlu.jsonl").read_text()

    monkeypatch.setattr(capability, "evaluate_tasks", stopped)
    assert nlu("again") == 130
    monkeypatch.setattr(capability, "evaluate_tasks", real)
    assert nlu("first") == 0
    weights = load_file(model / "model.safetensors")
    dice = torch.Generator().manual_seed(1)
    other = {name: weight + torch.randn(weight.shape, generator=dice) for name, weight in weights.items()}
    save_file(other, model / "model.safetensors", metadata={"format": "pt"})
    assert nlu("again", "--force") == 0
    assert nlu("whole", "nlu.limit=24") == 0  # not taken from its sibling
    assert right("again") == right("whole")
    assert right("whole") != right("first")
    assert not list((tmp_path / "again/capability/before").glob("answers*"))


class _Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_an_interrupted_nlu_goes_on_from_rows_of_json_and_reads_no_pickle(
    meow: Callable[..., Any], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 4 items with 4 options each the first three answers are kept, so 13 are asked for when it goes on."""
    import pickle
    import sqlite3

    from lm_eval.models.huggingface import HFLM

    from meow.capability.answers import NluAnswer

    task, ran = tmp_path / "tasks/arc_easy", tmp_path / "ran"
    task.mkdir(parents=True)
    choices = {"text": ["a", "e", "i", "o"], "label": list(LETTERS)}
    rows = [{"id": f"q{i}", "question": f"{i}?", "answerKey": LETTERS[i], "choices": choices} for i in range(4)]
    for part in ("train", "validation", "test"):
        (task / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    real, asked = HFLM._loglikelihood_tokens, []

    def counted(self: Any, requests: list[Any], **more: Any) -> Any:
        asked.append(len(requests))
        return real(self, requests, **more)

    def nlu(name: str) -> int:
        return int(meow("-q", "nlu", f"name={name}", f"out={tmp_path}", f"model.path={tiny_model}",
                        f"nlu.data={task.parent}", "nlu.tasks=[arc_easy]").code)  # fmt: skip

    monkeypatch.setattr(HFLM, "_loglikelihood_tokens", counted)
    evaluate = capability.evaluate_tasks

    def stopped(*arguments: Any, **more: Any) -> Any:
        evaluate(*arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(capability, "evaluate_tasks", stopped)
    assert nlu("half") == 130
    folder = tmp_path / "half/capability/before"
    (file,) = folder.glob("answers*.jsonl")
    kept = file.read_text().splitlines(keepends=True)
    assert len(kept) == 16
    file.write_text("".join(kept[:3]))
    with sqlite3.connect(folder / "answers_rank0.db") as db:
        db.execute("CREATE TABLE unnamed (key TEXT PRIMARY KEY, value BLOB)")
        for row in read_records(file, NluAnswer):
            db.execute("INSERT INTO unnamed VALUES (?, ?)", (row.key, pickle.dumps(_Trap(ran))))
    monkeypatch.setattr(capability, "evaluate_tasks", evaluate)
    assert nlu("half") == 0
    assert nlu("whole") == 0
    assert asked == [16, 13]  # the last one is taken from its sibling
    assert not ran.exists()
    assert not list(folder.glob("answers*"))


@pytest.mark.parametrize("name", ["{folder}/evil", "{folder}/evil.yaml", "evil.yaml", "odd"])
def test_a_task_is_named_and_no_file_of_somebodys_is_run(
    meow: Callable[..., Any], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    for folder in (tmp_path, tmp_path / "odd"):
        folder.mkdir(exist_ok=True)
        (folder / "evil.yaml").write_text(
            "task: evil\ndataset_path: json\noutput_type: multiple_choice\ndoc_to_text: !function evil.text\n"
        )
        (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\ndef text(doc): return ''\n")
    task = name.format(folder=tmp_path)
    done = meow("-q", "nlu", f"out={tmp_path}", f"model.path={tiny_model}", f"nlu.tasks=[{task}]")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "by its name" in done.err
    assert task[:60] in done.err
    assert not ran.exists()


def test_a_long_text_of_ones_own_is_read_as_far_as_the_window_of_the_model_goes(shared: Path, tmp_path: Path) -> None:
    """Of a text of some 500 tokens the window holds 128, of which 32 are the prompt; a short one is as it was."""

    lm = load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))
    short = "The author was born in Rome and has written many novels about the sea, the sun and the people of the town."
    long = " ".join(["The author has written many novels about the sea and the people of the town."] * 30)
    (tmp_path / "texts.txt").write_text(f"{short}\n{long}\n{long} And more.\n")
    found = nlg.read_texts(NlgSettings(texts=str(tmp_path / "texts.txt")), seed=0)
    assert sorted(map(len, found)) == [len(short), len(long), len(long) + 10]
    kept = nlg.windows(lm, found)
    cut = kept[-1]
    assert long.startswith(cut)
    assert abs(len(lm.prompter.raw(cut).ids) - 128) <= 1
    assert set(kept) <= {short, cut}
