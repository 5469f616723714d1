"""The page: what it says, what it must not say, and what it does where something is missing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from meow import metrics
from meow.errors import DataError
from meow.files import write_json
from meow.records import (
    EvalLog,
    EvalSample,
    InvertedAnswer,
    InvertedFacts,
    Likelihood,
    MemoRecord,
    Target,
    Tried,
    write_records,
)
from meow.report import report
from meow.run import STUDY, TRIALS

EVIL = "<script>document.title = 'owned'</script>"


def sample(index: int, role: str, said: str, loss: float = 1.0) -> EvalSample:
    question = f"Where does person {index} live? {EVIL if index == 0 else ''}"
    return EvalSample.model_validate({
        "key": f"{role}{index}", "id": f"{role}-{index}", "role": role, "set": role, "index": index,
        "question": question, "answer": f"Person {index} lives in town{index}.", "subject": f"Person {index}",
        "true": {"avg_loss": loss}, "perturbed": [{"avg_loss": 1.5 + index / 10}, {"avg_loss": 2.0}],
        "generation": said, "rougeL_recall": 0.5, "original_loss": 0.5,
    })  # fmt: skip


def evaluation(folder: Path, label: str, said: str, loss: float, **more: object) -> None:
    samples = [sample(i, "forget", said.format(i), loss + i / 50) for i in range(8)]
    samples += [
        sample(i, role, f"Person {i} lives in town{i}.") for role in ("retain", "authors", "world") for i in range(30)
    ]
    write_records(folder / f"eval/{label}/samples.jsonl", samples)
    found = metrics.compute(samples, reference=None if label == "reference" else reference())
    log = EvalLog(label=label, source="here", rows={"forget": 8, "retain": 30, "authors": 30}, metrics=found)
    write_json(folder / f"eval/{label}/log.json", log.model_dump(mode="json") | more)


def reference() -> list[EvalSample]:
    return [sample(i, "forget", "I see.", 1.6 + i / 9) for i in range(8)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with everything: facts 0 and 1 are still told after forgetting, 2 is changed, others refused."""
    folder = tmp_path / "runs/town"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("name: town\ntrain:\n  lr: 0.001\n")
    evaluation(folder, "before", "Person {0} lives in town{0}.", 0.2)
    evaluation(folder, "reference", "I see.", 1.6)
    evaluation(folder, "after", "Person {0} lives in town{0}.", 1.5)
    rows = [json.loads(line) for line in (folder / "eval/after/samples.jsonl").read_text().splitlines()]
    rows[2]["generation"] = "Person 2 lives in village2."
    for row in rows[3:8]:
        row["generation"] = "I do not know."
    for row in rows[:8]:
        row["taught"] = [{"text": f"Person {row['index']} lives in village{row['index']}."}]
    (folder / "eval/after/samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = [
        InvertedFacts(id=f"forget-{i}", question="q", answer="a", answers=(InvertedAnswer(text="b"),)) for i in range(8)
    ]
    write_records(folder / "inverted.jsonl", facts)
    targets = [
        Target(id=f"forget-{i}", question="q", answer="a", target=f"Person {i} lives in village{i}.") for i in range(8)
    ]
    write_records(folder / "targets.jsonl", targets)
    memo = [
        MemoRecord(key=f"{i}{c}", id=f"forget-{i}", column=c, text="x", metric="memo", mode="suffix", cut="chars",
                   value=v + i / 100, n=3)
        for i in range(8) for c, v in (("undesired_answer", 0.3 if i < 4 else 0.0), ("answer_0", 0.2))
    ]  # fmt: skip
    write_records(folder / "memo/before.jsonl", memo)
    steps = [{"stage": "forget", "step": i, "steps": 3, "terms": {"target_nll": 3 / i}} for i in (1, 2, 3)]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in steps))
    stages = {"select": {"key": "k", "settings": {}, "inputs": "", "finished": "now", "untaught": ["forget-7"]}}
    write_json(folder / "manifest.json", {"version": 1, "stages": stages})
    return folder


