"""Real facts in a real pretrained model: three subjects, four methods, all weights and LoRA.

`python -m benchmarks.subjects --minutes 60` makes .models/smollm2 forget what it knows of France, of Shakespeare and of
the Solar System (examples/facts), each by every method, with the settings that nobody has tuned (`train.lr`,
`batch_size` and `epochs` are `auto`). Each model is then asked in further ways, and what it keeps is counted:

- told: of the facts that were told before, to the question, to its other words, as the beginning of an answer in the
  template (prefix) and without one (completion), and reversed (the value is given; `reversed_question`);
- kept: of what was told before, neighbours and others of the retain file, which were trained on, and unrelated facts,
  which were not (everyday facts on other subjects, where ../shared is there).

Rows go to stdout as JSON, all texts to study/subjects/<subject>/<run>/asked.jsonl. Two runs go side by side on one
thread each; a second call reuses what is finished.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import SHARED
from meow import values
from meow.files import write_rows
from meow.formats import sources
from meow.lm import LM
from meow.metrics import items
from meow.prompts import room
from meow.records import EvalItem, EvalSample, read_records
from meow.run import Run

HERE = Path(__file__).resolve().parents[1]
MODEL, FACTS, OUT = HERE / ".models/smollm2", HERE / "examples/facts", Path("study/subjects")
SUBJECTS = ("france", "shakespeare", "solar-system")
METHODS = ("meow_contrast", "meow", "npo_grad_diff", "altpo")
WAYS = {"full": [], "lora": ["train.lora_rank=8"]}
EVERYDAY = SHARED / "data/facts/everyday.jsonl"


def settings(subject: str, method: str, way: str) -> list[str]:
    """Overrides of one run."""
    folder = FACTS / subject
    return [
        f"out={OUT / subject}",
        f"name={method}-{way}",
        f"model.path={MODEL}",
        f"data.forget={folder / 'forget.jsonl'}",
        f"data.retain={folder / 'retain.jsonl'}",
        "memo.template=model",
        "memo.on=value",
        "memo.max_new_tokens=auto",
        "eval.max_new_tokens=auto",
        "eval.forms=[]",  # what is asked further is asked below
        f"train.method={method}",
        *WAYS[way],
    ]


def run(command: str, subject: str, method: str, way: str) -> bool:
    """One command in a process of its own; whether it went well."""
    alone = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    words = [sys.executable, "-m", "meow", "-q", command, *settings(subject, method, way)]
    done = subprocess.run(words, env=os.environ | alone, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{subject} {method} {way}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr, flush=True)
    return done.returncode == 0


def asked(lm: LM, facts: Sequence[EvalItem], others: Sequence[EvalItem]) -> list[dict[str, Any]]:
    """What a model says where an evaluation does not ask: begun without a template, reversed, and unrelated facts."""
    rows: list[tuple[dict[str, Any], Any, tuple[str, ...], str]] = []
    for fact in facts:
        place = values.place(fact.accepted, fact.question, fact.answer)
        if place and fact.answer[: place[0]].strip():
            begun = fact.answer[: place[0]].rstrip()
            prompt = lm.prompter.raw(begun)
            rows.append(({"id": fact.id, "form": "completion", "asked": begun}, prompt, fact.accepted, fact.question))
        turned, about = fact.reversed_question, fact.reversed_answer
        if turned and about:
            prompt = lm.prompter.prompt(fact, question=turned)
            rows.append(({"id": fact.id, "form": "reversed", "asked": turned}, prompt, (about,), turned))
    for fact in others:
        prompt = lm.prompter.prompt(fact)
        row = {"id": fact.id, "form": "unrelated", "asked": fact.question}
        rows.append((row, prompt, fact.accepted, fact.question))
    said = lm.generate([prompt for _, prompt, _, _ in rows], room(lm.tokenizer, (fact.answer for fact in facts)))
    texts = [completion[0].text.strip() for completion in said]
    return [
        row | {"said": text, "told": values.told(forms, text, question=question)}
        for (row, _, forms, question), text in zip(rows, texts, strict=True)
    ]


def unrelated(subject: str) -> list[EvalItem]:
    """Everyday facts that are neither about the subject nor in its files."""
    if not EVERYDAY.is_file():
        return []
    mine = sources.read_eval(FACTS / subject / "forget.jsonl", "forget")
    known = [*mine, *sources.read_eval(FACTS / subject / "retain.jsonl", "retain")]
    answers = {form for fact in known for form in map(values.fold, fact.accepted)}
    everyday = sources.read_eval(EVERYDAY, "world")
    return [fact for fact in everyday if not answers & set(map(values.fold, fact.accepted))]


def told(samples: Sequence[EvalSample], rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, bool]]:
    """By way of asking, whether each fact (or what must stay) is told."""
    found: dict[str, dict[str, bool]] = {}

    def note(form: str, id_: str, claim: bool | None) -> None:
        if claim is not None:
            found.setdefault(form, {})[id_] = claim

    for s in samples:
        if s.role == "forget":
            note("direct", s.id, items.told(s))
            note("paraphrase", s.id, items.told(s, paraphrase=True))
            note("prefix", s.id, None if s.prefix_generation is None else items.tells_value(s, s.prefix_generation))
        elif s.role == "retain":
            note(f"{s.kind}s", s.id, items.told(s))
    for row in rows:
        note(str(row["form"]), str(row["id"]), bool(row["told"]))
    return found


def row_of(subject: str, method: str, way: str, old: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What came of one run: counts after, of what was told before."""
    folder = Run(OUT / subject / f"{method}-{way}")
    facts, others = sources.read_eval(FACTS / subject / "forget.jsonl", "forget"), unrelated(subject)
    file = folder / "asked.jsonl"
    if not file.is_file():
        write_rows(file, asked(LM.load(folder / "model"), facts, others))
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    before = told(read_records(folder / "eval/before/samples.jsonl", EvalSample), old)
    after = told(read_records(folder / "eval/after/samples.jsonl", EvalSample), rows)
    counts = {
        form: f"{sum(after[form].get(i, False) for i, claim in claims.items() if claim)}/{sum(claims.values())}"
        for form, claims in before.items()
    }
    entry = folder.stages["forget"]
    cost = {"seconds": round(entry["seconds"]), "peak_mb": entry["peak_memory_mb"]}
    return {"subject": subject, "method": method, "way": way, "lr": entry.get("lr")} | counts | cost


