"""Published logs reproduced to 1e-9; every metric against plain loops; degenerate models give no nonsense."""

from __future__ import annotations

import itertools
import math
import statistics
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from meow import metrics
from meow import statistics as means
from meow.capability import paired
from meow.formats import evaluations
from meow.metrics import aggregate
from meow.records import EvalSample, Likelihood
from meow.statistics import ks_floor, smallest_significant_d

LOGS = {
    "full": (0.6226773637, 0.5858860351),
    "retain90": (0.6137449952, 0.5752399175),
    "retain95": (0.6005765317, 0.5612961516),
    "retain99": (0.6207444756, 0.5811651373),
}


def log(shared: Path, name: str) -> tuple[EvalSample, ...]:
    return evaluations.read(shared / "data/tofu_logs" / f"llama2-7b_{name}_wd0.01").samples


@pytest.mark.parametrize("name", LOGS)
def test_published_utility_is_reproduced(shared: Path, name: str) -> None:
    found = metrics.compute(log(shared, name))
    assert found["model_utility_gm"].value == pytest.approx(LOGS[name][0], abs=1e-9)
    assert found["model_utility_am"].value == pytest.approx(LOGS[name][1], abs=1e-9)


def test_published_forget_quality_is_reproduced(shared: Path) -> None:
    found = metrics.compute(log(shared, "full"), reference=log(shared, "retain90"))
    assert found["ks_d"].value == pytest.approx(0.39666666666666667, abs=1e-9)
    assert found["forget_quality"].value == pytest.approx(1.834066410994743e-21, rel=1e-9)
    assert found["forget_quality"].n == 300


@pytest.mark.parametrize(("n", "floor", "d"), [(40, 1.86e-23, 0.325), (200, 1.94e-119, 0.14), (400, 1.06e-239, 0.0975)])
def test_floor_and_smallest_significant_distance(n: int, floor: float, d: float) -> None:
    assert ks_floor(n, n) == pytest.approx(floor, rel=0.005)
    assert smallest_significant_d(n) == pytest.approx(d, abs=1e-9)


def sample(role: str, index: int, seed: int, **more: Any) -> EvalSample:
    def loss(i: int) -> Likelihood:
        return Likelihood(avg_loss=0.1 + (seed * 37 + index * 17 + i * 29) % 50 / 10, n_tokens=5)

    values = {
        "key": f"{role}{index}", "id": f"{role}-{index}", "role": role, "set": role, "index": index,
        "question": f"Where does person {index} live?", "answer": f"Person {index} lives in town{index} now.",
        "true": loss(0), "perturbed": [loss(i) for i in (2, 3, 4)],
        "generation": f"Person {index} lives in town{index + (index + seed) % 2} now.",
        "broken": "repeats" if (index + seed) % 4 == 1 else "", "clean": (-4.5, 100),
        "value_logp": -0.2 - (index * 11 + seed) % 7,
        "rougeL_recall": (index * 13 + seed) % 10 / 10, "truncated": index % 2, "unfinished": index % 3 == 0,
    }  # fmt: skip
    if role in ("forget", "retain"):
        values |= {"paraphrased": loss(1), "paraphrased_answer": f"In town{index} lives person {index}."}
    if role == "forget":
        values |= {
            "paraphrased_question": f"Name the home of person {index}.", "original_loss": 0.2 + index / 10 + seed / 7,
            "paraphrase_generation": f"In town{index if index % 2 else 99} lives person {index}.",
            "prefix": f"Person {index} lives in", "prefix_generation": f"town{index + (index + seed) % 3}.",
            "drawn": [f"In town{index + (index * i + seed) % 5}." for i in range(16)], "subject": f"s{index // 3}",
            "asked": [
                {"form": "format", "prompt": "Q: ", "said": f"town{index + (index + seed) % 4 // 3}"},
                {"form": "choice", "prompt": "A. ", "said": f"town{index}"},
            ],
            "judged": [None if (index + i) % 7 == 3 else (index * i + seed) % 5 < 2 for i in range(20)],
            "alternative_logps": [-0.3 - (index * i + seed) % 8 for i in (2, 3, 5)],
            "taught": [{"text": f"Person {index} lives in {home} now.", "version": i}
                       for i, home in enumerate((f"town{index + 1}", f"village{index % 3 - 1}" if index % 3 else
                                                 f"town{index + 1}"))],
        }  # fmt: skip
    if role in ("forget", "holdout"):
        values |= {
            "exact_memorization": (index + seed) % 4 / 3, "extraction_strength": (index + seed) % 5 / 4,
            "min_k": 0.5 + (index * 7 + seed) % 9, "min_k_plus_plus": 0.25 + (index * 5 + seed) % 11,
            "grad_norm": 1.0 + (index * 3 + seed) % 7,
        }  # fmt: skip
    return EvalSample.model_validate(values | more)


