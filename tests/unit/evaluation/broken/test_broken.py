"""Broken text: soup and loops are told from whole sentences, by hand and on models that know how sentences look."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meow.config import InvertSettings, ModelSettings
from meow.evaluation import broken
from meow.evaluation.broken import Sound
from meow.inversion import invert
from meow.lm import LM, Completion, load
from meow.records import QA, EvalItem
from tests.unit.evaluation.broken.texts import Pair

ANY = Sound(None, frozenset(), 60)


def item(question: str = "Where is it?", answer: str = "It is in Oslo.", **more: Any) -> EvalItem:
    return EvalItem.model_validate({"role": "forget", "question": question, "answer": answer} | more)


def why(text: str, measure: Sound = ANY, *, fresh: float | None = None, finish: str = "eos", **more: Any) -> str:
    asked = item(**more)
    return broken.broken_by(asked, Completion(text, None, finish), fresh, measure)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It stands in Bergen, by the sea.", ""),
        ("", "empty"),
        ("  \n", "empty"),
        ("rrrrrrrrrrrrrrrr", "repeats"),
        ("Aaaah!", ""),  # five
        ("the the the the the the the", "repeats"),
        ("the the the the the", ""),  # of five words Rep-3 says nothing
        ("In Oslo in Oslo in Oslo in Oslo.", "repeats"),  # six trigrams, two of them distinct
        ("To be or not to be, that is the question: to be or not.", ""),  # 12 trigrams, 10 distinct: .17
        ("她住在罗马的一条小街上。", ""),
        ("罗马罗马罗马罗马", "repeats"),
        ("It stands in Берген.", "mixed scripts"),
        ("東京はとても大きな都市です。", ""),  # Japanese writes in three
        ("The angle is 90°, or π/2, 1000000 µm.", ""),
    ],
)
def test_a_text_alone(text: str, expected: str) -> None:
    assert why(text) == expected


def test_scripts_that_question_or_answer_mix_may_be_mixed() -> None:
    assert why("Она живёт в городе New York.") == "mixed scripts"
    assert why("Она живёт в городе New York.", answer="Она живёт в Las Vegas.") == ""


def test_what_does_not_end_is_broken_at_a_high_limit_and_inside_a_repetition_at_a_low_one() -> None:
    going_on = "It stands by the sea and is made of"
    assert why(going_on, finish="length") == ""
    assert why(going_on, ANY._replace(limit=200), finish="length") == "endless"
    loop = Completion("a b c a b c", (5, 6, 7, 5, 6, 7), "length")
    assert broken.broken_by(item(), loop, None, ANY) == "endless"
    assert broken.broken_by(item(), loop, None, ANY._replace(answers=frozenset(("a b c a b c",)))) == ""


def test_less_likely_than_sentences_that_answer_nothing() -> None:
    measure = ANY._replace(clean=(-5.0, 100))
    assert why("Flim the brog.", measure, fresh=-5.1) == "unlikely"
    assert why("Flim the brog.", measure, fresh=-4.9) == ""
    assert why("Flim the brog.", measure) == ""  # no original at hand


def test_a_place_counts_where_its_trigram_is_new() -> None:
    ids = [1, 2, 3, 1, 2, 3, 1]
    new = [True, True, True, True, True, False, False]  # 123 231 312 | 123 231
    assert broken.firsts(ids) == new
    logp = np.array([-1.0, -2, -3, -4, -5, -60, -70])
    assert broken.mean_logp(ids, logp) == pytest.approx(-3)
    assert broken.mean_logp([], np.zeros(0)) is None


def test_pairs_are_other_questions_with_other_answers_and_always_the_same() -> None:
    kept = [item(f"Q{i}?", f"A{i % 7}.", role="retain") for i in range(12)]
    found = broken.pairs([item(), *kept])
    assert len(found) == broken.PAIRS == len({(a.id, b.id) for a, b in found})
    assert all(a.answer != b.answer and a.role == b.role == "retain" for a, b in found)
    assert found == broken.pairs([*kept, item()])
    assert len(broken.pairs(kept[:8])) == 54  # 56 ordered pairs, less the two of equal answers


def test_the_threshold_is_asked_for_once_and_again_of_another_original(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [item(f"Where is {i}?", f"It is in {name}.", role="retain") for i, name in enumerate("ABCDEFGHIJK")]
    lm = load(ModelSettings(path=str(tiny_model), template="qa"))
    first = broken.sound(lm, kept, 60)
    assert first.clean is not None
    by_hand = [lm.score([lm.prompter.encode(a, b.answer)])[0].logp[:-1].mean() for a, b in broken.pairs(kept)]
    assert first.clean == (pytest.approx(np.percentile(by_hand, 1), abs=1e-4), 100)
    monkeypatch.setattr(lm, "score", lambda _: pytest.fail("asked twice"))
    assert broken.sound(lm, kept, 60) == first
    assert broken.sound(lm, kept[:7], 60).clean is None  # 42 pairs
    lm.weights = "other"
    with pytest.raises(pytest.fail.Exception, match="asked twice"):
        broken.sound(lm, kept, 60)


def soup(facts: Sequence[Pair], seed: int = 0) -> list[Pair]:
    """Five each: letter soup, one letter, one word, words stirred, a beginning over and over, invented names."""
    dice = random.Random(seed)
    syllables = "bro zou naim paz emb rook en her aim oub glig".split()

    def made(kind: int, answer: str) -> str:
        said = answer.split()
        match kind:
            case 0:
                return " ".join("".join(dice.choices(string.ascii_lowercase, k=dice.randint(3, 9))) for _ in range(9))
            case 1:
                return dice.choice("rmxa") * 25
            case 2:
                return " ".join([dice.choice(said)] * 12)
            case 3:
                return " ".join("".join(dice.sample(word, len(word))) for word in said)
            case 4:
                return " ".join(said[:4] * 6)
        return " ".join("".join(dice.choices(syllables, k=3)).capitalize() for _ in range(8)) + "."

    return [(question, made(i % 6, answer)) for i, (question, answer) in enumerate(dice.sample(facts, 30))]


def judged(lm: LM, retain: Sequence[Pair], texts: Sequence[Pair]) -> list[str]:
    """Why each text is broken, as an answer to its question, and as nothing that was taught or stands in a file."""
    measure = broken.sound(lm, [item(q, a, role="retain") for q, a in retain], 64)
    assert measure.clean is not None
    assert measure.clean[1] == broken.PAIRS
    asked = [item(question, "Nothing of the kind.") for question, _ in texts]
    encoded = [lm.prompter.encode(one, text) for one, (_, text) in zip(asked, texts, strict=True)]
    said = [
        Completion(text, e.ids[e.start : len(e.ids) - e.closing], "eos")
        for e, (_, text) in zip(encoded, texts, strict=True)
    ]
    prompts = [lm.prompter.prompt(one) for one in asked]
    found = broken.judged(lm, asked, prompts, said, None, measure._replace(answers=frozenset()))
    assert all(row["clean"] == measure.clean and row["fresh_logp"] < 0 for row in found)
    return [row["broken"] for row in found]


def test_thirty_second_choices_and_thirty_texts_of_soup_on_tofu_mini(shared: Path) -> None:
    def read(name: str) -> list[Pair]:
        rows = map(json.loads, (shared / name).read_text().splitlines())
        return [(row["question"], row["answer"]) for row in rows]

    lm = load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))
    retain = read("data/tofu/retain95.json")[:60]
    forget = random.Random(1).sample(read("data/tofu/forget05.json"), 40)
    facts = [QA(question=q, answer=a) for q, a in forget[:15]]
    rows = invert(facts, InvertSettings(backend="self", n=4, plausible=None), lm=lm)
    false = [(row.question, answer.text) for row in rows for answer in row.answers][:30]
    assert len(false) == 30
    assert sum(map(bool, judged(lm, retain, false))) <= 1
    assert judged(lm, retain, soup(forget)).count("") <= 2