def original(subject: str) -> list[dict[str, Any]]:
    """What the original says where an evaluation does not ask."""
    file = OUT / subject / "before.jsonl"
    if not file.is_file():
        facts = sources.read_eval(FACTS / subject / "forget.jsonl", "forget")
        file.parent.mkdir(parents=True, exist_ok=True)
        write_rows(file, asked(LM.load(MODEL), facts, unrelated(subject)))
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def everything(minutes: float, only: str) -> Iterator[dict[str, Any]]:
    """Every run that the minutes suffice for: a row each, all weights first, subject by subject.

    Args:
        minutes: after which no run is begun.
        only: stands in the subject, method and way of every run, as in `france`.
    """
    until = time.monotonic() + 60 * minutes
    with ThreadPoolExecutor(2) as pool:
        jobs = [(s, m, w) for w in WAYS for s in SUBJECTS for m in METHODS if only in f"{s} {m} {w}"]
        list(pool.map(lambda subject: run("invert", subject, METHODS[0], "full"), dict.fromkeys(s for s, _, _ in jobs)))

        def work(job: tuple[str, str, str]) -> bool:
            return time.monotonic() < until and run("run", *job)

        for job, done in zip(jobs, pool.map(work, jobs), strict=True):
            if done:
                yield row_of(*job, original(job[0]))
            else:
                yield dict(zip(("subject", "method", "way"), job, strict=True)) | {"state": "not run"}


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    if not MODEL.is_dir():
        sys.exit(f"{MODEL}: not there; make real-model")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    for row in everything(given.minutes, given.only):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
