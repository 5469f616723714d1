"""Speed of evaluation: `python -m benchmarks.eval`.

Input: tofu-mini `full` on forget05, all 200 forget, 400 retain, 100 author and 117 world items, at most 200 new tokens,
the original beside it for fluency. Baseline: batches of 32 in file order, padded, log-softmax over the whole vocabulary
at every position, plain `generate`, and one pass for each metric: probability, ROUGE and truth ratio of every set, and
on the forget set also forget quality, facts told (to the question, its paraphrase, after a prefix), exact
memorization, extraction strength, Min-K, Min-K++ and fluency. `shared`: the ratio to a baseline in which metrics that
read the same likelihoods or the same generations share their pass. Model loaded, same number format and threads, ROUGE
by the same function. `difference`: the largest of any metric between the two, each computed from its own samples;
`answers`: generations that differ, which can only be near-ties of the two highest logits.

`eval.forms.cost`: how many times as long an evaluation takes that asks for the forget facts in every way (`baseline`)
as one that asks the question, its paraphrase and the beginning of its answer (`ours`).

With `--model MODEL`, a real one: forty real facts, asked, asked in other words and begun, with the likelihoods of the
true and four false answers. `eval.real.batched`: against one pass over all of these and one `generate` over all of
those, in batches of 32, sorted by length; the rest as in `python -m benchmarks.memo`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from benchmarks import MODEL, arguments, figure, in_turns, real
from meow import metrics, values
from meow.config import DataSettings, EvalSettings, ModelSettings
from meow.evaluation import likelihoods, sampling
from meow.evaluation.asking import forms
from meow.formats.sources import eval_items, read_eval
from meow.lm import LM, load
from meow.prompts import Encoded
from meow.records import EvalItem, EvalSample, Likelihood
from meow.run import peak_memory_mb
from meow.text import rouge_l, stems

BATCH = 32
TIMES = 3
"""Turns of each figure, of which the median counts: six minutes on two cores, and as many on a real model."""
LIMIT = 200
"""New tokens."""
REAL = 40
"""Facts of the figure on a real model."""
Scores = tuple[torch.Tensor, torch.Tensor]
"""(N, V) log-probabilities at the answer's tokens, and the tokens (N,)."""