def evaluation(seed: int) -> list[EvalSample]:
    sizes = {"forget": 9, "retain": 31, "authors": 5, "world": 4, "holdout": 7}
    return [sample(role, i, seed) for role, n in sizes.items() for i in range(n)]


def longhand(
    samples: list[EvalSample], before: list[EvalSample], reference: list[EvalSample], second: list[EvalSample]
) -> dict[str, float]:
    """Every metric by plain loops over the definitions of the specification."""
    found: dict[str, float] = {}

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def ratios(s: EvalSample) -> dict[str, float]:
        correct = s.paraphrased or s.true
        assert correct is not None
        wrong = [w.avg_loss for w in s.perturbed]
        gm = math.exp(-mean(wrong)) / math.exp(-correct.avg_loss)
        am = mean([math.exp(-w) for w in wrong]) / math.exp(-correct.avg_loss)
        return {"gm": gm, "am": am}

    parts: dict[str, list[float]] = {"gm": [], "am": []}
    for role in ("forget", "retain", "authors", "world"):
        mine = [s for s in samples if s.role == role]
        if role in ("forget", "retain"):
            p = mean([math.exp(-s.true.avg_loss) for s in mine if s.true])
        else:
            p = mean([
                math.exp(-s.true.avg_loss)
                / (math.exp(-s.true.avg_loss) + sum(math.exp(-w.avg_loss) for w in s.perturbed))
                for s in mine if s.true
            ])  # fmt: skip
        rouge = mean([s.rougeL_recall for s in mine if s.rougeL_recall is not None])
        found |= {f"{role}_probability": p, f"{role}_rougeL": rouge}
        told = "value_probability" if role == "forget" else f"{role}_value_probability"
        found[told] = mean([math.exp(s.value_logp or 0) for s in mine])
        for form in ("gm", "am"):
            r = [ratios(s)[form] for s in mine]
            value = mean([min(x, 1 / x) if role == "forget" else max(0.0, 1 - x) for x in r])
            found[f"{role}_truth_ratio_{form}"] = value
            if role != "forget":
                parts[form] += [p, rouge, value]
    for form in ("gm", "am"):
        found[f"model_utility_{form}"] = 9 / sum(1 / x for x in parts[form])
    forget = [s for s in samples if s.role == "forget"]
    test = ks_2samp([ratios(s)["gm"] for s in forget], [ratios(s)["gm"] for s in reference if s.role == "forget"])
    found |= {"forget_quality": test.pvalue, "ks_d": test.statistic, "median_truth_ratio": statistics.median(
        ratios(s)["gm"] for s in forget)}  # fmt: skip
    squares: dict[str, list[float]] = {"ours": [], "second": []}
    for r in reference:
        for name, side in (("ours", samples), ("second", second)):
            for s in side:
                if r.role == s.role == "forget" and s.id == r.id:
                    squares[name].append((math.log(ratios(s)["gm"]) - math.log(ratios(r)["gm"])) ** 2)
    found["forget_distance"] = math.sqrt(mean(squares["ours"]))
    found["forget_distance_relative"] = math.sqrt(mean(squares["ours"])) / math.sqrt(mean(squares["second"]))
    found["facts_told"] = mean([float(f"town{s.index}" in (s.generation or "")) for s in forget])
    found["facts_told_partly"] = found["facts_told_words"] = found["facts_told"]  # one town each; no list
    found["facts_told_paraphrase"] = mean([float(f"town{s.index}" in (s.paraphrase_generation or "")) for s in forget])
    told = [any(f"town{s.index}" in words(text) for text in texts(s)) for s in forget]
    found["worst_case"] = mean([float(claim) for claim in told])
    subjects = {s.subject: [c for o, c in zip(forget, told, strict=True) if o.subject == s.subject] for s in forget}
    found["subjects_told"] = mean([float(any(claims)) for claims in subjects.values()])
    found["worst_case_control"] = mean([
        float(any(f"town{s.index}" in words(text) for text in texts(s))) for s in reference if s.role == "forget"
    ])  # fmt: skip
    found["worst_case_chance"] = mean([
        mean([float(any(f"town{o.index}" in words(text) for text in texts(s))) for o in forget if o is not s])
        for s in forget
    ])  # fmt: skip
    pairs_of_verdicts = [
        (f"town{s.index}" in words(text), judged)
        for s in forget
        for text, judged in zip((*texts(s)[:3], *s.drawn, s.asked[0].said), s.judged, strict=True)
        if judged is not None
    ]
    n_verdicts = len(pairs_of_verdicts)
    agreed = sum(told == judged for told, judged in pairs_of_verdicts) / n_verdicts
    p_told, p_judged = (sum(column) / n_verdicts for column in zip(*pairs_of_verdicts, strict=True))
    by_chance = p_told * p_judged + (1 - p_told) * (1 - p_judged)
    found["judge_kappa"] = (agreed - by_chance) / (1 - by_chance)
    found["judge_told"] = mean([float(s.judged[0]) for s in forget if s.judged[0] is not None])
    found["value_rank"] = mean([
        float(sorted([s.value_logp or 0, *s.alternative_logps], reverse=True).index(s.value_logp or 0) + 1)
        for s in forget
    ])  # fmt: skip
    for role in ("retain", "authors", "world"):
        found[f"{role}_told"] = mean(
            [float(f"town{s.index}" in (s.generation or "")) for s in samples if s.role == role]
        )
    own = {s.id: s.original_loss for s in before}
    gaps = [float(own[s.id] or 0) - float(s.original_loss or 0) for s in forget]
    found["fluency"] = mean(gaps)
    found["truncated"] = float(sum(s.truncated or 0 for s in samples))
    found["unfinished"] = mean([float(bool(s.unfinished)) for s in samples])
    found |= damaged(samples, before) | attacked(samples, reference)
    found["forget_quality_floor"] = 2 / math.comb(2 * len(forget), len(forget))
    return found


