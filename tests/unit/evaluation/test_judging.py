"""What a judge is asked, and what its reply is taken for."""

from __future__ import annotations

import pytest

from meow.config import JudgeSettings
from meow.evaluation import judging
from meow.records import EvalSample


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("yes", True), ("No.", False), ("**Yes**, it does.", True), (" \n- no, the text denies it", False),
        ("<think>No? Well.</think>\nYes", True), ("No... hm.\n</think>\n\nyes", True),
        ("<think>yes, since", None), ("", None), ("I cannot say yes or no.", None), ("Yesterday.", None),
        ("Nobody knows", None), ("Not quite", None), ("42", None),
    ],
)  # fmt: skip
def test_the_first_word_after_the_thoughts_is_the_verdict_or_there_is_none(reply: str, found: bool | None) -> None:
    assert judging.verdict(reply) is found


def test_each_text_of_a_forget_fact_is_put_with_question_and_value_and_no_other() -> None:
    sample = EvalSample(
        key="k", role="forget", index=0, question="Where was Mira Holt born?", answer="She was born in Oslo, in May.",
        values=("Oslo",), generation="In {Oslo}.", prefix_generation="", drawn=("In Rome.", "In {Oslo}."),
    )  # fmt: skip
    settings = JudgeSettings(url="http://localhost:1/v1", model="judge")
    prompts = [request.prompt for request in judging.questions(sample, settings)]
    said = [prompt.split("<said>\n")[1].split("\n</said>")[0] for prompt in prompts]
    assert said == ["In {Oslo}.", "", "In Rome.", "In {Oslo}."]
    assert prompts[0] == prompts[3]
    assert all("Where was Mira Holt born?" in prompt and '"Oslo"' in prompt for prompt in prompts)
    assert "in May" not in prompts[0]
    for changed in ({"role": "retain"}, {"values": (), "answer": "!"}):
        assert judging.questions(sample.model_copy(update=changed), settings) == []