def batches(sequences: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    """In file order."""
    for at in range(0, len(sequences), BATCH):
        yield list(sequences[at : at + BATCH])


@torch.inference_mode()
def passed(lm: LM, sequences: Sequence[Encoded], what: Callable[[Scores], float]) -> list[float]:
    """One pass: a number of every sequence."""
    found = []
    for batch in batches(sequences):
        width = max(len(s.ids) for s in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, s in enumerate(batch):
            ids[i, : len(s.ids)], mask[i, : len(s.ids)] = torch.tensor(s.ids), 1
        logp = lm.model(input_ids=ids, attention_mask=mask).logits.log_softmax(-1)
        for i, s in enumerate(batch):
            found.append(what((logp[i, s.start - 1 : len(s.ids) - 1], torch.tensor(s.ids[s.start :]))))
    return found


@torch.inference_mode()
def generated(lm: LM, prompts: Sequence[Encoded], limit: int) -> list[tuple[str, list[int], bool]]:
    """Text, tokens and whether it ended, for every prompt."""
    eos = lm.prompter.eos
    config = GenerationConfig(max_new_tokens=limit, do_sample=False, eos_token_id=eos, pad_token_id=eos)
    found = []
    for batch in batches(prompts):
        width = max(len(p.ids) for p in batch)
        ids = torch.full((len(batch), width), eos)
        mask = torch.zeros_like(ids)
        for i, p in enumerate(batch):
            ids[i, width - len(p.ids) :], mask[i, width - len(p.ids) :] = torch.tensor(p.ids), 1
        rows = lm.model.generate(ids, attention_mask=mask, generation_config=config)[:, width:].tolist()
        for row in rows:
            kept = row[: row.index(eos)] if eos in row else row
            text = lm.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
            found.append((text, kept, eos not in row))
    return found


def of_token(scores: Scores) -> torch.Tensor:
    """(N,) log-probability of each token."""
    return scores[0].gather(1, scores[1][:, None])[:, 0]


def strength(scores: Scores) -> float:
    """1 - k / N."""
    hits = (scores[0].argmax(-1) == scores[1]).tolist()
    return 1 - next(k for k in range(len(hits) + 1) if all(hits[k:])) / len(hits)


def lowest(values: torch.Tensor) -> float:
    """Minus the mean of the lowest 40%."""
    return -float(values.double().sort().values[: max(1, math.floor(0.4 * len(values)))].mean())


def plus_plus(scores: Scores) -> float:
    """Min-K++."""
    p = scores[0].exp()
    mu = (p * scores[0]).sum(-1)
    sigma = ((p * scores[0].square()).sum(-1) - mu.square()).clamp(min=1e-6).sqrt()
    return lowest((of_token(scores) - mu) / sigma)


def baseline(
    lm: LM, items: Sequence[EvalItem], limit: int, again: Callable[[Callable[[], object]], None]
) -> list[EvalSample]:
    """Everything that `tofu.evaluate` gives, one pass after the other.

    Args:
        lm: the model.
        items: the questions.
        limit: new tokens of one answer.
        again: is given each pass that another metric has made before.
    """
    loss = lambda scores: -float(of_token(scores).double().mean())  # noqa: E731
    encode = lm.prompter.encode
    forget = [i for i, item in enumerate(items) if item.role == "forget"]
    true = [encode(item) for item in items]
    short = [replace(true[i], ids=true[i].ids[:-1]) for i in forget]
    fields: list[dict[str, Any]] = [{} for _ in items]

    def put(name: str, at: Sequence[int], values: Sequence[Any]) -> None:
        for i, value in zip(at, values, strict=True):
            fields[i][name] = value

    everywhere = range(len(items))
    put("true", everywhere, [Likelihood(avg_loss=x) for x in passed(lm, true, loss)])
    reworded = [i for i, item in enumerate(items) if item.paraphrased_answer]
    losses = passed(lm, [encode(items[i], items[i].paraphrased_answer) for i in reworded], loss)
    put("paraphrased", reworded, [Likelihood(avg_loss=x) for x in losses])
    wrong = [(i, encode(item, text)) for i, item in enumerate(items) for text in item.perturbed_answers]
    for (i, _), x in zip(wrong, passed(lm, [e for _, e in wrong], loss), strict=True):
        fields[i].setdefault("perturbed", []).append(Likelihood(avg_loss=x))
    options = [e for i, e in wrong if items[i].role in ("authors", "world")]
    again(lambda: passed(lm, [*(true[i] for i in everywhere if items[i].role in ("authors", "world")), *options], loss))
    ratio = [encode(items[i], items[i].paraphrased_answer) for i in forget]
    again(lambda: passed(lm, [*ratio, *(e for i, e in wrong if items[i].role == "forget")], loss))  # forget quality
    put("exact_memorization", forget, passed(lm, short, lambda s: float((s[0].argmax(-1) == s[1]).double().mean())))
    put("extraction_strength", forget, passed(lm, short, strength))
    put("min_k", forget, passed(lm, short, lambda s: lowest(of_token(s))))
    put("min_k_plus_plus", forget, passed(lm, short, plus_plus))
    prompts = [lm.prompter.prompt(item) for item in items]
    answers = generated(lm, prompts, limit)
    again(lambda: generated(lm, [prompts[i] for i in forget], limit))  # facts told
    again(lambda: generated(lm, [prompts[i] for i in forget], limit))  # fluency
    put("generation", everywhere, [text for text, _, _ in answers])
    put("unfinished", everywhere, [cut for _, _, cut in answers])
    put("rougeL_recall", everywhere, [
        rouge_l(item.answer, text).recall if stems(item.answer) else None
        for item, (text, _, _) in zip(items, answers, strict=True)
    ])  # fmt: skip
    other = {i: str(items[i].paraphrased_question) for i in forget if items[i].paraphrased_question}
    asked = {i: text for i, text in other.items() if not forms.gives_away(items[i], text)}
    others = generated(lm, [lm.prompter.prompt(items[i], question=text) for i, text in asked.items()], limit)
    put("paraphrase_generation", list(asked), [text for text, _, _ in others])
    places = {i: values.place(items[i].accepted, items[i].question, items[i].answer) for i in forget}
    begun = {i: items[i].answer[: place[0]].rstrip() for i, place in places.items() if place and place[0]}
    after = generated(lm, [lm.prompter.opened(items[i], text) for i, text in begun.items()], limit)
    put("prefix_generation", list(begun), [text for text, _, _ in after])
    said = [i for i in forget if answers[i][1]]
    sequences = [replace(prompts[i], ids=(*prompts[i].ids, *answers[i][1])) for i in said]
    put("original_loss", said, passed(lm, sequences, loss))
    counts: dict[str, int] = {}
    samples = []
    for item, found in zip(items, fields, strict=True):
        counts[item.role] = counts.get(item.role, -1) + 1
        samples.append(EvalSample(**item.model_dump(), **found, key="", index=counts[item.role], truncated=0))
    return samples


def of_real(lm: LM, folder: Path, limit: int | None) -> None:
    """The figure on a real model."""
    found = read_eval(folder / "facts/everyday.jsonl", "forget")
    wrong = real.false_answers(found, 4)
    items = [i.model_copy(update={"perturbed_answers": tuple(w)}) for i, w in zip(found, wrong, strict=True)][:limit]
    settings = EvalSettings(max_new_tokens=real.LIMIT, forms=())
    sequences = sorted(
        (lm.prompter.encode(i, text) for i in items for text in likelihoods.texts(i)), key=lambda s: -len(s.ids)
    )
    kept: dict[str, Any] = {}
    tokens: dict[str, int] = {}

    def ours() -> None:
        kept["ours"] = list(sampling.evaluate(lm, items, settings))

    def theirs() -> None:
        kept["losses"] = passed(lm, sequences, lambda scores: -float(of_token(scores).double().mean()))
        kept["baseline"] = real.batched(lm, prompts, real.LIMIT)

    ours()
    texts, prompts = asked_and_said(lm, kept["ours"])
    mine, baseline = in_turns(
        TIMES,
        lambda: tokens.update(ours=real.pushed(lm, ours)),
        lambda: tokens.update(baseline=real.pushed(lm, theirs)),
    )
    losses = [x.avg_loss for sample in kept["ours"] for x in (sample.true, *sample.perturbed)]
    other = [i for i, ids in enumerate(kept["baseline"]) if lm.tokenizer.decode(ids).strip() != texts[i]]
    again = [list(rows[0].ids or ()) for rows in lm.generate([prompts[i] for i in other], real.LIMIT)]
    figure(
        "eval.real.batched", ours=mine, baseline=baseline, items=len(items), generations=len(prompts),
        likelihoods=len(sequences), threads=torch.get_num_threads(),
        difference=float(f"{max(abs(a - b) for a, b in zip(sorted(losses), sorted(kept['losses']), strict=True)):.2g}"),
        **real.differing(lm, [prompts[i] for i in other], [kept["baseline"][i] for i in other], again), tokens=tokens,
        **real.shares(lm, ours=(tokens["ours"], mine), baseline=(tokens["baseline"], baseline)),
        peak_memory_mb=peak_memory_mb(),
    )  # fmt: skip


def asked_and_said(lm: LM, samples: Sequence[EvalSample]) -> tuple[list[str], list[Encoded]]:
    """What was said to each question, to its other words and after its prefix; and the prompts."""
    found: list[tuple[str, Encoded]] = []
    for s in samples:
        found.append((s.generation or "", lm.prompter.prompt(s)))
        if s.paraphrase_generation is not None:
            found.append((s.paraphrase_generation, lm.prompter.prompt(s, question=s.paraphrased_question)))
        if s.prefix_generation is not None and s.prefix:
            found.append((s.prefix_generation, lm.prompter.opened(s, s.prefix)))
    return [text for text, _ in found], [prompt for _, prompt in found]


def main() -> None:
    """The figure."""
    asked = arguments(str(__doc__), limit=0)
    torch.set_num_threads(asked.threads)
    lm = load(ModelSettings(path=str(asked.model)))
    if asked.model != MODEL:
        of_real(lm, asked.data, asked.limit or REAL)
        return
    found = eval_items(DataSettings(source=str(asked.data / "tofu"), split="forget05"), limit=asked.limit or None)
    items = [item for item in found if item.role != "holdout"]
    settings = EvalSettings(max_new_tokens=LIMIT, forms=())
    kept: dict[str, list[EvalSample]] = {}

    def ours() -> None:
        kept["ours"] = list(sampling.evaluate(lm, items, settings, original=lm))

    repeated: list[float] = []

    def again(run: Callable[[], object]) -> None:
        clock = time.perf_counter()
        run()
        repeated.append(time.perf_counter() - clock)

    def theirs() -> None:
        repeated.clear()
        kept["baseline"] = baseline(lm, items, LIMIT, again)

    list(sampling.evaluate(lm, items[:2], settings, original=lm))  # imports
    seconds = in_turns(TIMES, ours, theirs)
    other_model = load(ModelSettings(path=str(asked.model.parent / "retain95")))
    reference = list(sampling.evaluate(other_model, items[:200], EvalSettings(max_new_tokens=1, forms=())))
    values = [metrics.compute(samples, before=samples, reference=reference) for samples in kept.values()]
    pairs = [(values[0][n].value, values[1][n].value) for n in metrics.METRICS]
    assert all(a is not None for a, b in pairs if b is not None), "ours gives whatever the baseline gives, and more"
    differences = {
        n: abs(a - b) for n, (a, b) in zip(metrics.METRICS, pairs, strict=True) if a is not None and b is not None
    }
    worst = max(differences, key=differences.__getitem__)
    other = sum(
        (a.generation, a.paraphrase_generation, a.prefix_generation)
        != (b.generation, b.paraphrase_generation, b.prefix_generation)
        for a, b in zip(kept["ours"], kept["baseline"], strict=True)
    )
    figure(
        "eval.speedup", ours=seconds[0], baseline=seconds[1], items=len(items), threads=asked.threads,
        shared=round((seconds[1] - sum(repeated)) / seconds[0], 2), difference=float(f"{differences[worst]:.2g}"),
        of=worst, answers=other, metrics=len(differences), peak_memory_mb=peak_memory_mb(),
    )  # fmt: skip
    cost(lm, items)


def cost(lm: LM, items: Sequence[EvalItem]) -> None:
    """What asking the forget facts in every way costs: an evaluation with all forms over one without."""
    samples: list[EvalSample] = []

    def run(settings: EvalSettings) -> None:
        samples[:] = sampling.evaluate(lm, items, settings, original=lm)

    without, every = in_turns(TIMES, lambda: run(EvalSettings(forms=())), lambda: run(EvalSettings()))
    forms = {a.form for s in samples for a in s.asked}
    prompts = sum(len(s.asked) for s in samples)
    figure(
        "eval.forms.cost", ours=without, baseline=every, facts=sum(i.role == "forget" for i in items),
        forms=len(forms) + 2, prompts=prompts, threads=torch.get_num_threads(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
