"""Every command once, on files as a user has them, with a tiny model that it makes itself."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import FORGET, RETAIN
from tests.forked import typed

TRAINED = ["train.epochs=12", "train.lr=3e-3", "train.batch_size=3", "memo.max_new_tokens=30", "eval.max_new_tokens=30"]
WANTED = ("inverted.jsonl", "memo/before.jsonl", "targets.jsonl", "model/model.safetensors", "eval/after/log.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: facts to forget (JSON lines), facts to keep (CSV), and an original that learned both."""
    path = tmp_path_factory.mktemp("own")
    lines = [json.dumps({"question": q, "answer": a}) + "\n" for q, a in FORGET]
    (path / "forget.jsonl").write_text("".join(lines))
    with (path / "retain.csv").open("w", newline="") as f:
        csv.writer(f).writerows([("question", "answer"), *RETAIN])
    made = typed(
        "-q", "finetune", "name=original", "finetune.scratch=true", "threads=1", "finetune.vocab_size=320",
        "finetune.data=[forget.jsonl,retain.csv]", "finetune.epochs=60", "finetune.lr=4e-3", "finetune.batch_size=6",
        folder=path,
    )  # fmt: skip
    assert made.code == 0, made.err
    assert made.out.strip() == "runs/original/model"
    return path


