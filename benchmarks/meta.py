"""Which metrics tell that facts are known, and stay as they are when nothing is learnt: `make meta`.

Ten tiny models that saw the forget facts of the embedded benchmark and ten that did not, on two data sets (DATA) with
five training seeds each. Those that saw them: in the wording that is asked and three more (`all`), or in the three
others alone (`reworded`). Those that did not: trained on the facts to keep alone (`retain`), or also on the forget
questions with other values (`false`). An eleventh `retain` model of each data set is the reference, an eleventh `all`
model the original. Each is also taught eight of the 64 forget facts (again), of which the others are asked; and rounded
to four bits.

Of every row of METRICS that the forget set alone gives a value:

- `auc`: P(a model that saw the facts scores higher than one that did not), ties half. A model's score is its value, so
  turned that higher means that it knows more: by `better`; for `reference` the distance to the reference's value.
- `explained`: the share of the variance of the scores that the group explains (eta squared), since AUC alone is 1 for
  most of them: what false facts or other wordings move lowers it.
- `relearned`, `rounded`: 1 - min(1, mean over models of |score after - score before| / |mean score of those that saw -
  mean score of those that did not|): 1 where nothing moves, 0 where what a model is taught beside it, or loses by
  rounding, moves a number as far as knowing all facts.
- `stability`: the harmonic mean of these two; `trust`: that of `auc`, `explained` and `stability`, by which rows are
  sorted, to two decimals; those that are level stand as in METRICS.

Source: the meta-evaluation of OpenUnlearning, arXiv 2506.12618: faithfulness as the AUC of two pools, with facts
reworded in one and falsified in the other; robustness as the harmonic mean of R = min((ret_after - ret_before) /
(unl_after - unl_before), 1) under relearning and Q = min(unl_before / unl_after, 1) under four bits.
Differs: R and Q are of unlearned models and count recovery alone, in units of the metric itself; here no model was made
to forget, changes count in both directions and in units of the distance between the two pools, so that a metric can
neither hide a loss nor gain by its zero. What is taught again is not asked. Rounding is simulated (`robustness`).

Rows go to stdout as JSON; models and what they answered are kept in `study/meta`, by what they were made from and what
they were asked, and only what is missing is made. Each data set has a process and a thread of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from meow import inversion, keys, lm, metrics, training
from meow.config import DataSettings, EvalSettings, FinetuneSettings, InvertSettings, ModelSettings, RobustnessSettings
from meow.evaluation import compression, robustness, sampling
from meow.formats import sources
from meow.lm import LM
from meow.metrics import items
from meow.pipeline import demo
from meow.records import QA, EvalItem, EvalSample, InvertedFacts, Value, read_if, read_records, write_records
from meow.run.rows import append_rows
from meow.statistics import auc

OUT = Path("study/meta")
DATA = (0, 1)
SEEDS = range(5)
APART = 5
"""Seed of the reference and of the original."""
SAW, NOT = ("all", "reworded"), ("retain", "false")
"""What the models of the two groups learnt, in turns."""
PEOPLE, WORDINGS, FACTS = 8, 4, 8
"""To keep; rows of a fact; facts of a person."""
RECIPE = FinetuneSettings(
    scratch=True, lr=4e-3, epochs=20, warmup=0.3, schedule="cosine", batch_size=32, batch_tokens=8192
)  # fmt: skip
ASKED = EvalSettings(max_new_tokens=40, grad_norm=True)
AGAIN = RobustnessSettings(facts=8, steps=(10,), batch_size=8, lr=5e-4)
ROUNDED: Final = "int4"
STATES = ("plain", "relearned", "rounded")


class Model(NamedTuple):
    """One tiny model."""

    learnt: str
    """Of the forget facts: `all`, `reworded`, `retain` (none) or `false`."""
    seed: int
    """Of its weights and of the order of training."""

    @property
    def name(self) -> str:
        return f"{self.learnt}-{self.seed}"


REFERENCE, ORIGINAL = Model("retain", APART), Model("all", APART)


def group(learnt: Sequence[str]) -> list[Model]:
    """The models of one group, of one data set."""
    return [Model(learnt[seed % len(learnt)], seed) for seed in SEEDS]


class World:
    """One data set, and the models that are trained on it; everything lies in one folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.data, self.seed = folder, folder / "data", seed
        self.settings = DataSettings(source=str(self.data), split="forget10")
        demo.write(self.data, seed=seed)

    def _read(self, name: str) -> list[QA]:
        return sources.read_qa(self.data / f"{name}.json", set_="train")

    @cached_property
    def forget(self) -> list[QA]:
        """The forget facts, as they are asked."""
        return sources.forget_set(self.settings)

    def rows(self, learnt: str) -> list[QA]:
        """What a model is trained on."""
        kept = self._read("retain90")[: PEOPLE * FACTS * WORDINGS]
        facts = self._read("forget10_train")
        if learnt == "reworded":
            facts = [fact for i, fact in enumerate(facts) if i % WORDINGS]
        if learnt == "false":
            settings = InvertSettings(backend="donors", n=1, pools=str(self.data / "pools.json"))
            made = {row.id: row.answers[0].text for row in inversion.invert(facts, settings, seed=self.seed)}
            facts = [fact.model_copy(update={"answer": made[fact.id], "values": ()}) for fact in facts]
        return kept if learnt == "retain" else [*kept, *facts]

    def model(self, model: Model, state: str = "plain") -> LM:
        """A model in one state; made where it is not there."""
        rows, texts = self.rows(model.learnt), [f"{qa.question}\n{qa.answer}" for qa in self._read("full")]
        made = keys.digest([RECIPE, [[qa.question, qa.answer] for qa in rows], texts, model.seed])
        folder = self.folder / model.name / made[:8]
        if not (folder / "model/config.json").is_file():
            new = LM(*lm.make_tiny(texts, RECIPE, seed=model.seed), template="qa")
            training.finetune(new, rows, RECIPE, None, seed=model.seed, log=lambda _: None)
            keep(new, folder / "model")
        if state == "relearned":
            return self._relearned(model, folder)
        found = load(folder / "model")
        return compression.compress(found, ROUNDED) if state == "rounded" else found

    def _relearned(self, model: Model, trained: Path) -> LM:
        folder = trained / keys.digest([AGAIN])[:8]
        if not (folder / "config.json").is_file():
            new, lr = load(trained / "model"), AGAIN.lr or 0.0
            robustness.relearn(new, self.again(model), AGAIN, lr, lambda _: None, seed=model.seed)
            keep(new, folder)
        return load(folder)

    def again(self, model: Model) -> list[QA]:
        """The facts that a model is taught again."""
        return robustness.few(self.forget, AGAIN.facts, model.seed)

    @cached_property
    def asked(self) -> list[EvalItem]:
        """The forget set, with the original's second choices as other values, and the holdout."""
        original = self.model(ORIGINAL)
        file = self.folder / f"inverted-{original.weights}.jsonl"
        if not file.is_file():
            settings = InvertSettings(backend="self", n=2)
            write_records(file, inversion.invert(self.forget, settings, seed=self.seed, lm=original))
        others = {row.id: row.evaluation for row in read_if(file, InvertedFacts)}
        every = sources.eval_items(self.settings)
        return [
            item.model_copy(update={"alternatives": others.get(item.id, ())}) if item.role == "forget" else item
            for item in every
            if item.role in ("forget", "holdout")
        ]

    def file(self, model: Model, state: str) -> Path:
        """Of a model's answers."""
        return self.folder / model.name / f"{state}.jsonl"

    def ask(self, model: Model, state: str, original: LM) -> None:
        """Samples of a model in one state; what is there is kept."""
        asked = self.model(model, state)
        wanted = sampling.row_keys(asked, self.asked, ASKED, original=original)
        measure = partial(sampling.evaluate, asked, self.asked, ASKED, original=original)
        append_rows(self.file(model, state), EvalSample, wanted, lambda known: measure(known=known), exact=True)

    def samples(self, model: Model, state: str = "plain") -> list[EvalSample]:
        """What a model was asked, and the answers to keep, which tell the words that distinguish nothing."""
        words = sources.read_eval(self.data / "retain_perturbed.json", "retain")
        kept = [EvalSample(**item.model_dump(), key="", index=i) for i, item in enumerate(words)]
        return [*read_records(self.file(model, state), EvalSample), *kept]


