"""WMDP: corpora as passages; what is asked is left to the harness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.formats import layouts, sources
from meow.pipeline.plan import load_config


def wmdp_folder(folder: Path) -> Path:
    """A data set of WMDP's form, of one of its two kinds."""
    folder.mkdir(parents=True, exist_ok=True)
    long = " ".join(f"Step {i} of the exploit is this." for i in range(90))
    for name, texts in {"forget": [long, "Short."], "retain": ["A harmless script."]}.items():
        lines = [json.dumps({"text": text}) + "\n" for text in texts]
        (folder / f"cyber-{name}-corpus.jsonl").write_text("".join(lines))
    return folder


def test_its_corpora_are_passages_and_the_first_of_each_text_is_asked_for(tmp_path: Path) -> None:
    settings = DataSettings(source=str(wmdp_folder(tmp_path)), split="cyber")
    assert layouts.name_of(settings) == "wmdp"
    forget = sources.forget_set(settings)
    assert len(forget) > 3
    assert {fact.question for fact in forget} == {""}
    assert " ".join(f.answer for f in forget).split()[-1] == "Short."
    items = sources.eval_items(settings)
    assert [i.role for i in items] == ["forget", "forget", "retain"]
    assert items[0].answer == forget[0].answer
    assert layouts.probes(settings) == []
    with pytest.raises(ConfigError, match=r"data\.split: not set, allowed: bio, cyber"):
        sources.forget_set(DataSettings(source=str(tmp_path)))
    with pytest.raises(DataError, match="holds no bio-forget-corpus"):
        sources.forget_set(settings.model_copy(update={"split": "bio"}))
    hub = DataSettings(source="cais/wmdp-corpora", split="bio")
    with pytest.raises(DataError, match="bio-forget-corpus is given on request"):
        sources.forget_set(hub)


def test_its_tasks_are_asked_where_nobody_names_others(tmp_path: Path) -> None:
    data = [f"data.source={wmdp_folder(tmp_path)}", "data.split=cyber"]
    assert load_config(None, data).nlu.tasks == ("wmdp_bio", "wmdp_cyber", "wmdp_chem", "mmlu")
    assert load_config(None, [*data, "nlu.tasks=[piqa]"]).nlu.tasks == ("piqa",)
    assert load_config(None, ["data.source=nowhere"]).nlu.tasks == load_config(None).nlu.tasks