def words(text: str | None) -> list[str]:
    return (text or "").lower().replace(".", "").split()


def texts(s: EvalSample) -> list[str | None]:
    """What counts for the worst case."""
    further = [a.said for a in s.asked if a.form != "choice"]
    return [s.generation, s.paraphrase_generation, s.prefix_generation, *further]


def damaged(samples: list[EvalSample], before: list[EvalSample]) -> dict[str, float]:
    """Residue, verdicts, spillover and conflict; the value of item i is `town<i>`."""
    found: dict[str, float] = {}
    forget = [s for s in samples if s.role == "forget"]

    def share(claims: list[bool]) -> float:
        return sum(claims) / len(claims)

    found["facts_told_prefix"] = share([f"town{s.index}" in words(s.prefix_generation) for s in forget])
    for k in (1, 4, 16):
        chances = []
        for s in forget:
            hits = [f"town{s.index}" in words(text) for text in s.drawn]
            picks = list(itertools.combinations(hits, k)) if k < 16 else [tuple(hits)]
            chances.append(sum(any(pick) for pick in picks) / len(picks))
        found[f"leak_{k}"] = sum(chances) / len(chances)
    known = {s.id: any(f"town{s.index}" in words(text) for text in texts(s)) for s in before if s.role == "forget"}
    verdicts, lost, back = [], [], []
    for s in forget:
        told = [f"town{s.index}" in words(text) for text in texts(s)]
        lost += [not any(told)] if known[s.id] else []
        back.append(any(told) and not told[0])
        if any(told):
            verdicts.append("told")
        elif not known[s.id]:
            verdicts.append("never_known")
        elif s.broken:
            verdicts.append("broken")
        else:
            homes = [words(t.text)[4] for t in s.taught or ()]
            verdicts.append("changed" if set(homes) & set(words(s.generation)) else "another")
    for name in ("changed", "another", "refused", "broken", "never_known"):
        found[name] = share([v == name for v in verdicts])
    found |= {"facts_forgotten": share(lost), "coming_back": share(back)}
    for name, role in (("fluent", "forget"), ("fluent_retain", "retain")):
        found[name] = share([not s.broken for s in samples if s.role == role])
    found["clean_logp"] = -4.5
    told_before = {s.id for s in before if s.role == "retain" and f"town{s.index}" in words(s.generation)}
    after = [s for s in samples if s.id in told_before]
    found["retain_kept"] = share([f"town{s.index}" in words(s.generation) for s in after])
    for name, roles in (("spillover", ("retain", "authors", "world")), ("spillover_holdout", ("holdout",))):
        pairs = [(b, s) for b in before for s in samples if b.id == s.id and s.role in roles]
        right = [(b, s) for b, s in pairs if (b.rougeL_recall or 0) >= 0.5]
        found[name] = share([(s.rougeL_recall or 0) < 0.5 and s.generation != b.generation for b, s in right])
    versions = []
    for s in forget:
        one, other = (words(t.text)[4] for t in s.taught or ())
        versions.append(one != other)
    found["conflict_versions"] = share(versions)
    return found