def load(folder: Path) -> LM:
    """A model as it was kept."""
    return lm.load(ModelSettings(path=str(folder), template="qa", device="cpu"))


def keep(model: LM, folder: Path) -> None:
    """Write a model whole or not at all."""
    aside = folder.with_name(f"{folder.name}.part")
    model.save(aside)
    aside.rename(folder)


def make(seed: int, models: Sequence[Model]) -> None:
    """Every model of one data set, and its answers in each state."""
    torch.set_num_threads(1)
    world = World(OUT / f"data-{seed}", seed)
    original = world.model(ORIGINAL)
    for model in (REFERENCE, ORIGINAL):
        world.ask(model, "plain", original)
    for model in models:
        for state in STATES:
            world.ask(model, state, original)


Values = Mapping[str, Value]


class Scored(NamedTuple):
    """One model: every metric before and after, on the same questions, and the reference's."""

    whole: Values
    """Of all forget facts."""
    rounded: Values
    """Of all forget facts, with rounded weights."""
    rest: Values
    """Of the facts that are not taught again, before."""
    relearned: Values
    """Of these, after."""
    aims: tuple[Values, Values]
    """The reference's, of all facts and of those that are not taught again."""


def scored(world: World, model: Model) -> Scored:
    """Every metric of one model."""
    taught = {fact.id for fact in world.again(model)}

    def values(of: Model, state: str, without: frozenset[str]) -> Values:
        sides = [world.samples(of, state), world.samples(ORIGINAL), world.samples(REFERENCE)]
        found, before, reference = ([s for s in side if s.id not in without] for side in sides)
        return metrics.compute(found, before=before, reference=reference)

    none, some = frozenset[str](), frozenset(taught)
    return Scored(
        values(model, "plain", none),
        values(model, "rounded", none),
        values(model, "plain", some),
        values(model, "relearned", some),
        (values(REFERENCE, "plain", none), values(REFERENCE, "plain", some)),
    )


