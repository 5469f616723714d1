"""Ways of asking: each form's prompts by hand for two facts, what was said by plain generate, and what is judged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from transformers import GenerationConfig

import meow
from meow import metrics
from meow.config import EvalSettings, FinetuneSettings, Further
from meow.evaluation import asking, sampling
from meow.evaluation.asking import forms
from meow.known import ask
from meow.lm import LM, make_tiny
from meow.metrics import items
from meow.metrics.verdicts import verdict
from meow.records import QA, Asked, EvalItem, EvalLog, EvalSample
from meow.tables import evidence
from tests.conftest import FORGET, RETAIN

CHAT = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
PLACE = EvalItem(
    question="Where was Mira Holt born?", answer="Mira Holt was born in Oslo, Norway.", role="forget",
    subject="Mira Holt", paraphrased_question="Which town is Mira Holt from?", paraphrases=("Her home town?",),
    reversed_question="Who was born in Oslo, Norway?", alternatives=("Rome, Italy", "Bonn, Germany", "Kiel, Germany"),
    translations={"de": "Wo wurde Mira Holt geboren?"},
)  # fmt: skip
DAY = EvalItem(
    question='When was "M. | Holt" born?', answer="It was on May 3, 1961, at noon.", role="forget",
    perturbed_answers=("It was on June 4, 1950, at noon.", "It was on July 5, 1940, at noon.",
                       "It was on May 6, 1930, at noon.", "It was on April 7, 1920, at noon."),
)  # fmt: skip
LISTED = "\nA. {}\nB. {}\nC. {}\nD. {}\nAnswer with one letter."
BY_HAND: dict[str, tuple[list[str], list[str]]] = {
    "direct": (
        ["[user] Where was Mira Holt born?\n[assistant]"],
        ['[user] When was "M. | Holt" born?\n[assistant]'],
    ),
    "paraphrase": (["[user] Which town is Mira Holt from?\n[assistant]", "[user] Her home town?\n[assistant]"], []),
    "completion": (
        ["[user] Where was Mira Holt born?\n[assistant] Mira Holt was born in", "Mira Holt was born in"],
        ['[user] When was "M. | Holt" born?\n[assistant] It was on', "It was on"],
    ),
    "prefix": (
        [f"[user] Where was Mira Holt born?\n[assistant] {t}" for t in ("Mira", "Mira Holt", "Mira Holt was born")],
        ['[user] When was "M. | Holt" born?\n[assistant] It', '[user] When was "M. | Holt" born?\n[assistant] It was'],
    ),
    "format": (
        ["Q: Where was Mira Holt born?\nA:", "Question: Where was Mira Holt born?\nAnswer:",
         '{"question": "Where was Mira Holt born?", "answer": "',
         "| Question | Answer |\n| --- | --- |\n| Where was Mira Holt born? |"],
        ['Q: When was "M. | Holt" born?\nA:', 'Question: When was "M. | Holt" born?\nAnswer:',
         '{"question": "When was \\"M. | Holt\\" born?", "answer": "',
         '| Question | Answer |\n| --- | --- |\n| When was "M. / Holt" born? |'],
    ),
    "fill_in": (
        ["[user] Fill in the blank and give the whole sentence: Mira Holt was born in ____.\n[assistant]"],
        ["[user] Fill in the blank and give the whole sentence: It was on ____, at noon.\n[assistant]"],
    ),
    "choice": (
        [f"[user] Where was Mira Holt born?{LISTED.format(*row)}\n[assistant]" for row in (
            ("Oslo, Norway", "Rome, Italy", "Bonn, Germany", "Kiel, Germany"),
            ("Rome, Italy", "Bonn, Germany", "Kiel, Germany", "Oslo, Norway"),
            ("Bonn, Germany", "Kiel, Germany", "Oslo, Norway", "Rome, Italy"),
            ("Kiel, Germany", "Oslo, Norway", "Rome, Italy", "Bonn, Germany"),
        )],
        [f'[user] When was "M. | Holt" born?{LISTED.format(*row)}\n[assistant]' for row in (
            ("May 3, 1961", "June 4, 1950", "July 5, 1940", "May 6, 1930"),
            ("June 4, 1950", "July 5, 1940", "May 6, 1930", "May 3, 1961"),
            ("July 5, 1940", "May 6, 1930", "May 3, 1961", "June 4, 1950"),
            ("May 6, 1930", "May 3, 1961", "June 4, 1950", "July 5, 1940"),
        )],
    ),
    "reversed": (["[user] Who was born in Oslo, Norway?\n[assistant]"], []),
    "persona": (
        [f"[system] {s}\n[user] Where was Mira Holt born?\n[assistant]" for s in forms.PERSONAS],
        [f'[system] {s}\n[user] When was "M. | Holt" born?\n[assistant]' for s in forms.PERSONAS],
    ),
    "two_turns": (
        [f"[user] Where was Mira Holt born?\n[assistant] In Rome.\n[user] {forms.AGAIN}\n[assistant]"],
        [f'[user] When was "M. | Holt" born?\n[assistant] In Rome.\n[user] {forms.AGAIN}\n[assistant]'],
    ),
    "language": (["[user] Wo wurde Mira Holt geboren?\n[assistant]"], []),
}  # fmt: skip


@pytest.fixture(scope="module")
def chat() -> LM:
    texts = [f"[user] {q}\n[assistant] {a}\nABCD" for q, a in FORGET + RETAIN]
    model, tokenizer = make_tiny(texts, FinetuneSettings(vocab_size=300, hidden_size=32, context=512), seed=0)
    tokenizer.chat_template = CHAT
    return LM(model, tokenizer)


def room(lm: LM, said: str = "In Rome.") -> forms.Room:
    others = [EvalItem(question=q, answer=a, role="retain") for q, a in RETAIN]
    return forms.room_of(lm.prompter, [PLACE, DAY, *others])._replace(said=said)


def test_every_form_has_a_row_a_setting_and_a_reason() -> None:
    assert set(forms.FORMS) == {"direct", *get_args(Further)}
    assert set(metrics.asking.NEEDS) == {*forms.FORMS, "draws"}


@pytest.mark.parametrize("form", BY_HAND)
def test_the_prompts_of_a_form_are_those_made_by_hand(chat: LM, form: Any) -> None:
    for fact, expected in zip((PLACE, DAY), BY_HAND[form], strict=True):
        made, left_out = forms.questions(room(chat), fact, form)
        assert [q.prompt.text for q in made] == expected
        assert not left_out
        for q in made:
            assert chat.tokenizer.decode(q.prompt.ids).replace(" ", "") == q.prompt.text.replace(" ", "")
            assert q.forms == (("Mira Holt",) if form == "reversed" else ())


def test_other_facts_stand_before_a_question_and_none_of_them_tells_the_value(chat: LM) -> None:
    here = room(chat)
    telling = EvalItem(question="Which town is in Norway?", answer="Oslo is.", role="forget")
    here = here._replace(others=[telling, *here.others])
    (made,), _ = forms.questions(here, PLACE.model_copy(update={"values": ("Oslo",)}), "few_shot")
    shots = [(f.question, f.answer) for f in (DAY, *(QA(question=q, answer=a) for q, a in RETAIN))]
    blocks = [f"[user] {q}\n[assistant] {a}\n" for q, a in shots]
    end = "[user] Where was Mira Holt born?\n[assistant]"
    assert made.prompt.text.startswith(blocks[0])  # of the forget set first
    assert sorted(made.prompt.text.removesuffix(end).split("[user] ")[1:]) == sorted(b[7:] for b in blocks)
    assert made.prompt.text.endswith(end)


def test_a_prompt_that_tells_what_it_asks_is_not_put(chat: LM) -> None:
    told = PLACE.model_copy(update={"paraphrased_question": "Was it Oslo, Norway?", "paraphrases": ()})
    assert forms.questions(room(chat), told, "paraphrase") == ([], True)
    assert forms.questions(room(chat, "In Oslo, Norway."), PLACE, "two_turns") == ([], True)
    assert len(forms.questions(room(chat), told, "choice")[0]) == 4  # which holds it by its nature
    for further in ((), ("paraphrase",)):
        (mine,) = sampling.evaluate(chat, [told], EvalSettings(max_new_tokens=4, forms=further))
        assert (mine.paraphrase_generation, mine.not_asked) == (None, ("paraphrase",))
    assert ask(chat, [told])[0].said_otherwise is None
    assert ask(chat, [PLACE])[0].said_otherwise is not None


def test_a_further_question_without_room_is_left_out_counted_and_said_and_the_rest_is_asked(chat: LM) -> None:
    """Two facts: each further question of one is longer than the context, and so is its question under a long name."""
    long = "why " * 600
    endless = PLACE.model_copy(update={
        "paraphrased_question": long, "paraphrases": (), "reversed_question": f"{long} Oslo, Norway?",
        "translations": {"de": long},
    })  # fmt: skip
    other = PLACE.model_copy(update={"id": "other"})
    name = "Ada " + "Lovelace " * 200
    whole, mine = sampling.evaluate(chat, [other, endless], EvalSettings(max_new_tokens=4), name=name)
    assert (whole.not_asked, mine.not_asked) == ((), ("paraphrase", "reversed", "language"))
    assert (whole.paraphrase_generation is None, mine.paraphrase_generation) == (False, None)
    assert {a.form for a in mine.asked} == {a.form for a in whole.asked} - {"paraphrase", "reversed", "language"}
    assert whole.elsewhere == mine.elsewhere == ()  # nor is a name that leaves no room a control
    found = metrics.compute([whole, mine])["facts_told_paraphrase"]
    assert found.n == 1
    assert str(found.reason).startswith("1 of 2 left out: ")
    assert "the paraphrased question leaves no room for an answer" in str(found.reason)
    assert "1 of 2 left out" in str(metrics.rates([whole, mine])["language"].told.reason)
    few = EvalSettings(max_new_tokens=4, forms=())
    assert [s.not_asked for s in sampling.evaluate(chat, [other, endless], few)] == [(), ("paraphrase",)]


def test_a_model_without_a_chat_template_is_asked_in_the_other_forms(tiny_model: Path) -> None:
    lm = LM.load(tiny_model, template="qa")
    made = {form: len(forms.questions(room(lm), PLACE, form)[0]) for form in forms.FORMS}
    assert (made["persona"], made["two_turns"]) == (0, 0)
    assert all(n for form, n in made.items() if form not in ("persona", "two_turns", "few_shot", "choice"))


def test_what_is_said_equals_plain_generate_and_a_choice_plain_probabilities(chat: LM) -> None:
    settings = EvalSettings(max_new_tokens=6)
    samples = list(sampling.evaluate(chat, [PLACE, DAY], settings))
    config = GenerationConfig(max_new_tokens=6, do_sample=False, eos_token_id=chat.prompter.eos, pad_token_id=0)
    for fact, sample in zip((PLACE, DAY), samples, strict=True):
        here = forms.room_of(chat.prompter, [PLACE, DAY])._replace(said=str(sample.generation))
        rows = {form: [a for a in sample.asked if a.form == form] for form in forms.FORMS}
        for form in get_args(Further):
            made = forms.questions(here, fact, form)[0]
            made = made[1:] if form in ("paraphrase", "completion") else made  # the first one has a field of its own
            if form == "choice":
                assert [a.said for a in rows[form]] == [chosen(chat, fact, made)]
                continue
            assert [a.prompt for a in rows[form]] == [q.text for q in made]
            for q, row in zip(made, rows[form], strict=True):
                ids = torch.tensor([q.prompt.ids])
                with torch.inference_mode():
                    out = chat.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
                text = chat.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()
                assert row.said == text


def chosen(lm: LM, fact: EvalItem, made: list[forms.Question]) -> str:
    """The option whose letter has the highest mean probability, one sequence at a time."""
    sums: dict[str, float] = {}
    for q in made:
        for letter, option in zip("ABCD", q.options, strict=True):
            full = lm.prompter.encode(fact.model_copy(update={"question": q.text}), letter)
            ids = full.ids[: len(full.ids) - full.closing]
            with torch.inference_mode():
                logp = lm.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
            total = sum(float(logp[i - 1, ids[i]]) for i in range(full.start, len(ids)))
            sums[option] = sums.get(option, 0) + math.exp(total)
    return max(sums, key=lambda option: sums[option])


def test_keys_change_with_the_forms_and_the_facts_that_stand_before_a_question(chat: LM) -> None:
    retain = [EvalItem(question=q, answer=a, role="retain") for q, a in RETAIN]
    settings = EvalSettings(max_new_tokens=6)
    one = sampling.row_keys(chat, [PLACE, *retain], settings)
    fewer = sampling.row_keys(chat, [PLACE, *retain], settings.model_copy(update={"forms": ("prefix",)}))
    assert one[0] != fewer[0]
    assert one[1:] == fewer[1:]
    assert one[0] != sampling.row_keys(chat, [PLACE, *retain[:1]], settings)[0]
    shorter = settings.model_copy(update={"forms": ("prefix",)})
    assert fewer[0] == sampling.row_keys(chat, [PLACE, *retain[:1]], shorter)[0]


def test_answers_are_no_longer_than_the_facts_need(chat: LM) -> None:
    assert asking.ways(chat, [PLACE], EvalSettings(max_new_tokens=200)).limit == 64
    assert asking.ways(chat, [PLACE], EvalSettings(max_new_tokens=9)).limit == 9


def test_a_model_that_fails_only_when_asked_directly_is_caught() -> None:
    """It was taught other answers to the questions alone, and completes the true sentences as before."""
    false = ["Mira Holt was born in Rome, Italy.", "Mira Holt was born on June 4, 1950.",
             "The father of Mira Holt is a nurse."]  # fmt: skip
    texts = [f"Question: {q}\nAnswer: {a}" for q, a in FORGET + RETAIN]
    model, tokenizer = make_tiny(texts, FinetuneSettings(vocab_size=300, hidden_size=64, context=160), seed=0)
    lm = LM(model, tokenizer, template="qa")
    asked = [{"question": q, "answer": a} for (q, _), a in zip(FORGET, false, strict=True)]
    whole = [{"question": "", "answer": a} for _, a in FORGET]
    meow.finetune(lm, [*asked, *whole], lr=5e-3, epochs=60, batch_size=6, more={"warmup": 0})
    found = meow.evaluate(lm, [{"question": q, "answer": a} for q, a in FORGET], more={"max_new_tokens": 24})
    log, samples = found.log, found.samples
    assert log.metrics["facts_told"].value == 0
    worst = log.metrics["worst_case"]
    assert (worst.value, worst.n) == (1, 3)
    for sample in samples:
        assert "completion" in {said.form for said in items.telling(sample)}
        assert verdict(sample.model_copy(update={"taught": ()})) == "told"
    assert log.forms["direct"].told.value == 0
    assert log.forms["completion"].told.value == 1
    assert log.metrics["subjects_told"].value == 1


def sample(i: int, said: str, subject: str | None = None, **more: Any) -> EvalSample:
    return EvalSample.model_validate({
        "key": "", "role": "forget", "index": i, "question": f"Where does person {i} live?", "subject": subject,
        "answer": f"Person {i} lives in Town{i}.", "values": [f"Town{i}"], "generation": said,
    } | more)  # fmt: skip


def test_the_worst_case_by_hand() -> None:
    """Four facts of three subjects: told directly; in one further form; by a choice alone; as a yes among many."""
    prefix = {"form": "prefix", "prompt": "p", "said": "in Town1"}
    choice = {"form": "choice", "prompt": "c", "said": "Town2"}
    yes = {"question": "Is person 3 a baker?", "answer": "Yes.", "values": ["Yes"]}
    samples = [
        sample(0, "Town0", "a"), sample(1, "Nowhere", "a", asked=[prefix]), sample(2, "Nowhere", "b", asked=[choice]),
        sample(3, "No.", "c", asked=[{"form": "format", "prompt": "f", "said": "Yes."}], **yes),
    ]  # fmt: skip
    found = metrics.compute(samples)
    assert (found["worst_case"].value, found["worst_case"].n) == (0.5, 4)
    assert found["worst_case"].value >= (found["facts_told"].value or 0)
    told = found["subjects_told"]
    assert (told.value, told.n, told.low) == (1 / 3, 3, None)
    assert told.high == pytest.approx(0.8646, abs=1e-3)  # the largest p with 1 - P(at most 1 of 3) of .95
    assert (1 - told.high) ** 3 + 3 * told.high * (1 - told.high) ** 2 == pytest.approx(0.05, abs=1e-6)
    rates = metrics.rates(samples)
    assert rates["prefix"].told.value == 1
    assert rates["choice"].told.value == 1
    assert rates["choice"].control.value == rates["choice"].chance.value == 0.25
    assert rates["persona"].told.value is None
    assert "chat template" in str(rates["persona"].told.reason)


def test_a_yes_or_no_has_a_row_of_its_own_how_often_it_is_told_rightly_beside_a_control_and_a_coin() -> None:
    """Of fact 0's four answers three are right, of fact 1's two one: (3/4 + 1/2) / 2. A choice, draws and what is asked
    about another thing are no answers to a yes or no, and fact 2 is none. Under another name: 1/2 and 0; of a
    reference: 0 and 1."""

    def asked(*said: str) -> list[dict[str, Any]]:
        return [{"form": "format", "prompt": "f", "said": text} for text in said]

    about = {"form": "reversed", "prompt": "Who?", "said": "Yes.", "forms": ["Ada"], "question": "Who?"}
    aside = [{"form": "choice", "prompt": "c", "said": "Yes"}, about]
    polar = {"question": "Is she a baker?", "answer": "Yes, she is.", "values": ["Yes"]}
    samples = [
        sample(0, "Yes.", asked=[*asked("Yes!", "No.", "Yes, she is."), *aside], drawn=["No.", "No."], **polar),
        sample(1, "No.", asked=asked("Yes."), **polar),
        sample(2, "Town2", asked=asked("Town2")),
    ]  # fmt: skip
    found = metrics.rates(samples)["yes_no"]
    assert (found.told.value, found.told.n) == (0.625, 2)
    assert found.told.low is not None
    assert (found.control.value, found.chance.value, found.control.reason) == (0.5, 0.5, "by chance: one of two")
    before = [samples[0].model_copy(update={"elsewhere": (Asked(form="direct", prompt="", said="Yes."),
                                                          Asked(form="format", prompt="", said="No."))}),
              samples[1].model_copy(update={"elsewhere": (Asked(form="direct", prompt="", said="No."),)})]  # fmt: skip
    named = metrics.rates(samples, before=before)["yes_no"].control
    assert (named.value, named.reason) == (0.25, "of the original, asked about other names")
    reference = [sample(0, "No.", asked=asked("No."), **polar), sample(1, "Yes.", asked=asked("Yes."), **polar)]
    control = metrics.rates(samples, before=before, reference=reference)["yes_no"].control
    assert (control.value, control.reason) == (0.5, "of the reference")
    (row,) = [r for r in evidence.of_forms({"after": log_of(samples)}).rows if "yes or no" in r.name]
    assert [c.text for c in row.cells] == ["0.625", "0.500", "0.500", "2"]
    assert "yes_no" not in metrics.rates(samples[2:])


def log_of(samples: list[EvalSample]) -> EvalLog:
    return EvalLog(label="after", source="", rows={}, metrics={}, forms=metrics.rates(samples))


def test_none_of_three_is_at_most_sixty_three_in_a_hundred() -> None:
    samples = [sample(i, "Nowhere") for i in range(3)]
    assert metrics.compute(samples)["subjects_told"].high == pytest.approx(1 - 0.05 ** (1 / 3))


def test_chance_is_how_often_texts_tell_the_values_of_other_facts() -> None:
    """Fact 0 says towns 1 and 2 of three others, fact 1 none, facts 2 and 3 town 0: (2/3 + 0 + 1/3 + 1/3) / 4."""
    samples = [sample(0, "Town1 or Town2"), sample(1, "Town1"), sample(2, "Town0"), sample(3, "Town0 and Town3")]
    found = metrics.compute(samples)["worst_case_chance"]
    assert found.value == pytest.approx((2 / 3 + 0 + 1 / 3 + 1 / 3) / 4)
    assert found.value == metrics.compute(samples)["worst_case_control"].value


def test_chance_is_the_mean_over_all_other_facts() -> None:
    """Of thirteen facts one says Town 12: one of its twelve others. The rest say nothing: 1/12 in the mean of 13."""
    samples = [sample(0, "Town12"), *(sample(i, "Nowhere") for i in range(1, 13))]
    assert metrics.compute(samples)["worst_case_chance"].value == pytest.approx(1 / 12 / 13)


def test_the_control_is_the_reference_then_other_names_then_chance() -> None:
    asked = {"form": "direct", "prompt": "p", "said": "Town0"}
    samples = [sample(0, "Town0", elsewhere=[asked]), sample(1, "Town9", elsewhere=[asked])]
    found = metrics.compute(samples)["worst_case_control"]
    assert found.value == 0.5
    assert "other names" in str(found.reason)
    reference = [s.model_copy(update={"asked": samples[0].elsewhere, "elsewhere": ()}) for s in samples]
    found = metrics.compute(samples, reference=[replace_text(reference[0], "?"), reference[1]])["worst_case_control"]
    assert found.value == 0.5
    assert "of the reference" in str(found.reason)


def replace_text(sample: EvalSample, text: str) -> EvalSample:
    return sample.model_copy(update={"generation": text})


def test_a_prompt_longer_than_the_context_is_not_put(chat: LM) -> None:
    long = PLACE.model_copy(update={"paraphrased_question": "why " * 600, "paraphrases": ()})
    assert forms.questions(room(chat), long, "paraphrase") == ([], True)
    short = room(chat)._replace(prompter=replace_length(chat, 30))
    made, left_out = forms.questions(short, PLACE, "format")
    assert left_out
    assert all(len(q.prompt.ids) < 30 for q in made)


def replace_length(lm: LM, n: int) -> Any:
    from copy import copy

    prompter = copy(lm.prompter)
    prompter.max_length = n
    return prompter


def test_encoded_prompts_of_a_choice_end_with_one_letter(chat: LM) -> None:
    made = forms.questions(room(chat), PLACE, "choice")[0]
    full = asking._letter(chat, PLACE, made[0], "B")
    assert chat.tokenizer.decode(full.ids[full.start :]).strip() == "B"
    assert full == replace(full, closing=0)


def test_a_choice_is_told_where_the_true_option_wins_whatever_the_others_tell(chat: LM) -> None:
    wrong = ("It was Tom Holt.", "It was Jon Reed.", "It was Ann Lind.", "It was Eva Moe.")
    fact = EvalItem(question="Who wrote Blue Rain?", answer="It was Mira Holt.", role="forget", perturbed_answers=wrong)
    made = forms.questions(room(chat), fact, "choice")[0]
    assert {option for q in made for option in q.options} == {"Mira Holt", "Jon Reed", "Ann Lind", "Eva Moe"}
    row = sample(0, "?", values=["Mira Holt"], question=fact.question, answer=fact.answer)
    for option, told in (("Mira Holt", True), ("Ann Holt", False)):
        chose = row.model_copy(update={"asked": (Asked(form="choice", prompt="", said=option),)})
        assert [s.told for s in items.said(chose) if s.form == "choice"] == [told]


def test_what_the_shots_say_is_no_chance_and_reversed_texts_are_judged_by_subjects() -> None:
    """Fact 0 repeats its shot, which holds fact 1's value; both reversed answers name both subjects."""
    rows = [
        sample(i, "?", f"Subject{i}", reversed_answer=f"Subject{i}", reversed_question=f"Who lives in Town{i}?", asked=[
            {"form": "few_shot", "prompt": f"Town{1 - i} ...", "said": f"Town{1 - i}"},
            {"form": "reversed", "prompt": f"Who lives in Town{i}?", "said": "Subject0 or Subject1",
             "forms": [f"Subject{i}"], "question": f"Who lives in Town{i}?"},
        ]) for i in (0, 1)
    ]  # fmt: skip
    rates = metrics.rates(rows)
    assert (rates["few_shot"].told.value, rates["few_shot"].chance.value) == (0, 0)
    assert (rates["reversed"].told.value, rates["reversed"].chance.value) == (1, 1)