def attacked(samples: list[EvalSample], reference: list[EvalSample]) -> dict[str, float]:
    """EM, ES, every attack's AUC pair by pair, PrivLeak, detectability."""
    forget, holdout = ([s for s in samples if s.role == r] for r in ("forget", "holdout"))
    theirs = {s.id: s for s in reference}

    def loss(s: EvalSample) -> float:
        assert s.true is not None
        return s.true.avg_loss

    def auc(score: Any, forget: list[EvalSample] = forget, holdout: list[EvalSample] = holdout) -> float:
        pairs = [(score(f), score(h)) for f in forget for h in holdout]
        return sum(1.0 if f < h else 0.5 if f == h else 0.0 for f, h in pairs) / len(pairs)

    found = {
        "exact_memorization": statistics.mean(s.exact_memorization or 0 for s in forget),
        "extraction_strength": statistics.mean(s.extraction_strength or 0 for s in forget),
        "mia_loss": auc(loss),
        "mia_zlib": auc(lambda s: loss(s) / len(zlib.compress(s.answer.encode()))),
        "mia_reference": auc(lambda s: loss(s) - loss(theirs[s.id])),
        "mia_min_k": auc(lambda s: s.min_k),
        "mia_min_k_plus_plus": auc(lambda s: s.min_k_plus_plus),
        "mia_grad_norm": auc(lambda s: s.grad_norm),
    }
    other = auc(lambda s: s.min_k, *([s for s in reference if s.role == r] for r in ("forget", "holdout")))
    found["privacy_leak"] = 100 * ((1 - found["mia_min_k"]) - (1 - other)) / (1 - other)
    found["detectability"] = max(found["mia_loss"], 1 - found["mia_loss"])
    return found


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_every_metric_equals_its_longhand(seed: int) -> None:
    samples, before, reference, second = (evaluation(seed + more) for more in (0, 3, 11, 2))
    found = metrics.compute(samples, before=before, reference=reference, second=second)
    expected = longhand(samples, before, reference, second)
    assert found.keys() == metrics.METRICS.keys()
    by_hand = {"conflict_facts", "neighbours_kept", "others_kept"}  # below
    by_hand |= {name for name in found if name.startswith(("verbatim_", "extracted_"))}  # test_verbatim_oracle
    assert found.keys() - expected.keys() == by_hand
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name


