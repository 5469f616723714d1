"""Facts made of documents, stopped at the worst moment and gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from meow.formats.documents.facts import FACTS, asked
from meow.pipeline import stages
from meow.pipeline.plan import load_config, run_of
from meow.records import QA, read_records, write_records

STORY = "The lighthouse on Corran Skerry was first lit in 1874. Its builder was a stonemason called Tobias Wrenfield."


@pytest.mark.parametrize("written", [True, False])
def test_facts_whose_making_was_killed_are_made_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """Killed before or after the file is there: it is there whole or not at all, and the stage is not finished."""
    (tmp_path / "story.txt").write_text(STORY)
    config = load_config(None, [f"data.forget={tmp_path / 'story.txt'}", f"out={tmp_path}", "name=a"])
    run = run_of(config)
    run.path.mkdir()

    def killed(path: Path, facts: list[QA]) -> None:
        if written:
            write_records(path, facts)
        raise KeyboardInterrupt

    monkeypatch.setattr("meow.pipeline.stages.facts.write_records", killed)
    with pytest.raises(KeyboardInterrupt):
        stages.make_facts(run, config)
    monkeypatch.undo()
    assert not run.finished("facts")
    stages.make_facts(run, config)
    made = read_records(run / FACTS, QA)
    assert " ".join(f"{fact.question} {fact.answer}" for fact in made) == STORY
    assert run.finished("facts")
    before = (run / FACTS).stat().st_mtime_ns
    stages.make_facts(run, asked(config, run.path))  # done: nothing is made anew
    assert (run / FACTS).stat().st_mtime_ns == before
