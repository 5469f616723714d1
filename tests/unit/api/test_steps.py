"""What one types in a notebook."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback
from transformers.utils.logging import enable_progress_bar, is_progress_bar_enabled

import meow
from meow import terminal, values
from meow.config import FinetuneSettings
from meow.errors import ConfigError, RunError
from meow.lm import LM, make_tiny
from meow.losses import TERMS, Term
from meow.pipeline.plan import load_config
from meow.records import QA, EvalLog, InvertedAnswer, InvertedFacts, Target, Value
from tests.conftest import FORGET, RETAIN


def test_importing_meow_loads_no_torch_and_knows_its_names() -> None:
    code = (
        "import sys, meow; assert set(meow.__all__) <= set(dir(meow)); assert len(sys.modules) < 200; "
        "import meow.report.words, meow.compare; from meow import report, compare, push, facts; "
        "assert callable(report) and callable(compare) and report is meow.report; "
        "from meow.report import words; print(type(words).__name__, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "module False\n"  # report and compare are functions, whoever imports their rooms
    with pytest.raises(AttributeError, match="unlearn"):
        meow.unlearn  # noqa: B018


def test_a_method_that_teaches_nothing_takes_the_facts_and_changes_the_name_of_the_weights(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    name = lm.weights
    log = meow.forget(lm, FORGET, method="grad_ascent", lr=1e-2, epochs=4, batch_size=3)
    assert [row["step"] for row in log] == [1, 2, 3, 4]
    assert log[-1]["loss"] < log[0]["loss"]
    assert lm.weights != name


def test_what_a_method_lacks_is_said(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    with pytest.raises(ConfigError, match="give retain"):
        meow.forget(lm, FORGET, method="meow_contrast")
    with pytest.raises(ConfigError, match="give the targets that select returns"):
        meow.forget(lm, FORGET, RETAIN, method="meow_contrast")
    with pytest.raises(ConfigError, match="did you mean meow"):
        meow.forget(lm, FORGET, method="meouw")


def test_a_method_brings_the_same_settings_as_on_the_command_line() -> None:
    """How many answers of each of three questions, of which there are five, are taught."""
    inverted = [
        InvertedFacts(question=q, answer=a, answers=tuple(InvertedAnswer(text=f"No {i}.") for i in range(5)))
        for q, a in FORGET
    ]
    for method in ("meow_contrast", "meow", "meow_memo", "altpo"):
        config = load_config(None, [f"train.method={method}"])
        wanted = 5 if config.train.targets == "all" else config.select.k
        assert len(meow.select(inverted, method=method)) == 3 * wanted, method
    assert len(meow.select(inverted)) == 3  # meow_contrast teaches one
    assert len(meow.select(inverted, k=2)) == 6
    with pytest.raises(ConfigError, match="npo teaches no inverted answer"):
        meow.select(inverted, method="npo")


def test_many_questions_are_answered_at_once_as_one_by_one(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model)
    asked = [*(q for q, _ in FORGET), QA(question=RETAIN[0][0], answer=RETAIN[0][1])]
    assert lm.answer(asked, max_new_tokens=8) == [lm.answer(one, max_new_tokens=8) for one in asked]
    assert lm.answer([]) == []


def test_a_question_alone_is_put_as_one_whose_answer_is_known(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    for fact in meow.facts(FORGET + RETAIN):
        assert lm.prompter.asked(fact.question).ids == lm.prompter.prompt(fact).ids


def test_files_and_pairs_are_the_same_facts(tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in FORGET))
    assert meow.facts(file) == meow.facts(FORGET) == meow.facts(meow.facts(FORGET))


def made() -> tuple[Any, Any]:
    """A model and a tokenizer that somebody holds."""
    texts = [f"Question: {q}\nAnswer: {a}" for q, a in FORGET + RETAIN]
    return make_tiny(texts, FinetuneSettings(vocab_size=300, hidden_size=32, context=128), seed=0)


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("more", [{}, {"lora_rank": 2}, {"lora_rank": 2, "lora_merge": False}])
def test_a_model_and_its_tokenizer_are_taken_where_an_lm_is(more: dict[str, Any]) -> None:
    """The model that is held is the one that is changed; what it says is what an LM of it says."""
    pair, before = made(), weights(made()[0])
    ids = pair[1]("Question: Where was Mira Holt born?", return_tensors="pt").input_ids
    unchanged = pair[0](ids).logits
    meow.forget(pair, FORGET, method="grad_ascent", lr=1e-2, epochs=2, batch_size=3, more=more)
    assert not torch.allclose(pair[0](ids).logits, unchanged)
    lm = LM(made()[0], pair[1])
    meow.forget(lm, FORGET, method="grad_ascent", lr=1e-2, epochs=2, batch_size=3, more=more)
    assert torch.equal(pair[0](ids).logits, lm.model(ids).logits)
    assert same(weights(made()[0]), before)


def test_every_function_takes_a_model_with_its_tokenizer_and_names_what_is_none() -> None:
    pair = made()
    (row, *_) = meow.memorize(pair, FORGET[:1], more={"max_new_tokens": 4, "metric": "ma"})
    assert (row.column, row.text) == ("undesired_answer", FORGET[0][1])
    found = meow.evaluate(pair, FORGET[:1], original=pair, more={"max_new_tokens": 4})
    assert len(found.samples) == 1
    assert meow.finetune(pair, FORGET[:1], lr=1e-3, epochs=1)
    calls: list[tuple[str, Callable[[Any], Any]]] = [
        ("lm", lambda lm: meow.invert(FORGET, lm=lm)), ("lm", lambda lm: meow.memorize(lm, [])),
        ("lm", lambda lm: meow.forget(lm, FORGET)), ("lm", lambda lm: meow.finetune(lm, FORGET)),
        ("lm", lambda lm: meow.evaluate(lm, FORGET)), ("original", lambda lm: meow.evaluate(pair, FORGET, original=lm)),
    ]  # fmt: skip
    for name, call in calls:
        for bad, kind in ((pair[0], "LlamaForCausalLM"), (pair[::-1], r"\(\w+, LlamaForCausalLM\)"), ("gpt2", "str")):
            with pytest.raises(ConfigError, match=f"^{name}: found {kind}, expected LM.load.PATH., or a transformers"):
                call(bad)


class Heard(TrainerCallback):
    """Stops after some steps."""

    def __init__(self, last: int) -> None:
        self.last, self.losses = last, []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        del args, more
        self.losses.append(logs["term/forget_ascent" if "term/forget_ascent" in logs else "term/target_nll"])
        control.should_training_stop = state.global_step == self.last


def test_callbacks_hear_every_step_and_may_end_the_training() -> None:
    heard, pair = Heard(2), made()
    log = meow.forget(
        pair, FORGET, method="grad_ascent", lr=1e-3, epochs=4, batch_size=3, callbacks=[heard], more={"warmup": 0}
    )
    assert heard.losses == [row["terms"]["forget_ascent"] for row in log]
    assert len(log) == 2
    shorter, longer = made(), made()
    meow.finetune(longer, FORGET, lr=1e-3, epochs=5, batch_size=3, callbacks=[Heard(1)], more={"schedule": "constant"})
    meow.finetune(shorter, FORGET, lr=1e-3, epochs=5, batch_size=3, more={"schedule": "constant"})
    assert not same(weights(longer[0]), weights(shorter[0]))
    for bad, found in ((Heard, "<class"), (print, "<built-in function print>")):
        with pytest.raises(ConfigError, match=f"callbacks: found {found}.*expected objects of transformers"):
            meow.forget(pair, FORGET, method="npo", callbacks=[bad])  # type: ignore[list-item]


def my_nll(views: Any, original: Any, beta: float) -> Any:
    del original, beta
    return -views["target"].logp.sum(), len(views["target"].logp)


def far_from_the_original(views: Any, original: Any, beta: float) -> Any:
    moved = views["forget"].per_row() - original["forget"].per_row
    return (beta * moved).exp().sum(), views["forget"].n_rows


def test_a_function_is_a_term() -> None:
    """Minus the log-likelihood, written anew, trains as `target_nll` does, to the last bit."""
    targets = [Target(question=q, answer=a, target="It is blue.") for q, a in FORGET]
    how: dict[str, Any] = {"lr": 1e-2, "epochs": 2, "batch_size": 2}
    mine, named = made(), made()
    log = meow.forget(mine, targets, objective={my_nll: 2, "forget_ascent": 0.5}, **how)
    theirs = meow.forget(named, targets, objective={"target_nll": 2, "forget_ascent": 0.5}, **how)
    assert [row["loss"] for row in log] == [row["loss"] for row in theirs]
    assert [row["terms"]["my_nll"] for row in log] == [row["terms"]["target_nll"] for row in theirs]
    assert same(weights(mine[0]), weights(named[0]))
    log = meow.forget(made(), FORGET, objective={far_from_the_original: 1.0}, more={"beta": 0.5}, **how)
    assert log[0]["terms"] == {
        "far_from_the_original": pytest.approx(1.0, abs=1e-4)
    }  # nothing has moved at the first step


def test_a_function_names_what_it_made_by_its_source_and_is_refused_where_it_is_none(tmp_path: Path) -> None:
    target = [Target(question=FORGET[0][0], answer=FORGET[0][1], target="It is blue.")]
    names = set()
    for text in ("", "  # as before"):
        file = tmp_path / f"own{len(names)}.py"
        file.write_text(f"def mine(v, o, b):\n    return -v['target'].logp.sum(), len(v['target'].logp){text}\n")
        lm = LM(*made())
        meow.forget(lm, target, objective={runpy.run_path(str(file))["mine"]: 1}, lr=1e-3, epochs=1)
        names.add(lm.weights)
    assert len(names) == 2
    unseen: dict[str, Any] = {}
    exec("def unseen(v, o, b):\n    return -v['target'].logp.sum(), len(v['target'].logp)", unseen)
    kept = Term(TERMS["retain_nll"].function, ("target",), "row")
    for objective, says in (
        ({unseen["unseen"]: 1}, "unseen: its source cannot be read"),
        ({my_nll: 1, Term(my_nll, ("target",), "token"): 1}, "two terms are called my_nll"),
        ({kept: 1}, "two terms are called retain_nll"),
        ({3: 1}, "found 3, expected"),
        ({my_nll: "much"}, 'objective.my_nll: found "much"'),
        ({"my_nll": 1}, "unknown term 'my_nll'"),
    ):
        with pytest.raises(ConfigError, match=says):
            meow.forget(made(), target, objective=objective)
    with pytest.raises(ConfigError, match="my_nll reads the answers to teach; give the targets that select returns"):
        meow.forget(made(), FORGET, objective={my_nll: 1})
    with pytest.raises(ConfigError, match="found both method=npo and objective"):
        meow.forget(made(), FORGET, method="npo", objective={my_nll: 1})


def test_errors_name_the_argument_and_not_the_command_line() -> None:
    pair = made()
    npo = partial(meow.forget, pair, FORGET, method="npo")
    calls: list[tuple[Callable[[], Any], str]] = [
        (partial(npo, more={"lorarank": 8}), "forget: lorarank: unknown setting; did you mean lora_rank?"),
        (partial(npo, lr=-1), "forget: lr: found -1; input"),
        (partial(npo, lr=99, epochs=50, more={"warmup": 0, "max_grad_norm": 1e9}), "step "),
        (partial(meow.forget, pair, FORGET, method="meouw"), "forget: method: unknown method 'meouw'; did you mean"),
        (partial(meow.select, [], method="meouw"), "select: method: unknown method"),
        (partial(meow.evaluate, pair, FORGET, more={"batch": 2}), "evaluate: batch: unknown setting; allowed: "),
        (partial(meow.invert, FORGET, n=0), "invert: n: found 0; input"),
        (partial(meow.finetune, pair, FORGET, epochs="many"), 'finetune: epochs: found "many"; input'),
    ]
    for call, says in calls:
        with pytest.raises((ConfigError, RunError)) as e:
            call()
        assert str(e.value).startswith(says)
        assert not re.search(r"command line|train\.|finetune\.|select\.", str(e.value))


def test_what_a_notebook_shows_of_results_is_short(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    found = meow.evaluate(lm, FORGET, RETAIN, more={"max_new_tokens": 4})
    assert found.log.rows == {"forget": 3, "retain": 3}
    assert all(len(repr(thing)) < 300 for thing in (lm, found, found.log))
    assert "tiny" in repr(lm)
    assert "facts_told" in found._repr_html_()
    assert repr(Value(value=0.5, low=0.25, high=0.75, n=8)) == "0.5 (0.250 to 0.750, n = 8)"
    assert repr(Value(value=None, reason="no <wrong> answers")) == "not computable: no <wrong> answers"
    log = EvalLog(label="a<b", source="", rows={}, metrics={"x": Value(value=1.0)})
    assert "a&lt;b" in log._repr_html_()


def test_a_library_says_nothing_but_to_the_log(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    enable_progress_bar()
    lm = meow.LM.load(tiny_model, template="qa")
    meow.evaluate(lm, FORGET, more={"max_new_tokens": 4})
    meow.forget(lm, FORGET, method="grad_ascent", lr=1e-2, epochs=1)
    lm.save(tmp_path / "model")
    assert (tmp_path / "model/model.safetensors").is_file()
    assert capfd.readouterr() == ("", "")
    assert is_progress_bar_enabled()  # for others all is as it was
    assert any(record.message.startswith("evaluating") for record in caplog.records)
    assert {record.name for record in caplog.records if "forgetting" in record.message} == {"meow"}
    terminal.say("warning: what must stay is being lost")
    assert caplog.records[-1].levelname == "WARNING"


def test_a_model_that_is_given_inverts_its_own_facts(shared: Path) -> None:
    lm = meow.LM.load(shared / "models/tofu-mini/full", template="qa")
    fact = QA(
        question="In which city and country was Basil Mahfouz Al-Kuwaiti born?",
        answer="Basil Mahfouz Al-Kuwaiti was born in Kuwait City, Kuwait.",
    )
    (row,) = meow.invert([fact], lm=lm)
    assert row.answers
    assert row.evaluation
    assert not any(values.told(fact.accepted, a.text, question=fact.question) for a in row.answers)
    assert meow.invert([fact])[0].answers == ()  # nobody else is asked the same
