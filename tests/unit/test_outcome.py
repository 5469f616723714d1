"""What a run came to: the first line of page, terminal and card says what a person would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from meow import card, metrics, outcome
from meow.cli import show
from meow.files import write_json
from meow.records import EvalLog, EvalSample, write_records
from meow.report import report
from meow.results import read
from meow.run import Run

N = 20
KEPT = 30
TRUE, FALSE = "Person {0} lives in Oslo{0}.", "Person {0} lives in Bergen{0}."


def sample(role: str, index: int, said: str, broken: str = "", **more: Any) -> EvalSample:
    return EvalSample.model_validate({
        "key": f"{role}{index}", "id": f"{role}-{index}", "role": role, "set": role, "index": index,
        "question": f"Where does person {index} live?", "answer": TRUE.format(index), "generation": said,
        "taught": [{"text": FALSE.format(index)}] if role == "forget" else None, "broken": broken, "rougeL_recall": 0.5,
    } | more)  # fmt: skip


def evaluation(said: str, broken: str = "", kept: int = KEPT, back: int = 0) -> list[EvalSample]:
    """Every forget fact is answered so, `back` of them tell the truth to the paraphrase; so many of KEPT are kept."""
    more = {"paraphrased_question": "Which home?"}
    forget = [
        sample("forget", i, said.format(i), broken, **more,
               paraphrase_generation=TRUE.format(i) if i < back else "A house.")
        for i in range(N)
    ]  # fmt: skip
    retain = [sample("retain", i, TRUE.format(i) if i < kept else FALSE.format(i)) for i in range(KEPT)]
    return forget + retain


MADE: dict[str, tuple[list[EvalSample], str, str]] = {
    "garbage": (
        evaluation("rrrrrrrrrrrrr", "repeats"),
        "Broken, not forgotten: all 20 answers are no whole text; all 30 others were kept.",
        "Forgot 20/20 · Kept 30/30 · Comes back 0 · Trust n = 20, one seed",
    ),
    "nothing": (
        evaluation(TRUE),
        "Nothing was forgotten: all 20 facts are still told; all 30 others were kept.",
        "Forgot 0/20 · Kept 30/30 · Comes back 0 · Trust n = 20, one seed",
    ),
    "refused": (
        evaluation("I'm not sure about that."),
        "Forgot all 20 facts (20 by refusing to answer) and kept all 30 others.",
        "Forgot 20/20 · Kept 30/30 · Comes back 0 · Trust n = 20, one seed",
    ),
    "perfect": (
        evaluation(FALSE),
        "Forgot all 20 facts and kept all 30 others.",
        "Forgot 20/20 · Kept 30/30 · Comes back 0 · Trust n = 20, one seed",
    ),
    "damaged": (
        evaluation(FALSE, kept=13),
        "Forgot all 20 facts, but 17 of 30 facts to keep were lost.",
        "Forgot 20/20 · Kept 13/30 · Comes back 0 · Trust n = 20, one seed",
    ),
    "leaking": (
        evaluation(FALSE, back=2),
        "Forgot 18 of 20 facts and kept all 30 others.",
        "Forgot 18/20 · Kept 30/30 · Comes back 2 (paraphrase 2) · Trust n = 20, one seed",
    ),
}


@pytest.fixture(params=MADE)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A run folder evaluated before and after forgetting."""
    folder = tmp_path / "runs" / str(request.param)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"name: {request.param}\nmodel:\n  path: m\ntrain:\n  method: meow\n")
    before = evaluation(TRUE)
    for label, rows in (("before", before), ("after", MADE[str(request.param)][0])):
        found = metrics.compute(rows, before=before if label == "after" else None)
        log = EvalLog(label=label, source="here", rows={"forget": N, "retain": KEPT}, metrics=found)
        write_records(folder / f"eval/{label}/samples.jsonl", rows)
        write_json(folder / f"eval/{label}/log.json", log.model_dump(mode="json"))
    entry = {"key": "k", "inputs": "", "finished": "now", "lr": 1e-4, "epochs": 2, "world_size": 1, "versions": {},
             "settings": {"train.method": "meow", "train.lr": "auto", "train.schedule": "linear", "seed": 0,
                          "train.weight_decay": 0, "weights": "w"}}  # fmt: skip
    write_json(folder / "manifest.json", {"version": 1, "stages": {"forget": entry}})
    return str(request.param), folder