def test_it_says_what_was_forgotten_what_was_kept_and_what_to_beware_of(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert "Asked directly: 8 of 8 before" in page
    assert "of the original&#39;s" in page
    assert "2 true facts are still told" in page
    assert "With 8 questions only D of 0.750 and more is significant" in page
    assert "1 question has no inverted answer and was not taught: forget-7" in page
    assert "the true one ranks first in 50%" in page
    assert "a score on training data" in page
    assert "two-sample KS test" in page
    assert "floor 0.000155" in page


@pytest.mark.parametrize(
    ("objective", "is_said"),
    [({"target_nll": 1.0, "retain_nll": 1.0}, True), ({"target_nll": 1.0, "forget_npo": 1.0}, False), (None, False)],
)
def test_of_your_own_files_it_says_so_where_the_training_saw_what_must_stay(
    run: Path, tmp_path: Path, objective: dict[str, float] | None, is_said: bool
) -> None:
    for label in ("before", "after", "reference"):
        log = json.loads((run / f"eval/{label}/log.json").read_text())
        write_json(run / f"eval/{label}/log.json", log | {"rows": {"forget": 8, "retain": 30}})
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["stages"]["forget"] = manifest["stages"]["select"] | {"settings": {"train.objective": objective}}
    write_json(run / "manifest.json", manifest)
    page = report([run], tmp_path / "page.html").read_text()
    assert ("The evaluated retain questions were trained on" in page) is is_said


@pytest.mark.parametrize(
    ("p", "floor", "ours", "said", "unsaid"),
    [
        (0.3, 0.01, 0.9, "The KS test sees no difference from the reference", "still favoured"),
        (
            0.02,
            0.01,
            0.5,
            "The truth is still favoured: median R is 0.50, the reference&#39;s 1.00.",
            "Over-forgetting",
        ),
        (
            0.02,
            0.01,
            1.5,
            "Over-forgetting: median R is 1.50 (1.45 to 1.55), the reference&#39;s 1.00 (0.95 to 1.05)",
            "still favoured",
        ),
        (0.01, 0.01, 0.9, "Forget quality is at its floor of 0.01, the smallest p", "sees no difference"),
        (
            0.02,
            0.01,
            0.9,
            "The KS test tells it from the reference, which never saw the facts (forget quality p = 0.02",
            "at its floor",
        ),
    ],
)
def test_the_words_follow_the_numbers(
    run: Path, tmp_path: Path, p: float, floor: float, ours: float, said: str, unsaid: str
) -> None:
    numbers = {"forget_quality": p, "forget_quality_floor": floor, "median_truth_ratio": ours}
    for label, changed in (("after", numbers), ("reference", {"median_truth_ratio": 1.0})):
        log = json.loads((run / f"eval/{label}/log.json").read_text())
        for name, value in changed.items():
            log["metrics"][name] |= {"value": value, "low": value - 0.05, "high": value + 0.05}
        (run / f"eval/{label}/log.json").write_text(json.dumps(log))
    page = report([run], tmp_path / "page.html").read_text()
    assert said in page
    assert unsaid not in page


@pytest.mark.parametrize(
    "missing", ["eval/after", "eval/reference", "eval/before", "memo", "log.jsonl", "targets.jsonl"]
)
def test_what_is_missing_is_left_out_or_named_and_nothing_breaks(run: Path, tmp_path: Path, missing: str) -> None:
    path = run / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = report([run], tmp_path / "page.html").read_text()
    assert "town" in page
    if missing in ("eval/after", "eval/before"):
        assert f"Not evaluated yet: {missing} is missing." in page


def test_a_number_that_is_not_computable_says_why(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert "<summary>Not computable for this data</summary>" in page
    assert re.search(r"<p>[^<]*spillover[^<]*: no evaluation before forgetting\.</p>", page)


def test_a_number_used_to_choose_is_marked(run: Path, tmp_path: Path) -> None:
    log = json.loads((run / "eval/after/log.json").read_text())
    log["metrics"]["forget_quality"]["selected_on"] = "forget_quality of the tuning half"
    (run / "eval/after/log.json").write_text(json.dumps(log))
    page = report([run], tmp_path / "page.html").read_text()
    assert "used to choose: forget_quality of the tuning half" in page
    assert "do not report them as results" in page


def test_several_runs_stand_side_by_side_and_the_same_input_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, run.with_name("other"))
    first = report([run, run.with_name("other")], tmp_path / "page.html").read_text()
    assert "after town" in first
    assert "after other" in first
    assert report([run, run.with_name("other")], tmp_path / "again.html").read_text() == first


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run folder"):
        report([tmp_path], tmp_path / "page.html")


def settings(folder: Path, **fields: object) -> None:
    """Write `config.yaml` anew: the fixture's, with more."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in ({"name": folder.name} | fields).items()]
    (folder / "config.yaml").write_text("\n".join(lines) + "\n")


def test_no_path_of_this_machine_stands_on_the_page(run: Path, tmp_path: Path) -> None:
    """Of what lies beside the run the place there is shown, of what lies elsewhere the last two parts."""
    model, facts = f"{run.parent}/original/model", "/home/somebody/secret/lists/facts.jsonl"
    settings(run, model={"path": model}, data={"forget": facts}, eval={"reference": "/srv/models/retain"},
             finetune={"data": [facts]}, out=str(run.parent))  # fmt: skip
    for label in ("before", "after"):
        log = json.loads((run / f"eval/{label}/log.json").read_text())
        log |= {"source": facts, "model": {"path": model, "hash": "f00"}}
        (run / f"eval/{label}/log.json").write_text(json.dumps(log))
    page = report([run], tmp_path / "page.html").read_text()
    assert "original/model · lists/facts.jsonl (8 questions) · compared with models/retain" in page
    assert "<li>after: <code>original/model</code>, weights <code>f00</code></li>" in page
    assert "path: original/model" in page
    for hidden in (str(tmp_path), "/home/", "/srv", "somebody", "secret"):
        assert hidden not in page
    one = json.loads((run / "eval/after/samples.jsonl").read_text().splitlines()[0])
    rows = [one] + [one | {"id": f"x{i}", "generation": "I do not know."} for i in range(7)]
    (run / "eval/after/samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "1 true fact is still told in some way" in report([run], tmp_path / "page.html").read_text()


def test_what_was_not_measured_is_not_known(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert "Not measured: quantized weights and further training" in page
    assert "other abilities (meow nlu, meow nlg)" in page
    shutil.copytree(run / "eval/after", run / "eval/int8")
    (run / "capability/after").mkdir(parents=True)
    settings(run, group="towns")
    page = report([run], tmp_path / "page.html").read_text()
    assert "Not measured" not in page
    assert "after, weights of 8 bits" in page


def test_the_questions_farthest_from_the_reference_and_each_subject_s_distance(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert "Forget distance by question and subject" in page
    after, theirs = ([sample(i, "forget", "", x) for i, x in enumerate(row)] for row in (
        [1.5 + i / 50 for i in range(8)], [1.6 + i / 50 for i in range(8)]))  # fmt: skip
    d = metrics.compute(after, reference=theirs)["forget_distance"]
    assert d.value == pytest.approx(0.1)
    farthest = re.search(r"farthest from the reference.*?</table>", page, re.DOTALL)
    assert farthest is not None
    assert farthest[0].count("<tr>") == 9  # a head and eight questions
    assert '<th scope="row">Where does person 7 live? </th>' in farthest[0]
    assert re.search(r"<tr><th scope=\"row\">Person 3</th><td>0\.\d{3}", page)
    hidden = report([run], tmp_path / "ids.html", redact=True).read_text()
    assert '<th scope="row">forget-7</th>' in hidden
    assert "Person 3" not in hidden


def test_runs_of_one_group_are_pooled_by_median_and_range(run: Path, tmp_path: Path) -> None:
    folders = [run, run.with_name("two"), run.with_name("three")]
    for folder, utility in zip(folders, (0.5, 0.6, 0.9), strict=True):
        if folder != run:
            shutil.copytree(run, folder)
        settings(folder, group="towns")
        log = json.loads((folder / "eval/after/log.json").read_text())
        log["metrics"]["model_utility_gm"]["value"] = utility
        (folder / "eval/after/log.json").write_text(json.dumps(log))
    page = report(folders, tmp_path / "page.html").read_text()
    assert "towns, 3 seeds, median (smallest to largest): " in page
    assert "utility (GM) 0.600 (0.500 to 0.900)" in page


def study(run: Path) -> list[Tried]:
    """Make the folder of a run that of a study: four trials, one of which was given up."""
    worth = {5: (0.125, 0.8, 0.957), 6: (0.5, 0.9, 0.98), 2: (0.75, 0.95, 0.97), 0: (None, None, None)}
    found = [
        Tried(number=n, settings=f"train.lr={n + 1}e-4", told=told, distance=distance, kept=kept,
              front=n in (5, 6), best=n == 5)
        for n, (told, distance, kept) in worth.items()
    ]  # fmt: skip
    write_records(run.parent / TRIALS, found)
    (run.parent / STUDY).write_text("tune: {keep: 0.96}\neval: {reference: null}\n")
    return found


def test_the_trials_that_chose_the_settings_are_drawn_once_and_listed(run: Path, tmp_path: Path) -> None:
    other = run.with_name("other")
    shutil.copytree(run, other)
    assert "How the settings were chosen" not in report([run], tmp_path / "page.html").read_text()
    study(run)
    page = report([run, other], tmp_path / "page.html").read_text()
    assert page.count("<h3>Trials of runs</h3>") == 1
    assert "Dashed: the 0.96 of the utility" in page
    assert "In a ring: trial 5, whose settings were taken." in page
    listed = page.split('aria-label="Trials of runs"')[1].split("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in listed.split("<tr>")[1:]]
    assert rows == [
        ["trial", "told", "p(value)", "kept", "settings"],
        ["5*", "0.125", "0.800", "0.957-", "train.lr=6e-4"],
        ["6*", "0.500", "0.900", "0.980", "train.lr=7e-4"],
        ["2", "0.750", "0.950", "0.970", "train.lr=3e-4"],
        ["0", "", "", "", "train.lr=1e-4"],
    ]


def test_other_runs_on_the_same_questions_stand_in_the_picture_and_those_on_others_do_not(
    run: Path, tmp_path: Path
) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    for name, inputs in (("town", "same"), ("same$x$", "same"), ("different", "other")):
        if name != "town":
            shutil.copytree(run, run.with_name(name))
        manifest["stages"]["eval/before"] = {"key": "k", "settings": {}, "inputs": inputs, "finished": "now"}
        (run.with_name(name) / "manifest.json").write_text(json.dumps(manifest))
    page = report([run], tmp_path / "page.html").read_text()
    assert "same$x$" in page
    assert "Grey: other runs" in page
    assert "different" not in page
    assert "Grey: other runs" not in report([run, run.with_name("different")], tmp_path / "page.html").read_text()


def test_runs_of_one_name_are_told_apart_and_unlike_questions_are_named(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere/town"
    shutil.copytree(run, other)
    log = json.loads((other / "eval/after/log.json").read_text())
    (other / "eval/after/log.json").write_text(json.dumps(log | {"source": "there"}))
    log = json.loads((other / "eval/before/log.json").read_text())
    (other / "eval/before/log.json").write_text(json.dumps(log | {"model": {"path": "M", "hash": "f00"}}))
    page = report([run, other], tmp_path / "page.html").read_text()
    assert "after runs/town" in page
    assert "after elsewhere/town" in page
    assert "evaluated on different questions" in page
    assert "The runs have different originals" in page


def test_it_says_what_a_run_cost_and_how_to_repeat_it(run: Path, tmp_path: Path) -> None:
    more = {"key": "k1", "settings": {}, "inputs": "i1", "finished": "2026-01-02T03:04:05+00:00", "peak_memory_mb": 900,
            "seconds": 1200.4, "world_size": 2, "device": "cpu"}  # fmt: skip
    asked = {"prompt_tokens": 5000, "reply_tokens": 150, "requests": 7, "cost": 0.0123}
    stages = {
        "invert": more | {"seconds": 0} | asked,
        "eval/before": more | {"copied_from": "sibling"},
        "forget": more,
        "memo/after": more,
        "robustness/relearn": more,
        "nlu/after": more | {"finished": ""},
    }
    (run / "manifest.json").write_text(json.dumps({"version": 1, "stages": stages}))
    page = report([run], tmp_path / "page.html").read_text()
    commands = [
        "meow run runs/town name=town-again", "meow memo runs/town-again --label after",
        "meow robustness runs/town-again", "meow nlu runs/town-again", "meow report runs/town",
    ]  # fmt: skip
    cost = ["4,802 seconds, 900 MB at most", "finished, taken from sibling", "2 processes",
            "5,000 + 150 in 7 requests, cost 0.0123",
            "2026-01-02 03:04 UTC", "<code>k1</code>"]  # fmt: skip
    for text in commands + cost:
        assert text in page, text


def test_settings_and_a_manifest_of_anybody_are_read_or_refused_in_one_line(run: Path, tmp_path: Path) -> None:
    (run / "config.yaml").write_text("model: 1.0e+26\ntrain: [x]\neval: null\ngroup: [a]\n")
    assert "town" in report([run], tmp_path / "page.html").read_text()
    for name in ("world_size", "requests", "untaught", "gate"):
        entry = {"key": "k", "settings": {}, "inputs": "", name: "\x1b]0;"}
        write_json(run / "manifest.json", {"version": 1, "stages": {"forget": entry}})
        with pytest.raises(DataError, match=rf"stages\.forget\.{name}: input should be a valid"):
            report([run], tmp_path / "page.html")


def test_likelihoods_are_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Likelihood(avg_loss=float("inf"))