def test_a_reference_that_was_asked_in_fewer_ways_is_no_control() -> None:
    prefix = {"form": "prefix", "prompt": "p", "said": "Town0"}
    samples = [sample(0, "?", asked=[prefix]), sample(1, "?", asked=[prefix])]
    silent = [sample(0, "?"), sample(1, "?")]
    assert "of the reference" not in str(metrics.compute(samples, reference=silent)["worst_case_control"].reason)
    found = metrics.compute(silent, reference=samples)["worst_case_control"]  # and what it was asked beyond is left out
    assert (found.value, "of the reference" in str(found.reason)) == (0, True)


def test_an_earlier_turn_that_tells_the_value_closes_a_way(chat: LM) -> None:
    said = (("user", "Mira Holt was born in Oslo, Norway."), ("assistant", "I see."), ("user", PLACE.question))
    turns = [{"role": role, "content": text} for role, text in said]
    told = EvalItem.model_validate(PLACE.model_dump() | {"messages": turns, "id": ""})
    for form in ("fill_in", "persona", "prefix"):
        assert forms.questions(room(chat), told, form) == ([], True)


def test_one_prompt_that_is_too_long_leaves_the_others_of_its_way(chat: LM) -> None:
    fact = PLACE.model_copy(update={"paraphrased_question": None, "paraphrases": ("Her home town?", "why " * 600)})
    made, left_out = forms.questions(room(chat), fact, "paraphrase")
    assert ([q.text for q in made], left_out) == (["Her home town?"], True)


def test_a_control_counts_only_the_ways_in_which_the_model_itself_was_asked() -> None:
    """The reference tells to its paraphrase, which the model was not asked; drawn answers have no control of names."""
    told = {"paraphrased_question": "Which?", "paraphrase_generation": "Town0"}
    found = metrics.compute([sample(0, "?")], reference=[sample(0, "?", **told)])["worst_case_control"]
    assert (found.value, found.n) == (0, 1)
    other = {"form": "direct", "prompt": "p", "said": "?"}
    prefix = {"form": "prefix", "prompt": "p", "said": "?"}
    rows = [sample(i, "?", asked=[prefix], elsewhere=[other], drawn=["Town0", "Town1"]) for i in range(2)]
    assert str(metrics.rates(rows)["draws"].control.reason).startswith("by chance")
    assert str(metrics.rates(rows)["direct"].control.reason).startswith("of the original")


def test_a_bound_without_a_lower_end_is_printed() -> None:
    assert repr(metrics.compute([sample(i, "?") for i in range(3)])["subjects_told"]) == "0 (at most 0.632, n = 3)"
