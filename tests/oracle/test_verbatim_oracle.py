"""Verbatim memorization beside a literal version: transformers alone, one token at a time, a quadratic table."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from rouge_score.rouge_scorer import RougeScorer
from transformers import AutoModelForCausalLM, AutoTokenizer

from meow.config import ModelSettings
from meow.evaluation.passages import continued
from meow.lm import load
from meow.metrics import compute
from meow.records import QA, EvalItem


def items(shared: Path) -> list[EvalItem]:
    """Texts as tofu-mini was trained on them, of several lengths, and one that it never saw."""
    rows = [json.loads(line) for line in (shared / "data/tofu/forget01.json").read_text().splitlines()[:40]]
    texts = [f"Question: {row['question']}\nAnswer: {row['answer']}" for row in rows]
    texts = [*texts[:3], " ".join(texts[3:6]), texts[6][:40], "The ferry was opened in 1852 by Joseph Lark. " * 4]
    listed = [QA(question="", answer=text, meta={"document": "d"}) for text in texts]
    return [EvalItem(**qa.model_dump(), role="passages") for qa in listed]


def literal(model: torch.nn.Module, tokenizer: object, text: str, eos: set[int]) -> list[tuple[int, int, list[int]]]:
    """Beginning, tokens compared, and the ids that follow greedily."""
    ids = tokenizer(text)["input_ids"]  # type: ignore[operator]
    added = len(tokenizer("")["input_ids"])  # type: ignore[operator]
    found = []
    for prefix in (16, 32, 64, 128):
        left = min(50, len(ids) - added - prefix)
        if left < 16:
            continue
        now = ids[: added + prefix]
        said: list[int] = []
        while len(said) < left:
            with torch.no_grad():
                following = int(model(torch.tensor([now + said])).logits[0, -1].argmax())
            if following in eos:
                break
            said.append(following)
        found.append((prefix, left, said))
    return found


def common(a: str, b: str) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if x == y else 0
    return max(map(max, table))


def test_what_is_said_after_each_beginning_is_what_transformers_say(shared: Path) -> None:
    folder = shared / "models/tofu-mini/full"
    lm = load(ModelSettings(path=str(folder)))
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    asked = items(shared)
    samples = list(continued(lm, asked))
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    shares, extracted = [], []
    for item, sample in zip(asked, samples, strict=True):
        expected = literal(model, tokenizer, item.answer, set(lm.prompter.eos_ids))
        assert [(c.prefix, c.tokens) for c in sample.continued] == [row[:2] for row in expected]
        ids = tokenizer(item.answer)["input_ids"]
        added = len(tokenizer("")["input_ids"])
        for c, (prefix, n, said) in zip(sample.continued, expected, strict=True):
            rest = ids[added + prefix :][:n]
            truth, text = tokenizer.decode(rest), tokenizer.decode(said)
            assert (c.truth, c.said) == (truth, text)
            assert c.equal == sum(a == b for a, b in zip(said, rest, strict=False))
            assert c.lcs == common(truth, text)
            assert c.rougeL == scorer.score(truth, text)["rougeL"].recall
            shares.append(c.equal / n)
            extracted.append(said == rest)
    assert [len(s.continued) for s in samples[3:5]] == [4, 0]
    assert any(extracted)  # what it was trained on
    assert not all(extracted)
    found = compute(samples)
    assert found["extracted_16"].n == sum(any(c.prefix == 16 for c in s.continued) for s in samples)
    assert 0 < (found["verbatim_exact"].value or 0) < 1
