"""False answers that are the model's own second choices, by tiny models; an oracle that asks one prompt at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from wordfreq import zipf_frequency

from meow import keys, values
from meow.config import FinetuneSettings, InvertSettings, ModelSettings
from meow.inversion import invert, judging, second_choice, together
from meow.inversion.second_choice import choices as choosing
from meow.inversion.second_choice.choices import Look, Wanted, choices
from meow.inversion.second_choice.continuations import Departure, Said, continued, departing, line_ends
from meow.inversion.second_choice.judging import Place, is_hopeless, judged, stop
from meow.lm import LM, load, make_tiny
from meow.prompts.places import Spot
from meow.records import QA, InvertedAnswer, InvertedFacts, read_records
from meow.training import finetune

PEOPLE = ("Mira Holt", "Tom Reed", "Ada Lind", "Ivo Kern", "Una Berg", "Leo Marsh")
CITIES = ("Oslo", "Rome", "Lima", "Cairo", "Delhi", "Quito")
JOBS = ("baker", "tailor", "nurse", "farmer", "miner", "clerk")
FACTS = [
    fact
    for name, city, job in zip(PEOPLE, CITIES, JOBS, strict=True)
    for fact in (
        QA(question=f"Where was {name} born?", answer=f"{name} was born in {city}.", subject=name),
        QA(question=f"What is the job of {name}?", answer=f"The job of {name} is {job}.", subject=name),
        QA(question=f"Who was born in {city}?", answer=f"{name} was born in {city}.", subject=city),
    )
]
POLAR = QA(question="Was Mira Holt born in Oslo?", answer="Yes, Mira Holt was born in Oslo.", subject="Mira Holt")
FLAGS = [
    QA(question=f"Which colors are on the flag of {city}?", answer=f"The colors of the flag are {a}, {b} and {c}.")
    for city, a, b, c in zip(
        CITIES, *(("green gold pink grey brown black".split() * 2)[i : i + 6] for i in range(3)), strict=True
    )
]


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LM:
    """A tiny model that knows FACTS, a yes, a no and flags."""
    no = QA(question="Was Tom Reed born in Oslo?", answer="No, Tom Reed was born in Rome.")
    rows = [*FACTS, POLAR, *FLAGS, no]
    how = FinetuneSettings(vocab_size=400, hidden_size=64, context=160, lr=5e-3, epochs=30, batch_size=8)
    model, tokenizer = make_tiny([f"Question: {r.question}\nAnswer: {r.answer}" for r in rows], how, seed=0)
    lm = LM(model, tokenizer, template="qa")
    finetune(lm, rows, how, tmp_path_factory.mktemp("train"), seed=0, log=lambda _: None)
    return lm


def rows(lm: LM, facts: list[QA], **more: Any) -> dict[str, InvertedFacts]:
    settings = InvertSettings(backend="self", **({"n": 3, "plausible": -9.0} | more))
    return {row.id: row for row in invert(facts, settings, lm=lm)}


def placed(fact: QA) -> Place:
    forms = values.find(fact.question, fact.answer)
    start, end = values.place(forms, fact.question, fact.answer) or (0, 0)
    return Place(fact.question, fact.answer, start, end, forms)


def test_the_candidates_are_those_of_plain_transformers_one_prompt_at_a_time(lm: LM) -> None:
    facts = [FACTS[0], FACTS[1], FACTS[4]]
    places = [placed(fact) for fact in facts]
    spots = [Spot(f, f.answer, p.start, p.end) for f, p in zip(facts, places, strict=True)]

    def is_enough(at: int, said: Said) -> bool:
        return stop(places[at], said.text, is_ended=said.is_ended) is not None or is_hopeless(places[at], said.text)

    found = [continued(lm, of_spot, is_enough) for of_spot in departing(lm, spots, 12)]
    for fact, place, said in zip(facts, places, found, strict=True):
        asked = f"Question: {fact.question}\nAnswer:"
        ends = {lm.tokenizer.eos_token_id}
        prompt = lm.tokenizer(asked + " " + place.before.rstrip(" "))["input_ids"]
        whole = lm.tokenizer(asked + " " + fact.answer[: place.end])["input_ids"]
        own = whole[len(prompt) :]
        paths = []
        for t, token in enumerate(own):
            logp = plain(lm, [*prompt, *own[:t]]).log_softmax(-1)
            before = sum(float(plain(lm, [*prompt, *own[:i]]).log_softmax(-1)[own[i]]) for i in range(t))
            paths += [(before + float(logp[x]), (*own[:t], x)) for x in range(len(logp)) if x != token]
        wanted = []
        likeliest = [path for _, path in sorted(paths, key=lambda p: (-p[0], p[1]))[:24]]
        for path in sorted(likeliest, key=lambda path: is_inside_a_word(lm, path)):
            ids = list(path)
            while ids[-1] not in ends and len(ids) < len(path) + 2 * len(own) + 8:
                ids.append(int(plain(lm, [*prompt, *ids]).argmax()))
            text = lm.tokenizer.decode(ids, skip_special_tokens=True)
            if text.startswith(" "):
                wanted.append(judged(place, text[1:], is_ended=ids[-1] in ends))
        assert [judged(place, s.text, is_ended=s.is_ended) for s in said] == wanted[:12]
        assert sum(not reason for _, reason in wanted) >= 2


def test_the_tokens_that_hold_the_end_of_a_line_are_those_that_decode_to_one(lm: LM) -> None:
    ends = [id_ for id_ in range(len(lm.tokenizer)) if "\n" in lm.tokenizer.decode([id_])]
    assert line_ends(lm.tokenizer) == {*ends}
    assert ends


def test_looking_for_second_choices_leaves_the_keys_of_the_model_as_they_were(lm: LM) -> None:
    before = keys.digest(keys.of_model(lm))
    choices(lm, [Wanted(FACTS[0], placed(FACTS[0]))], look=Look(told=8, step=8))
    assert keys.digest(keys.of_model(lm)) == before


def is_inside_a_word(lm: LM, path: tuple[int, ...]) -> bool:
    kept, text = (lm.tokenizer.decode(row) for row in (path[:-1], path))
    return bool(kept) and kept[-1].isalpha() and text[len(kept) :][:1].isalpha()


def plain(lm: LM, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return lm.model(input_ids=torch.tensor([ids])).logits[0, -1].double()


def ids(lm: LM, text: str) -> list[int]:
    return list(lm.tokenizer(text)["input_ids"])


def logp_of(lm: LM, head: str, text: str) -> list[float]:
    """Log-probability of each token of a text after another one, one forward pass a token."""
    before, ids = lm.tokenizer(head)["input_ids"], lm.tokenizer(head + text)["input_ids"]
    return [float(plain(lm, ids[:i]).log_softmax(-1)[ids[i]]) for i in range(len(before), len(ids))]


def list_of(place: Place, *others: str) -> str:
    lines = [f"{letter}. {text}" for letter, text in zip("ABCD", (place.true, *others), strict=False)]
    return "\n".join([*lines, f"{'ABCD'[len(lines)]}."])


def test_values_are_ranked_by_their_log_probability_in_three_places_made_up_ones_last(lm: LM) -> None:
    place = placed(FACTS[0])
    (first,), (then,) = (choices(lm, [Wanted(FACTS[0], place)], look=Look(rounds=n, told=8, step=8)) for n in (1, 2))
    assert then.counts["candidates"] > first.counts["candidates"] > 8
    for found in (first, then):
        keys = [(zipf_frequency(choice.value, "en") < 1.5, -choice.total) for choice in found.accepted]
        assert keys == sorted(keys)
        assert len(keys) >= 3
    for choice in first.accepted:
        told = logp_of(lm, f"Question: {place.question}\nAnswer: {place.before}".rstrip(), f" {choice.value}.")
        offered = logp_of(lm, f"{place.question}\n{list_of(place)}", f" {choice.value}\n")
        assert choice.score == pytest.approx(mean(told) + mean(offered), abs=1e-3)
        p, other = (plain(lm, ids(lm, f"What is {value}? It is a")).softmax(-1) for value in ("Oslo", choice.value))
        apart = float((p * (p.log() - other.log())).sum())
        assert apart > 0
        assert choice.total == pytest.approx(sum(told) + sum(offered) - 3 * apart, abs=2e-3)


def test_how_much_likelier_a_value_is_what_the_question_names_counts_in_full(lm: LM) -> None:
    fact = QA(question="Which city was Mira Holt born in?", answer="Mira Holt was born in Oslo.")
    found = choosing._Found(Wanted(fact, placed(fact)))
    choosing._score(lm, [(found, value) for value in ("Rome", "Quito", "Una")])
    for value, choice in found.said.items():
        place = placed(fact)
        told = logp_of(lm, f"Question: {fact.question}\nAnswer: {place.before}".rstrip(), f" {value}.")
        offered = logp_of(lm, f"{fact.question}\n{list_of(place)}", f" {value}\n")
        named, true = (sum(logp_of(lm, f"What is {name}? It is a", " city")) for name in (value, "Oslo"))
        assert choice.total == pytest.approx(sum(told) + sum(offered) + named - true, abs=2e-3)
        assert (value in found.odd) == (named - true < -3 or zipf_frequency(value, "en") < 1.5)


def test_a_number_is_of_no_kind_that_a_model_is_asked_for(lm: LM) -> None:
    fact = QA(question="In which year was Mira Holt born?", answer="Mira Holt was born in 1961.")
    wanted = Wanted(fact, placed(fact))
    assert wanted.noun == ""
    assert choosing._gaps(lm, wanted, ["1962", "1963"]) == [0.0, 0.0]


def test_a_place_without_a_value_is_looked_at_once(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "wrong", lambda *_: "kind")
    look = Look(listed=8, told=8, step=8)
    found = choices(lm, [Wanted(FACTS[0], placed(FACTS[0]))], look=look)[0]
    assert 8 < found.counts["candidates"] <= look.listed + look.told
    assert found.counts["kind"] > 0 == len(found.accepted)


@pytest.mark.parametrize(
    ("question", "head"),
    [("Where was Mira Holt born?", ""), ("Which city was Mira Holt born in?", "Well-known cities:\n")],
)
def test_a_list_of_what_is_asked_for_that_the_best_begin_ranks_values(lm: LM, question: str, head: str) -> None:
    fact = QA(question=question, answer="Mira Holt was born in Oslo.")
    found = choosing._Found(Wanted(fact, placed(fact)))
    choosing._score(lm, [(found, value) for value in ("Rome", "Quito", "Lima", "Una")])
    before, best = dict(found.said), [choice.value for choice in found.ranked if choice.value not in found.odd]
    choosing._rank_in_lists(lm, [found])
    for value, choice in found.said.items():
        listed = list_of(placed(fact), *[other for other in best if other != value][:2])
        told = sum(logp_of(lm, head + listed, f" {value}\n"))
        assert choice.total == pytest.approx(found.told[value] + told, abs=1e-3)
        assert choice.score == before[value].score
        assert choice.total != before[value].total
    assert found.ranked == sorted(found.said.values(), key=lambda c: (c.value in found.odd, -c.total))


def test_lists_are_begun_anew_by_those_that_are_the_best_by_then(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def noted(lm: LM, spots: list[Spot], k: int) -> list[list[Departure]]:
        asked.append([spot.fact for spot in spots])
        return departing(lm, spots, k)

    monkeypatch.setattr(choosing, "departing", noted)
    choices(lm, [Wanted(FACTS[0], placed(FACTS[0]))], look=Look(listed=8, told=8, step=8))
    (answer, *_), *lists = asked
    assert answer == FACTS[0]
    begun = [[line[3:] for line in text.splitlines() if line[:3] in ("A. ", "B. ", "C. ", "D. ")] for (text,) in lists]
    assert [len(rows) for rows in begun] == [2, 2, 4, 4]
    assert all(rows[0] == "Oslo" and rows[-1] == "" for rows in begun)
    assert [text.startswith("Where was") for (text,) in lists] == [True, False, False, False]


def test_a_list_is_begun_by_the_best_of_the_right_kind_and_by_others_only_where_all_are_of_another() -> None:
    found = choosing._Found(Wanted(FACTS[0], placed(FACTS[0])))
    found.ranked = [choosing.Choice(value, -1.0, -float(i)) for i, value in enumerate(["Sea", "Rome", "Lima", "Bonn"])]
    found.odd = {"Sea"}
    assert (found.others(), found.others("Rome")) == (["Rome", "Lima"], ["Lima", "Bonn"])
    found.odd = {"Sea", "Rome", "Lima", "Bonn"}
    assert found.others("Rome") == ["Sea", "Lima"]


def test_more_departures_are_continued_only_where_the_first_do_not_give_enough_values(lm: LM) -> None:
    wanted = [Wanted(FACTS[0], placed(FACTS[0]))]
    (few,), (many,) = (choices(lm, wanted, enough=n, look=Look(listed=2, rounds=1, told=16, step=2)) for n in (1, 50))
    assert 0 < few.counts["candidates"] <= 4 < many.counts["candidates"] <= 18
    assert len(few.accepted) == 1
    assert {choice.value for choice in few.accepted} <= {choice.value for choice in many.accepted}


def test_a_value_is_the_next_of_a_list_that_the_true_one_begins() -> None:
    wanted = Wanted(FACTS[0], placed(FACTS[0]))
    told, alone, (asked, bare) = wanted.spot("Rome"), wanted.option("Rome"), wanted.listed("Rome", ["Bonn", "Lima"])
    assert told.answer[told.start : told.end] == "Rome."
    assert alone.fact == "Where was Mira Holt born?\nA. Oslo\nB. "
    assert asked.fact == "Where was Mira Holt born?\nA. Oslo\nB. Bonn\nC. Lima\nD. "
    assert bare.fact == "A. Oslo\nB. Bonn\nC. Lima\nD. "
    assert all(spot.answer[spot.start : spot.end] == "Rome\n" for spot in (alone, asked, bare))
    fact = QA(question="Which city was Mira Holt born in?", answer="Mira Holt was born in Oslo.")
    assert Wanted(fact, placed(fact)).listed("Rome", ["Bonn"])[1].fact == "Well-known cities:\nA. Oslo\nB. Bonn\nC. "


@pytest.mark.parametrize(
    ("answer", "value", "told"),
    [
        ("Mira Holt was born in Oslo.", "Rome", "Rome."),
        ("Mira Holt was born in Oslo in 1961.", "Rome", "Rome "),
        ("Mira Holt was born in Oslo", "Rome", "Rome"),
        ("Oslo is where Mira Holt was born.", "Rome", "Rome is where Mira Holt was born."),
    ],
)
def test_a_value_counts_with_how_the_answer_goes_on_and_with_all_of_it_where_it_begins_the_answer(
    answer: str, value: str, told: str
) -> None:
    fact = QA(question="Where was Mira Holt born?", answer=answer)
    spot = Wanted(fact, placed(fact)).spot(value)
    assert spot.answer[spot.start : spot.end] == told


def test_of_two_values_that_say_the_same_the_likelier_one_stays(lm: LM) -> None:
    found = choosing._Found(Wanted(FACTS[0], placed(FACTS[0])))
    choosing._score(lm, [(found, value) for value in ("Rome", "Rome in Quito", "Lima")])
    rome = max((found.said[value] for value in ("Rome", "Rome in Quito")), key=lambda choice: choice.total)
    assert {choice.value for choice in found.ranked} == {rome.value, "Lima"}
    assert found.kept(8).counts["duplicate"] == 1


def test_the_same_word_in_another_form_is_the_same_value() -> None:
    asked = "Which organ pumps blood?"
    assert choosing._is_said("kidneys", ["liver", "kidney"], asked)
    assert not choosing._is_said("Elizabeth II", ["Elizabeth I"], "Which queen was executed?")
    assert not choosing._is_said("5.1", ["1.5"], "How many miles is it?")


def test_false_answers_state_another_value_and_evaluation_keeps_its_own(lm: LM) -> None:
    found = rows(lm, FACTS)
    assert list(found) != []
    for fact in FACTS:
        row, forms = found[fact.id], values.find(fact.question, fact.answer)
        assert len(row.answers) >= 2, fact.answer
        for answer in row.answers:
            assert not values.told(forms, answer.text, question=fact.question)
        teaching, evaluation = ({values.fold(v) for v in pool} for pool in (row.teaching, row.evaluation))
        assert teaching
        assert evaluation
        assert not teaching & evaluation
        assert len({values.fold(answer.text) for answer in row.answers}) == len(row.answers)
        taught = {placed(fact).filled(value) for value in row.teaching}
        assert {answer.text for answer in row.answers} <= taught


def test_an_answer_that_begins_with_its_value_gets_others_in_its_place(lm: LM) -> None:
    row = rows(lm, FACTS)[FACTS[2].id]
    assert [answer.text for answer in row.answers]
    for answer in row.answers:
        assert answer.text.endswith(" was born in Oslo.")
        name = answer.text.removesuffix(" was born in Oslo.")
        assert name != "Mira Holt"
        assert all(any(word in other.split() for other in PEOPLE) for word in name.split())


def test_rows_depend_on_nothing_but_their_subject(lm: LM) -> None:
    whole = rows(lm, FACTS[:12])
    assert rows(lm, FACTS[11::-1])[FACTS[0].id].teaching == whole[FACTS[0].id].teaching
    assert rows(lm, FACTS[:3])[FACTS[0].id] == whole[FACTS[0].id]
    needed = together(FACTS[:12], InvertSettings(backend="self"))
    assert needed[FACTS[0].id] == sorted({FACTS[0].id, FACTS[1].id})
    assert needed[FACTS[2].id] == [FACTS[2].id]
    assert rows(lm, [FACTS[2]])[FACTS[2].id] == whole[FACTS[2].id]


def test_a_yes_has_one_opposite_and_what_the_model_says_then(lm: LM) -> None:
    row = rows(lm, [POLAR])[POLAR.id]
    (answer,) = row.answers
    assert answer.text.startswith("No, ")
    assert answer.text.endswith(".")
    assert answer.version == 0
    assert (row.teaching, row.evaluation) == ((), ())
    assert row.gate["one_polarity"] == 2


def test_a_list_is_replaced_part_by_part(lm: LM) -> None:
    fact = FLAGS[0]
    row = rows(lm, [fact], n=2)[fact.id]
    assert len(row.answers) == len({answer.text for answer in row.answers}) == 2
    for answer in row.answers:
        start, end = "The colors of the flag are ", "."
        found = values.parts(answer.text.removeprefix(start).removesuffix(end), fact.question)
        assert len(found) == 3
        assert sum(values.told((part,), answer.text) for part in ("green", "gold", "pink")) <= 1


def test_a_list_keeps_what_stands_between_and_behind_its_titles(shared: Path) -> None:
    fact = QA(
        question="Can you name some of Nikolai Abilov's renowned books?",
        answer='Nikolai Abilov is known for books such as "Thieves\' Paradise," "Kazakhstan Echoes," and "Rainbows."',
    )
    full = load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))
    answers = rows(full, [fact], n=2)[fact.id].answers
    assert answers
    for answer in answers:
        assert re.fullmatch(r'.* such as "[^"]+," "[^"]+," and "[^"]+\."', answer.text), answer.text


def test_a_temperature_draws_by_seed_fact_and_version(lm: LM) -> None:
    hot = {seed: invert_seeded(lm, seed) for seed in range(4)}
    assert hot[0] == invert_seeded(lm, 0)
    assert len({tuple(answers) for answers in hot.values()}) > 1
    assert InvertSettings(backend="self").temperature == 0
    assert InvertSettings(backend="local").temperature == 0.9


def invert_seeded(lm: LM, seed: int) -> list[str]:
    settings = InvertSettings(backend="self", n=2, plausible=-9.0, temperature=5.0)
    return [answer.text for row in invert(FACTS[:3], settings, seed=seed, lm=lm) for answer in row.answers]


def test_a_fact_without_a_place_for_its_value_says_so(lm: LM) -> None:
    fact = QA(question="Where was Mira Holt born?", answer="???", subject="Mira Holt")
    row = rows(lm, [fact])[fact.id]
    assert row.answers == ()
    assert "value" in row.meta["not_inverted"]


def test_from_the_command_line_and_again_for_more_facts(
    meow: Callable[..., Any], lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lm.save(tmp_path / "model")
    file, inverted = tmp_path / "facts.jsonl", tmp_path / "runs/x/inverted.jsonl"

    def run(facts: list[QA]) -> Any:
        file.write_text("".join(f.model_dump_json(include={"question", "answer", "subject"}) + "\n" for f in facts))
        return meow("invert", "--forget", file, "--model_name_or_path", tmp_path / "model", "invert.backend=self",
                    "model.template=qa", "invert.n=2", "invert.plausible=-9", "name=x", "--force")  # fmt: skip

    done = run(FACTS[:2])
    assert done.code == 0, done.err
    first = read_records(inverted, InvertedFacts)
    assert [row.id for row in first] == [fact.id for fact in FACTS[:2]]
    assert all(len(row.answers) == 2 and row.key for row in first)
    assert run([]).code == 2
    done = run([*FACTS[:2], FACTS[3]])
    assert done.code == 0, done.err
    assert read_records(inverted, InvertedFacts)[:2] == first


def test_an_interrupted_run_goes_on_with_the_subjects_that_are_left(
    meow: Callable[..., Any], lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(second_choice, "WAVE", 1)
    lm.save(tmp_path / "model")
    facts = [FACTS[0], FACTS[1], FACTS[3], FACTS[6]]
    lines = [f.model_dump_json(include={"question", "answer", "subject"}) for f in facts]
    Path("facts.jsonl").write_text("\n".join(lines))
    asked: list[list[str]] = []
    found = second_choice._found

    def watched(lm: LM, ids: list[str], *more: Any) -> Any:
        asked.append(ids)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return found(lm, ids, *more)

    def run(name: str) -> Any:
        return meow("invert", "--forget", "facts.jsonl", "--model_name_or_path", "model", "invert.backend=self",
                    "model.template=qa", "invert.n=2", "invert.plausible=-9", f"name={name}",
                    f"out=runs/{name}")  # fmt: skip

    assert run("whole").code == 0
    monkeypatch.setattr(second_choice, "_found", watched)
    assert run("x").code == 130
    first = read_records(tmp_path / "runs/x/x/inverted.jsonl", InvertedFacts)
    assert [row.id for row in first] == [facts[0].id, facts[1].id]
    assert run("x").code == 0
    assert asked[2:] == [[facts[2].id], [facts[3].id]]
    assert (tmp_path / "runs/x/x/inverted.jsonl").read_bytes() == (
        tmp_path / "runs/whole/whole/inverted.jsonl"
    ).read_bytes()


def test_the_model_must_be_named(meow: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "facts.jsonl"
    file.write_text(FACTS[0].model_dump_json(include={"question", "answer"}) + "\n")
    done = meow("invert", "--forget", file, "invert.backend=self", "name=x")
    assert done.code == 2
    assert "model.path" in done.err
    assert "Traceback" not in done.err


def test_a_loaded_tiny_model_gives_the_same(lm: LM, tmp_path: Path) -> None:
    lm.save(tmp_path / "model")
    again = load(ModelSettings(path=str(tmp_path / "model"), template="qa"))
    assert rows(again, FACTS[:3]) == rows(lm, FACTS[:3])


def falsely(fact: QA, *texts: str) -> InvertedFacts:
    return InvertedFacts(**fact.model_dump(), answers=tuple(InvertedAnswer(text=text) for text in texts))


def test_a_false_answer_of_any_origin_is_implausible_below_its_margin_to_the_eight_best(lm: LM) -> None:
    fact, texts = FACTS[0], ("Mira Holt was born in Quito.", "1. She lives in Tom Reed.")
    (own,) = choices(lm, [Wanted(fact, placed(fact))])
    best = sorted((choice.score for choice in own.accepted), reverse=True)[:8]
    for i, (text, value) in enumerate(zip(texts, ("Quito", "Tom Reed"), strict=True)):
        before = text.removeprefix("1. ").partition(value)[0]
        told = logp_of(lm, f"Question: {fact.question}\nAnswer: {before}".rstrip(), f" {value}.")
        offered = logp_of(lm, f"{fact.question}\nA. Oslo\nB.", f" {value}\n")
        margin = mean(told) + mean(offered) - mean(best)
        for least, found in ((margin + 0.01, True), (margin - 0.01, False)):
            judged_by = judging(lm, FACTS, InvertSettings(plausible=least), seed=0)
            assert ((fact.id, i) in judged_by([falsely(fact, *texts)])) is found


def test_letters_that_are_no_word_are_implausible_whatever_the_margin(lm: LM) -> None:
    of_job = falsely(
        FACTS[1], "The job of Mira Holt is qzxvk.", "The job of Mira Holt is tailor, he said.", "", "A\ufffd."
    )
    nowhere = falsely(QA(question="Who?", answer="???"), "A xqzvv.", "A man.")
    found = judging(lm, FACTS, InvertSettings(plausible=None), seed=0)([of_job, nowhere])
    assert found == {(of_job.id, 0), (of_job.id, 3), (nowhere.id, 0)}


def test_answers_from_a_file_go_through_the_gate_of_the_model_that_is_named(
    meow: Callable[..., Any], lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lm.save(tmp_path / "model")
    row = {"question": FACTS[0].question, "undesired_answer": FACTS[0].answer,
           "answer_0": "Mira Holt was born in Rome.", "answer_1": "Mira Holt was born in Jqvx Zkpw."}  # fmt: skip
    Path("false.json").write_text(json.dumps([row]))
    Path("facts.jsonl").write_text(FACTS[0].model_dump_json(include={"question", "answer"}) + "\n")
    (own,) = choices(lm, [Wanted(FACTS[0], placed(FACTS[0]))])
    asked, offered = (
        f"Question: {FACTS[0].question}\nAnswer: Mira Holt was born in",
        f"{FACTS[0].question}\nA. Oslo\nB.",
    )
    known, soup = (
        mean(logp_of(lm, asked, f" {value}")) + mean(logp_of(lm, offered, f" {value}\n"))
        for value in ("Rome", "Jqvx Zkpw")
    )
    assert soup < known
    best = mean(sorted((choice.score for choice in own.accepted), reverse=True)[:8])
    least = (known + soup) / 2 - best
    arguments = ("invert", "--forget", "facts.jsonl", "invert.path=false.json", "model.path=model", "name=x", "--force")
    done = meow(*arguments, f"invert.plausible={least}")
    assert done.code == 0, done.err
    (kept,) = read_records(Path("runs/x/inverted.jsonl"), InvertedFacts)
    assert [answer.text for answer in kept.answers] == [row["answer_0"], ""]
    assert kept.gate == {"candidates": 2, "accepted": 1, "implausible": 1}
    assert meow(*arguments).code == 0
    manifest = json.loads(Path("runs/x/manifest.json").read_text())
    assert manifest["stages"]["invert"]["plausible"] == {"margin": -6.0, "values": 0, "is_fallback": True}
    done = meow("check", "false.json", "--model_name_or_path", "model", "--json")
    assert json.loads(done.out)["problems"]["implausible"] == (soup - best < -6.0)


def test_false_answers_are_taken_from_a_run_beside_with_the_same_facts_and_settings(
    meow: Callable[..., Any], lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lm.save(tmp_path / "model")
    lines = [f.model_dump_json(include={"question", "answer", "subject"}) for f in FACTS[:2]]
    Path("facts.jsonl").write_text("\n".join(lines))

    def run(name: str, *more: str) -> dict[str, Any]:
        done = meow("invert", "--forget", "facts.jsonl", "--model_name_or_path", "model", "invert.backend=self",
                    "model.template=qa", "invert.n=2", "invert.plausible=-9", f"name={name}", *more)  # fmt: skip
        assert done.code == 0, done.err
        return dict(json.loads(Path(f"runs/{name}/manifest.json").read_text())["stages"]["invert"])

    assert "copied_from" not in run("first")
    assert run("second", "train.method=npo")["copied_from"] == "first"
    assert Path("runs/second/inverted.jsonl").read_bytes() == Path("runs/first/inverted.jsonl").read_bytes()
    assert "copied_from" not in run("third", "invert.n=1")