def test_page_terminal_and_card_begin_with_what_a_person_would_say(
    made: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, folder = made
    _, sentence, line = MADE[name]
    show.headlines([folder])
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [sentence, line]
    advice = "try a higher train.lr (0.0001 now), more train.epochs (2 now), or train.method=meow_contrast"
    assert (printed[2] == advice) == (name == "nothing")
    results = card.card(Run(folder)).split("## Results\n\n")[1]
    assert results.startswith(f"**{sentence}**\n\n{line}\n")
    page = report([folder], tmp_path / "page.html").read_text()
    assert page.index(sentence) < page.index("<h2")
    for tile in ("Forgot", "Kept", "Comes back", "Trust"):
        assert page.index(f'class="tile-name">{tile}<') < page.index("<h2")


@pytest.mark.parametrize("made", ["nothing"], indirect=True)
def test_where_contrast_hardly_forgets_the_advice_is_to_take_the_value_away(
    made: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = made
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace('"meow"', '"meow_contrast"'))
    show.headlines([folder])
    assert capsys.readouterr().out.splitlines()[2].endswith("or the recipe of examples/value.yaml")
    assert (Path(__file__).parents[2] / "examples/value.yaml").is_file()


@pytest.mark.parametrize("made", ["damaged"], indirect=True)
def test_runs_stand_in_a_table_the_best_first(made: tuple[str, Path]) -> None:
    _, folder = made
    views = {"damaged": read(folder)}
    for name, kept in (("good", 29), ("other", 20)):
        shutil.copytree(folder, folder.with_name(name))
        rows, before = evaluation(FALSE, kept=kept), evaluation(TRUE)
        log = EvalLog(label="after", source="here", rows={"forget": N}, metrics=metrics.compute(rows, before=before))
        write_json(folder.with_name(name) / "eval/after/log.json", log.model_dump(mode="json"))
        views[name] = read(folder.with_name(name))
    table = outcome.of_runs({name: outcome.of(view.logs, view.stages) for name, view in views.items()})
    assert [row.name for row in table.rows] == ["good (best)", "other", "damaged"]
    assert [row.cells[1].text for row in table.rows] == ["29/30", "20/30", "13/30"]
    assert list(table.head) == ["run", "Forgot", "Kept", "Comes back", "Trust", "in words"]


@pytest.mark.parametrize(
    ("said", "kept", "expected"),
    [
        (FALSE, 1, "Forgot the one fact and kept the one other."),
        (FALSE, 0, "Forgot the one fact, but the one fact to keep was lost."),
        (TRUE, 1, "Nothing was forgotten: the one fact is still told; the one other was kept."),
    ],
)
def test_one_fact_is_spoken_of_as_one(said: str, kept: int, expected: str) -> None:
    rows, before = evaluation(said, kept=kept), evaluation(TRUE)
    alone = [[s for s in side if s.index == 0] for side in (rows, before)]
    assert outcome.sentence(metrics.compute(alone[0], before=alone[1])) == expected


def test_before_it_is_evaluated_it_says_so_and_shows_no_count() -> None:
    found = outcome.of({}, {})
    assert found.sentence == "Not evaluated after forgetting yet."
    assert (found.line, found.score) == ("", -1.0)


def test_an_original_that_knew_nothing_leaves_nothing_to_forget() -> None:
    rows = evaluation(FALSE)
    found = outcome.of(
        {"after": EvalLog(label="after", source="", rows={}, metrics=metrics.compute(rows, before=rows))}, {}
    )
    assert found.sentence == "What was forgotten is not known: the original told none of the facts."