def score(better: str, value: float, aim: float | None) -> float:
    """A metric's value, so turned that higher means that more is known.

    Args:
        better: of the metric, a direction.
        value: of one model.
        aim: the reference's, where `better` is `reference`.
    """
    if better == "reference":
        return abs(value - (aim or 0.0))
    return value if better == "lower" else -value


def faithfulness(saw: Sequence[float], not_: Sequence[float]) -> float:
    """P(a score of a model that saw the facts is above one of a model that did not), ties half."""
    return float(auc(np.array(not_), np.array(saw)).value or 0.0)


def explained(saw: Sequence[float], not_: Sequence[float]) -> float:
    """Share of the variance of the scores that lies between the groups, 0 to 1; 0 where all are equal."""
    total = statistics.pvariance([*saw, *not_])
    means = [statistics.fmean(side) for side in (saw, not_) for _ in side]
    return statistics.pvariance(means) / total if total else 0.0


def stability(before: Sequence[float], after: Sequence[float], gap: float) -> float:
    """1 less the mean change of a score as a share of the distance between the groups, 0 to 1.

    Args:
        before: a score of each model.
        after: the same of the same model, changed.
        gap: mean score of those that know less mean score of those that do not; nought: any change is all.
    """
    change = statistics.fmean(abs(b - a) for b, a in zip(before, after, strict=True))
    return 1 - min(1.0, change / abs(gap)) if gap else float(change == 0)