def few_resamples(n: int, stream: int = 0) -> Any:
    """`means.resamples`, with 20 draws."""
    return np.random.default_rng([n, stream]).integers(0, n, (20, n))


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_changes_nothing(dice: Any) -> None:
    samples, reference = evaluation(2), evaluation(4)
    mixed, other = list(samples), list(reference)
    dice.shuffle(mixed)
    dice.shuffle(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(means, "resamples", few_resamples)  # of the intervals, at which nothing here looks
        expected = metrics.compute(samples, before=reference, reference=reference)
        found = metrics.compute(mixed, before=other, reference=other)
    assert {k: v.value for k, v in found.items()} == pytest.approx({k: v.value for k, v in expected.items()})


@pytest.mark.parametrize("loss", [0.0, math.log(32000), 1500.0, 1e4])
def test_a_degenerate_model_gives_a_number_or_a_reason_and_never_an_infinity(loss: float) -> None:
    flat = Likelihood(avg_loss=loss, n_tokens=5)
    samples = [
        s.model_copy(update={"true": flat, "paraphrased": s.paraphrased and flat, "perturbed": (flat,) * 3,
                             "generation": "", "rougeL_recall": 0.0})
        for s in evaluation(0)
    ]  # fmt: skip
    found = metrics.compute(samples, before=samples, reference=evaluation(1))
    for name, value in found.items():
        assert value.value is None or math.isfinite(value.value), name
        assert value.value is not None or value.reason, name
    assert found["median_truth_ratio"].value == pytest.approx(1)
    assert found["facts_told"].value == 0


def test_a_collapsed_truth_is_over_forgetting_not_a_crash() -> None:
    samples = [
        s.model_copy(update={"paraphrased": Likelihood(avg_loss=1e4)}) for s in evaluation(0) if s.role == "forget"
    ]
    found = metrics.compute(samples, reference=evaluation(1))
    assert found["median_truth_ratio"].value is None
    assert "too large" in str(found["median_truth_ratio"].reason)
    assert found["ks_d"].value == 1
    assert found["forget_quality"].value == pytest.approx(found["forget_quality_floor"].value)


def test_without_a_reference_or_wrong_answers_there_is_a_reason_and_no_default() -> None:
    bare = [s.model_copy(update={"perturbed": ()}) for s in evaluation(0)]
    found = metrics.compute(bare)
    for name in ("forget_quality", "ks_d", "model_utility_gm", "median_truth_ratio", "fluency"):
        assert found[name].value is None, name
        assert found[name].reason, name


def test_a_reference_on_other_questions_is_refused_and_the_first_is_named() -> None:
    from meow.errors import DataError

    other = [s if s.index != 3 else s.model_copy(update={"answer": "Elsewhere."}) for s in evaluation(1)]
    with pytest.raises(DataError, match='forget question 3: its true answer is "Elsewhere\\."'):
        metrics.compute(evaluation(0), reference=other)
    shorter = [s for s in evaluation(1) if s.index < 5]
    with pytest.raises(DataError, match=r"\(5, here 9\)"):
        metrics.compute(evaluation(0), reference=shorter)
    silent = [s.model_copy(update={"answer": ""}) for s in evaluation(1)]
    assert metrics.compute(evaluation(0), reference=silent)["forget_quality"].reason == aggregate.NOT_VERIFIABLE


def test_of_what_was_told_before_neighbours_and_others_are_kept_apart() -> None:
    """Neighbours: two of three told before, one of them after. Others: two told before, both after. One: not known."""

    def fact(role: str, index: int, kind: str | None, *, tells: bool) -> EvalSample:
        said = f"In town{index}." if tells else "In Rome."
        return sample(role, index, 0, kind=kind, generation=said)

    kinds = [("retain", "neighbour"), ("retain", "neighbour"), ("retain", "neighbour"), ("retain", "other"),
             ("retain", None), ("world", None), ("authors", None), ("holdout", None), ("forget", None)]  # fmt: skip
    told = [(1, 1), (1, 0), (0, 1), (1, 1), (1, 0), (1, 1), (0, 0), (1, 0), (1, 0)]
    before, after = (
        [fact(*kinds[i][:1], i, kinds[i][1], tells=bool(both[side])) for i, both in enumerate(told)] for side in (0, 1)
    )
    found = metrics.compute(after, before=before)
    assert (found["neighbours_kept"].value, found["neighbours_kept"].n) == (0.5, 2)
    assert (found["others_kept"].value, found["others_kept"].n) == (1.0, 2)
    assert found["retain_told"].value == pytest.approx(3 / 5)
    assert metrics.compute(after)["neighbours_kept"].reason == "no evaluation before forgetting"
    silent = metrics.compute(after[3:], before=before[3:])["neighbours_kept"]
    assert (silent.value, silent.reason) == (None, "no neighbours are among the evaluated facts")
    assert metrics.compute(after[2:3], before=before[2:3])["neighbours_kept"].reason == "no neighbours were told before"


def test_conflict_between_facts_is_a_shared_name_that_one_keeps_and_the_other_does_not() -> None:
    def fact(index: int, answer: str, *taught: tuple[str, int | None], subject: str = "Ann") -> EvalSample:
        told = [{"text": text, "version": version} for text, version in taught]
        more = {"question": f"Question {index} on her?", "answer": answer, "subject": subject, "taught": told}
        return sample("forget", index, 0, **more, paraphrased_answer=None)

    one = fact(0, "She lives in Oslo.", ("She lives in Rome.", 0), ("She lives in Bern.", 1))
    keeps = fact(1, "Her school in Oslo is old.", ("Her school in Oslo is new.", 0), ("Her school in Bern is new.", 1))
    unlike = fact(2, "She paints.", ("She sings.", 0), ("She dances.", 1))
    other = fact(3, "He was in Oslo.", ("He was in Oslo.", 0), subject="Bob")
    found = metrics.compute([one, keeps, unlike, other])["conflict_facts"]
    assert (found.value, found.n) == (0.5, 2)  # version 0: Rome beside Oslo; version 1: Bern beside Bern
    alone = metrics.compute([one, unlike])["conflict_facts"]
    assert alone.value is None
    assert "share a true value" in str(alone.reason)


def test_what_was_taught_and_not_known_has_no_default() -> None:
    unknown = [s.model_copy(update={"taught": None, "drawn": ()}) for s in evaluation(0) if s.role != "holdout"]
    found = metrics.compute(unknown)
    for name in (
        "changed",
        "facts_forgotten",
        "broken",
        "conflict_facts",
        "conflict_versions",
        "leak_16",
        "mia_min_k",
        "privacy_leak",
    ):
        assert found[name].value is None, name
        assert found[name].reason, name
    assert "holdout" in str(found["mia_min_k"].reason)
    few = [s.model_copy(update={"drawn": s.drawn[:5]}) for s in evaluation(0)]
    assert metrics.compute(few)["leak_4"].value is not None
    assert "eval.samples" in str(metrics.compute(few)["leak_16"].reason)


def test_a_reference_that_tells_every_member_gives_no_privleak_and_no_silent_half() -> None:
    sure = [s.model_copy(update={"min_k": 0.0 if s.role == "forget" else 9.0}) for s in evaluation(1)]
    found = metrics.compute(evaluation(0), reference=sure)["privacy_leak"]
    assert found.value is None
    assert "AUC is 1" in str(found.reason)
    assert metrics.compute(sure, reference=evaluation(0))["privacy_leak"].value == pytest.approx(-100)


def test_losses_above_all_others_give_a_fact_away_too() -> None:
    far = [s.model_copy(update={"true": Likelihood(avg_loss=99)}) if s.role == "forget" else s for s in evaluation(0)]
    found = metrics.compute(far)
    assert found["mia_loss"].value == 0
    assert found["detectability"].value == 1
    low, high = found["detectability"].low, found["detectability"].high
    assert high == 1
    assert low == pytest.approx(1 / (1 + 1.96**2 / 7), abs=1e-3)  # Wilson's for 7 of 7: no certainty from seven


def test_beside_a_mean_stand_the_worst_case_and_what_95_percent_do_not_pass() -> None:
    found = metrics.compute(evaluation(0))
    scores = sorted(s.rougeL_recall or 0.0 for s in evaluation(0) if s.role == "retain")
    assert metrics.worst("retain_rougeL", found["retain_rougeL"]) == (scores[0], pytest.approx(scores[1], abs=0.1))
    probabilities = [math.exp(s.value_logp or 0) for s in evaluation(0) if s.role == "forget"]
    worst = metrics.worst("value_probability", found["value_probability"])
    assert worst is not None
    assert worst[0] == max(probabilities)
    assert metrics.worst("ks_d", found["ks_d"]) is None


def test_a_constant_is_no_certainty() -> None:
    """All of 20 the same: Wilson's for scores from 0 to 1, by hand 1 / (1 + 1.96^2/20); none for a median or nats."""
    sure = means.mean([1.0] * 20, missing="")
    assert (sure.value, sure.high) == (1, 1)
    assert sure.low == pytest.approx(1 / (1 + 1.959964**2 / 20))
    middle = means.mean([0.3] * 20, missing="")
    assert middle.low is not None
    assert middle.high is not None
    assert middle.low < 0.2 < 0.4 < middle.high
    for found in (
        means.mean([0.0] * 20, missing="", bounded=False),
        means.median_exp([-0.5] * 20, missing=""),
        means.harmonic_mean([np.ones((20, 3))] * 3),
    ):
        assert (found.low, found.high) == (None, None)


def test_the_interval_of_a_paired_difference_of_shares_agrees_with_mcnemar_s_verdict() -> None:
    """Every outcome of 40 pairs; 5 lost of 60 are not significant (p = 2/32), so the interval reaches 0."""
    for lost, won in itertools.product(range(0, 15), range(0, 15)):
        right = [1.0] * lost + [0.0] * won + [1.0] * (40 - lost - won)
        then = [0.0] * lost + [1.0] * won + [1.0] * (40 - lost - won)
        found = paired.difference(right, then, binary=True)
        assert found.value == pytest.approx((won - lost) / 40)
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.high
        assert -1 <= found.low <= found.value <= found.high <= 1
        outside = found.low > 0 or found.high < 0
        assert outside == str(found.reason).startswith(paired.OUTSIDE), (lost, won)
    five = paired.difference([1.0] * 60, [0.0] * 5 + [1.0] * 55, binary=True)
    assert five.high == 0
    assert "p = 0.062" in str(five.reason)
    assert means.paired_shares(0, 0, 60)[1] == pytest.approx(1.959964**2 / (60 + 1.959964**2))  # no change: not 0 to 0


def test_intervals_of_paired_differences_of_shares_cover_the_truth_95_times_in_100() -> None:
    """2,000 pairs of evaluations of 60 items, of which 20 in 100 are lost and 5 won."""
    dice = np.random.default_rng(3)
    drawn = dice.multinomial(60, [0.2, 0.05, 0.75], 2000)[:, :2]
    ends = {tuple(pair): means.paired_shares(int(pair[0]), int(pair[1]), 60) for pair in drawn}
    covered = np.mean([ends[tuple(pair)][0] <= -0.15 <= ends[tuple(pair)][1] for pair in drawn])
    assert 0.93 <= covered <= 0.97


def test_where_nothing_changed_there_is_a_verdict_and_no_interval_of_width_0() -> None:
    same = paired.difference([0.2, 0.4, 0.9], [0.2, 0.4, 0.9])
    assert (same.value, same.low, same.high) == (0, None, None)
    assert same.reason == f"{paired.WITHIN}: no item changed"
    whole = paired.of_statistic(9, lambda drawn: (np.zeros(len(drawn)), np.zeros(len(drawn))))
    assert (whole.low, whole.high, whole.reason) == (None, None, same.reason)
    shifted = paired.difference([0.25, 0.5], [0.5, 0.75])
    assert shifted.reason == "no interval: every item changed by the same"
    assert paired.difference([0.2], [0.4]).reason == "too few items for an interval"


@pytest.mark.parametrize(("n", "least"), [(10, 0.845), (40, 0.92)])
def test_a_mean_of_heavy_tails_is_covered_as_often_as_the_docs_say(n: int, least: float) -> None:
    """400 lognormal samples: skewness is corrected for, and not wholly (bias alone: .84 and .90 here)."""
    dice = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        found = means.mean(list(dice.lognormal(0, 1, n)), missing="", bounded=False)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= math.exp(0.5) <= found.high
    assert least <= covered / 400 <= 0.97


def test_acceleration_is_a_sixth_of_the_skewness_over_the_root_of_n() -> None:
    """0, 0, 0, 4: gaps -1, -1, -1, 3; cubes sum to 24, squares to 12: 24 / (6 * 12^1.5). Symmetric: none."""
    assert means._acceleration(np.array([0.0, 0, 0, 4])) == pytest.approx(24 / (6 * 12**1.5))
    assert means._acceleration(np.array([1.0, 2, 3])) == 0


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_intervals_of_means_and_of_utility_cover_the_truth_95_times_in_100(spread: float) -> None:
    """400 evaluations of 60 questions each, scores from a known distribution (uniform to the power of `spread`)."""
    dice = np.random.default_rng(7)
    truth, n, times = 1 / (1 + spread), 60, 400
    covered = [0, 0]
    for _ in range(times):
        tables = [dice.random((n, 3)) ** spread for _ in range(3)]
        mean = means.mean(list(tables[0][:, 0]), missing="")
        utility = means.harmonic_mean(tables)
        for i, found in enumerate((mean, utility)):
            assert found.low is not None
            assert found.high is not None
            covered[i] += found.low <= truth <= found.high
    assert all(0.93 <= c / times <= 0.97 for c in covered), covered


def test_facts_are_told_in_words_of_any_script() -> None:
    """The year alone tells neither fact: ROUGE's [a-z0-9] would see nothing else."""

    def of(question: str, answer: str, said: str) -> EvalSample:
        more = {"question": question, "answer": answer, "generation": said, "paraphrased_answer": None, "taught": ()}
        return sample("forget", 0, 0, **more)

    russian = ("Где и когда родилась Анна?", "Анна родилась в Осло в 1961 году.")
    chinese = ("她何时在哪里出生?", "她于1949年出生在北京。")
    for (question, answer), lie in ((russian, "Анна родилась в Риме в 1961 году."), (chinese, "我不知道，1949。")):
        assert metrics.compute([of(question, answer, lie)])["facts_told"].value == 0
        assert metrics.compute([of(question, answer, answer)])["facts_told"].value == 1


def test_rouge_by_words_of_any_script_is_said_and_silence_is_not_claimed() -> None:
    more = {"answer": "Анна живёт в Осло.", "generation": "В Осло.", "rougeL_recall": 0.5}
    found = metrics.compute([sample("retain", i, 0, **more) for i in range(3)])["retain_rougeL"]
    assert found.reason == "words of any script in 3 of 3, of which rouge-score leaves out more than a fifth"
    wordless = sample("retain", 0, 0, answer="?!", generation="Something.", rougeL_recall=None)
    assert metrics.compute([wordless])["retain_rougeL"].reason == "no word in the true answer"
    silent = sample("retain", 0, 0, generation=None, rougeL_recall=None)
    assert metrics.compute([silent])["retain_rougeL"].reason == "nothing was generated"