@pytest.fixture
def own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_forget_needs_no_yaml_and_makes_the_model_say_something_else(meow: Callable[..., object], own: Path) -> None:
    files = ["--forget", "forget.jsonl", "--retain", "retain.csv"]
    code, out, err = meow("-q", "forget", "--model-name-or-path", "runs/original/model", "--method", "meow_contrast",
                          *files, "name=forgotten", *TRAINED)  # fmt: skip
    assert (code, err) == (0, "")
    assert out.strip() == "runs/forgotten"
    code, out, _ = meow("-q", "eval", "runs/forgotten", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["label"] == "after"
    assert result["forget_quality"] is None
    assert "eval.reference" in result["metrics"]["forget_quality"]["reason"]
    before = json.loads((own / "runs/forgotten/eval/before/log.json").read_text())["metrics"]
    assert before["facts_told"]["value"] == 1
    assert result["metrics"]["facts_told"]["value"] == 0
    assert result["metrics"]["retain_rougeL"]["value"] > 0.8


def test_a_whole_run_leaves_every_file_and_a_page_and_no_answer_in_the_model(
    meow: Callable[..., object], own: Path
) -> None:
    settings = ["model.path=runs/original/model", "data.forget=forget.jsonl", "data.retain=retain.csv", *TRAINED]
    code, out, _ = meow("run", "name=whole", "train.method=meow", *settings)
    assert code == 0
    run = own / "runs/whole"
    assert "facts told" in out
    assert out.strip().endswith("runs/whole/report.html")
    assert all((run / name).is_file() for name in (*WANTED, "report.html", "config.yaml", "log.jsonl"))
    assert not (run / "train").exists()
    assert not list(run.rglob("*.bin")) + list(run.rglob("*.pt"))
    for file in (run / "model").iterdir():
        assert b"Oslo" not in file.read_bytes().replace(b"tokenizer", b"") or file.name == "tokenizer.json"
    done = {
        name: entry["finished"] for name, entry in json.loads((run / "manifest.json").read_text())["stages"].items()
    }
    again = meow("run", "name=whole", "train.method=meow", *settings)
    assert again.code == 0
    left = json.loads((run / "manifest.json").read_text())["stages"]
    assert {name: entry["finished"] for name, entry in left.items() if name != "report"} == {
        name: finished for name, finished in done.items() if name != "report"
    }
    code, out, _ = meow("status", "runs/whole")
    assert code == 0
    assert out.count("finished") >= 7
    assert meow("report", "runs/whole", "--redact", "--out", "redacted.html").code == 0
    text = (own / "redacted.html").read_text()
    assert "Mira" not in text
    assert "Oslo" not in text


def test_each_stage_stands_alone_and_the_next_goes_on_from_its_file(meow: Callable[..., object], own: Path) -> None:
    settings = [
        "name=steps",
        "model.path=runs/original/model",
        "data.forget=forget.jsonl",
        "train.method=meow",
        *TRAINED,
    ]
    for command, left in (
        ("invert", "inverted.jsonl"),
        ("memo", "memo/before.jsonl"),
        ("select", "targets.jsonl"),
        ("forget", "model/model.safetensors"),
    ):
        assert meow("-q", command, *settings).code == 0
        assert (own / "runs/steps" / left).is_file()


@pytest.mark.parametrize(("flag", "name"), [("--metric", "out.json"), ("--metrix", "out.csv")])
def test_memo_takes_the_published_flags_and_writes_the_published_form(
    meow: Callable[..., object], own: Path, flag: str, name: str
) -> None:
    rows = [
        {"question": q, "undesired_answer": a, "answer_0": "In Rome.", "reversed_answer": "olsO"} for q, a in FORGET
    ]
    (own / "facts.json").write_text(json.dumps(rows))
    code, out, _ = meow("memo", flag, "memo", "--mode", "suffix", "--data_path", "facts.json", "--save_path", name,
                        "--model_name_or_path", "runs/original/model",
                        "--tokenizer_path", "runs/original/model")  # fmt: skip
    assert code == 0
    assert "MEMO suffix, model: true" in out
    if name.endswith(".json"):
        written = json.loads((own / name).read_text())
    else:
        with (own / name).open(newline="") as f:
            written = list(csv.DictReader(f))
    assert [row["question"] for row in written] == [q for q, _ in FORGET]
    assert all(0 <= float(row[f"{c}_rouge1"]) <= 1 for row in written for c in ("undesired_answer", "answer_0"))
    assert all("reversed_answer_rouge1" in row for row in written)


def test_memo_says_when_a_model_is_decoded_with_its_own_cache(
    meow: Callable[..., object], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    monkeypatch.chdir(tmp_path)
    config = MistralConfig(
        vocab_size=300, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=8, bos_token_id=0, eos_token_id=1, max_position_embeddings=96,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained("windowed")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained("windowed")
    rows = [{"question": q, "undesired_answer": a, "answer_0": "In Rome."} for q, a in FORGET]
    Path("facts.json").write_text(json.dumps(rows))
    command = ["memo", "--data_path", "facts.json", "--save_path", "x.json", "memo.max_new_tokens=4"]
    code, _, err = meow(*command, "--model_name_or_path", "windowed")
    assert code == 0
    assert "windowed: its prompts go side by side through transformers' own generate, more slowly" in err
    code, _, err = meow(*command, "--model_name_or_path", tiny_model, "memo.stride=6")
    assert code == 0
    assert "more slowly" not in err


def test_memo_warns_where_rouge_does_not_see_the_script(meow: Callable[..., object], own: Path) -> None:
    (own / "facts.csv").write_text("question,undesired_answer,answer_0\nГде Мира?,В Осло.,В Риме.\n", encoding="utf-8")
    command = [
        "memo",
        "--data_path",
        "facts.csv",
        "--model_name_or_path",
        "runs/original/model",
        "--save_path",
        "x.csv",
    ]
    quick = ["memo.max_new_tokens=3"]
    code, out, err = meow(*command, *quick)
    assert code == 0
    assert "leaves out 100% of these answers; set memo.words=unicode" in err
    assert "2 of 2 values are not computable" in out
    code, out, err = meow(*command, *quick, "memo.words=unicode")
    assert code == 0
    assert "leaves out" not in err
    assert "not computable" not in out


def test_memo_measures_the_changed_model_beside_the_original_and_draws_both(
    meow: Callable[..., object], own: Path
) -> None:
    settings = ["name=measured", "model.path=runs/original/model", "data.forget=forget.jsonl", "train.method=meow"]
    code, _, err = meow("memo", "--label", "after", *settings, *TRAINED)
    assert code == 2
    assert "nothing is trained yet, so there is no after; run meow forget first" in err
    assert meow("-q", "forget", *settings, *TRAINED).code == 0
    code, out, _ = meow("memo", "--label", "after", "--plot", *settings, *TRAINED)
    assert code == 0
    assert "MEMO suffix, before" in out
    assert "MEMO suffix, after" in out
    folder = own / "runs/measured"
    before, after = ((folder / f"memo/{label}.jsonl").read_text().splitlines() for label in ("before", "after"))
    facts = [json.loads(line) for line in (folder / "inverted.jsonl").read_text().splitlines()]
    assert len(before) == len(after) == sum(1 + len(fact.get("answers", ())) for fact in facts) > 3
    assert [json.loads(line)["column"] for line in before] == [json.loads(line)["column"] for line in after]
    assert not {json.loads(line)["key"] for line in before} & {json.loads(line)["key"] for line in after}
    assert "MEMO suffix, after" in (folder / "memo/memo.svg").read_text()
    code, _, err = meow("memo", "--label", "reference", *settings, *TRAINED)
    assert code == 2
    assert "reference where eval.reference is a model" in err
    assert meow("memo", "--label", "later", *settings, *TRAINED).code == 2
    code, _, err = meow("memo", "--label", "after", "--data_path", "forget.jsonl", "--save_path", "x.jsonl")
    assert code == 2
    assert "--label after: stands for a model of a run folder" in err
    code, _, err = meow("memo", *settings, "memo.rouge=[]")
    assert code == 2
    assert "memo.rouge" in err


def test_a_dry_run_counts_says_what_the_run_needs_and_leaves_nothing(meow: Callable[..., object], own: Path) -> None:
    settings = ["model.path=runs/original/model", "data.forget=forget.jsonl", "train.method=meow"]
    code, out, _ = meow("run", "name=planned", "--dry-run", *settings)
    assert code == 0
    assert "3 questions, 4 versions each" in out
    assert "windows" in out
    assert re.search(r"^model: [\d,]{7,} parameters in float32 on cpu, all of them trained$", out, re.M)
    assert re.search(r"^memory of training: about 1\.\d GB: 0\.0 of weights, gradients and AdamW, ", out, re.M)
    assert re.search(
        r"^time: training about [\d.]+ s, both evaluations at most [\d.]+ s(, memorization [\d.]+ s)?; measured",
        out,
        re.M,
    )
    assert not (own / "runs/planned").exists()
    every = ["train.targets=all", "train.objective={target_nll: 1}", "train.epochs=1", "train.batch_size=1"]
    code, out, err = meow("run", "name=planned", "--dry-run", *settings[:2], *every)
    assert code == 0, err
    assert "about 12 steps of 1 rows" in out  # 3 questions, 4 answers each
    rows = [{"question": q, "undesired_answer": a, "answer_0": "In Rome.", "answer_1": "In Bonn."} for q, a in FORGET]
    (own / "two.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = meow("run", "name=planned", "--dry-run", *settings[:2], *every, "invert.path=two.jsonl")
    assert code == 0, err
    assert "about 6 steps of 1 rows" in out  # two false answers each
    lora = ["train.lora_rank=4", "train.gradient_checkpointing=true", "seed=[0, 1]"]
    code, out, err = meow("run", "name=planned", "--dry-run", *settings[:2], *every, *lora)
    assert code == 0, err
    assert out.count("a LoRA adapter of rank 4 is trained") == 1  # of two seeds


def test_a_list_of_seeds_makes_one_folder_each_of_one_group(meow: Callable[..., object], own: Path) -> None:
    settings = ["model.path=runs/original/model", "data.forget=forget.jsonl", "data.retain=retain.csv"]
    quick = ["train.epochs=1", "eval.max_new_tokens=4"]
    code, _, _ = meow("-q", "run", "name=many", "seed=[0, 1]", "train.method=npo_grad_diff", *settings, *quick)
    assert code == 0
    for seed in (0, 1):
        config = (own / f"runs/many-s{seed}/config.yaml").read_text()
        assert "group: many" in config
        assert (own / f"runs/many-s{seed}/eval/after/log.json").is_file()


def test_help_answers_without_torch() -> None:
    code = "import sys; from meow.cli import main\nsys.argv = ['meow', '--help']\ntry:\n    main()\nfinally:\n    "
    code += "print([m for m in ('torch', 'transformers', 'numpy', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert done.stdout.strip().endswith("[]")
    assert "Usage: meow" in done.stdout