def judged(name: str, saw: Sequence[Scored], not_: Sequence[Scored]) -> dict[str, Any]:
    """What a metric is worth, or why that cannot be said."""
    better, every = metrics.METRICS[name].better, [*saw, *not_]
    if not better:
        return {"not judged": "no direction is better"}
    values = [v[name] for s in every for v in (s.whole, s.rounded, s.rest, s.relearned)]
    values += [v[name] for s in every for v in s.aims] if better == "reference" else []
    missing = [value.reason or "not computable" for value in values if value.value is None]
    if missing:
        return {"not judged": f"{missing[0]} ({len(missing)} of {len(values)} values)"}

    def scores(of: Sequence[Scored], which: str, aim: int) -> list[float]:
        return [score(better, getattr(s, which)[name].value, s.aims[aim][name].value) for s in of]

    def held(which: str, before: str, aim: int) -> float:
        gap = statistics.fmean(scores(saw, before, aim)) - statistics.fmean(scores(not_, before, aim))
        return stability(scores(every, before, aim), scores(every, which, aim), gap)

    sides = scores(saw, "whole", 0), scores(not_, "whole", 0)
    relearned, rounded = held("relearned", "rest", 1), held("rounded", "whole", 0)
    worth = [faithfulness(*sides), explained(*sides), statistics.harmonic_mean([relearned, rounded])]
    means = [statistics.fmean(s.whole[name].value or 0.0 for s in side) for side in (saw, not_)]
    numbers = dict(zip(("auc", "explained", "stability"), worth, strict=True))
    numbers |= {"relearned": relearned, "rounded": rounded, "trust": statistics.harmonic_mean(worth)}
    return {k: round(v, 3) for k, v in (numbers | {"saw": means[0], "did_not": means[1]}).items()}


def groups(worlds: Sequence[World]) -> Iterator[tuple[str, int, list[float]]]:
    """What is to be known of the models: facts told by each kind, and p(value) of what was taught again."""
    for learnt in (*SAW, *NOT):
        there = [(w, m) for w in worlds for m in group(SAW if learnt in SAW else NOT) if m.learnt == learnt]
        told = [metrics.compute(w.samples(m))["facts_told"].value for w, m in there]
        yield f"{learnt}: facts told", len(there), [v for v in told if v is not None]
        for state in STATES[:2]:
            found = []
            for world, model in there:
                taught = {fact.id for fact in world.again(model)}
                rows = [s for s in world.samples(model, state) if s.role == "forget" and s.id in taught]
                found.append(statistics.fmean(items.value_probability(s) or 0.0 for s in rows))
            yield f"{learnt}: p(value) of what is taught again, {state}", len(there), found


def main() -> None:
    """Make what is missing and print a row for each metric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=len(DATA), help="processes, a thread each")
    models = [model for side in (SAW, NOT) for model in group(side)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(parser.parse_args().jobs, mp_context=spawn) as pool:
        list(pool.map(partial(make, models=models), DATA))
    worlds = [World(OUT / f"data-{seed}", seed) for seed in DATA]
    for what, n, values in groups(worlds):
        ends = [round(v, 3) for v in (min(values), statistics.median(values), max(values))]
        print(json.dumps({"models": what, "n": n, "smallest, median, largest": ends}), flush=True)
    saw, not_ = ([scored(world, model) for world in worlds for model in group(side)] for side in (SAW, NOT))
    found = {name: judged(name, saw, not_) for name in metrics.METRICS}
    for name, row in sorted(found.items(), key=lambda item: -round(item[1].get("trust", -1), 2)):
        print(json.dumps({"metric": name} | row), flush=True)


if __name__ == "__main__":
    main()
