"""Plants deliberate faults in a copy of the source, one at a time, and runs the tests that should notice each.

python scripts/mutants.py            # all of them: about ten minutes on two cores
python scripts/mutants.py --part 1/4 # a quarter
python scripts/mutants.py KTO lock   # those whose name holds one of these words

Exits with 1 where a fault survives, where its text stands no longer (once) in its file, or where its tests cannot run.
Some of the tests need `../shared`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FAILED = 1
"""What pytest exits with where a test failed; other numbers: it could not run them."""


class Fault(NamedTuple):
    """A change that some test must notice."""

    name: str
    """What is wrong then."""
    file: str
    """In `src/meow`."""
    old: str
    """Text that stands there once."""
    new: str
    """What replaces it."""
    tests: str
    """The tests that should fail, below `tests`; a blank between two."""


SETTINGS = "unit/training/test_settings.py::"
METRICS = "oracle/test_metrics_oracle.py::"
LOSSES = "oracle/test_losses_oracle.py::"
MEMORY = "oracle/test_memorization_oracle.py::"
TRAINING = "unit/training/test_trainer.py::"
FORMS = "unit/evaluation/asking/test_forms.py::"
LONGHAND = METRICS + "test_every_metric_equals_its_longhand"

FAULTS = (
    Fault(
        "weight decay ignored",
        "training/trainer.py",
        "weight_decay=settings.weight_decay,",
        "weight_decay=0.0,",
        SETTINGS + "test_weight_decay_takes_its_share_of_every_matrix_and_of_no_norm",
    ),
    Fault(
        "schedule ignored",
        "training/trainer.py",
        "lr_scheduler_type=schedule,",
        'lr_scheduler_type="linear",',
        SETTINGS + "test_the_learning_rate_follows_its_schedule",
    ),
    Fault(
        "mixed precision ignored",
        "training/trainer.py",
        'bf16=settings.mixed_precision == "bf16",',
        "bf16=False,",
        TRAINING + "test_bf16_autocast_learns_about_the_same",
    ),
    Fault(
        "LoRA's alpha ignored",
        "lm/loading/adapters.py",
        "settings.lora_alpha or 2 * settings.lora_rank",
        "2 * settings.lora_rank",
        SETTINGS + "test_an_adapter_s_scale_is_alpha_over_rank",
    ),
    Fault(
        "RMU's direction without the seed",
        "training/forward.py",
        "manual_seed(seed)",
        "manual_seed(0)",
        SETTINGS + "test_rmu_steers_along_one_unit_vector_of_the_run_s_seed",
    ),
    Fault(
        "the frozen original drops out",
        "training/forward.py",
        "copy.deepcopy(model).eval()",
        "copy.deepcopy(model).train()",
        SETTINGS + "test_the_original_is_asked_without_dropout_and_the_model_goes_on_training",
    ),
    Fault(
        "the adapted original drops out",
        "training/forward.py",
        "        adapted.eval()\n",
        "",
        SETTINGS + "test_the_original_is_asked_without_dropout_and_the_model_goes_on_training",
    ),
    Fault(
        "KTO's mean of one micro-batch",
        "training/trainer.py",
        "for b in batch_samples]).double()",
        "for b in batch_samples[:1]]).double()",
        TRAINING + "test_accumulation_changes_no_weight",
    ),
    Fault(
        "divided by one micro-batch",
        "training/trainer.py",
        "sum(count(t, b, self.terms) for b in batch_samples)",
        "count(t, batch_samples[0], self.terms)",
        TRAINING + "test_accumulation_changes_no_weight",
    ),
    Fault(
        "batches across epochs",
        "training/rows.py",
        "math.ceil(epochs * math.ceil(rows / at_once) - 1e-9)",
        "math.ceil(epochs * rows / at_once)",
        TRAINING + "test_steps_of_a_training_are_those_of_its_epochs",
    ),
    Fault(
        "retain rows drawn with replacement",
        "training/rows.py",
        "dice.sample(range(n), n)",
        "dice.choices(range(n), k=n)",
        TRAINING + "test_retain_rows_are_drawn_without_replacement_until_exhausted",
    ),
    Fault(
        "the order's seed ignored",
        "training/rows.py",
        'random.Random(f"order:{seed}")',
        'random.Random("order")',
        TRAINING + "test_an_epoch_passes_once_over_the_rows_in_another_order",
    ),
    Fault(
        "a torn checkpoint used",
        "training/checkpoints.py",
        "if not (p / COMPLETE).exists()",
        "if False",
        TRAINING + "test_a_checkpoint_that_was_cut_off_is_not_used",
    ),
    Fault(
        "NPO's sign",
        "losses/terms.py",
        "softplus(beta * _moved(",
        "softplus(-beta * _moved(",
        LOSSES + "test_npo_by_hand",
    ),
    Fault(
        "DPO without beta",
        "losses/terms.py",
        "logsigmoid(beta * margin)",
        "logsigmoid(margin)",
        LOSSES + "test_dpo_by_hand",
    ),
    Fault(
        "KL the other way round",
        "losses/terms.py",
        "theirs.exp() * (theirs - ours)",
        "ours.exp() * (ours - theirs)",
        LOSSES + "test_kl_by_hand",
    ),
    Fault(
        "lowest for highest",
        "memorization/selection.py",
        'sign = -1 if rule == "highest" else 1',
        'sign = 1 if rule == "highest" else -1',
        "unit/memorization/test_selection.py",
    ),
    Fault(
        "ties by the last",
        "memorization/selection.py",
        "(c.value or 0.0), c.position))",
        "(c.value or 0.0), -c.position))",
        "unit/memorization/test_selection.py",
    ),
    Fault(
        "the gate accepts the truth",
        "inversion/gate.py",
        'yield "keeps_truth"',
        "yield from ()",
        "unit/inversion/test_gate.py::test_each_problem_has_its_name",
    ),
    Fault(
        "precision for recall",
        "text.py",
        "precision, recall = matches / max(n_prediction, 1), matches / max(n_target, 1)",
        "recall, precision = matches / max(n_prediction, 1), matches / max(n_target, 1)",
        "oracle/test_rouge_oracle.py",
    ),
    Fault(
        "ROUGE precision in evaluation",
        "evaluation/sampling.py",
        "tokenizer=tokenizer).recall",
        "tokenizer=tokenizer).precision",
        "unit/evaluation/test_sampling.py::test_rouge_of_an_answer_is_recall",
    ),
    Fault(
        "Min-K of a fifth",
        "evaluation/likelihoods.py",
        "int(0.4 * n)",
        "int(0.2 * n)",
        "unit/evaluation/test_sampling.py::test_memorization_and_attack_scores_equal_a_literal_computation",
    ),
    Fault(
        "KS one-sided",
        "statistics.py",
        'ks_2samp(ours, theirs, method="exact")',
        'ks_2samp(ours, theirs, alternative="less", method="exact")',
        LONGHAND,
    ),
    Fault("AM for GM", "metrics/items.py", 'wrong.mean() if form == "gm"', 'wrong.mean() if form == "am"', LONGHAND),
    Fault("AUC's ties whole", "statistics.py", "wins += 0.5 *", "wins += 1.0 *", LONGHAND),
    Fault(
        "utility a plain mean",
        "statistics.py",
        "middle = float(hmean(means))",
        "middle = float(means.mean())",
        LONGHAND,
    ),
    Fault(
        "accents tell names apart",
        "values/folding.py",
        '_BESIDE_IDEOGRAPH.sub(" ", _without_accents(text).translate(_LETTERS))',
        '_BESIDE_IDEOGRAPH.sub(" ", text.translate(_LETTERS))',
        "unit/values/test_values.py::test_a_text_tells_a_value_in_any_form",
    ),
    Fault(
        "an interval beside McNemar's verdict",
        "capability/paired.py",
        "if p >= 0.05:",
        "if p >= 0.5:",
        METRICS + "test_the_interval_of_a_paired_difference_of_shares_agrees_with_mcnemar_s_verdict",
    ),
    Fault(
        "MEMO's stride off by one",
        "memorization/windows.py",
        "for s in range(1, len(cut), settings.stride):",
        "for s in range(0, len(cut), settings.stride):",
        MEMORY + "test_memo_equals_one_window_at_a_time[raw-suffix]",
    ),
    Fault(
        "a key without the weights",
        "memorization/measures.py",
        "digest([of_model(lm), kind,",
        "digest([kind,",
        MEMORY + "test_known_rows_are_passed_over_and_keys_follow_weights_settings_and_texts",
    ),
    Fault(
        "a torn line kept",
        "run/rows.py",
        "if whole != lines:",
        "if False:",
        "unit/run/test_run.py::test_a_torn_last_line_is_dropped_and_measured_again",
    ),
    Fault(
        "the lock not taken",
        "run/lock.py",
        "FileLock(folder / LOCK, ",
        "FileLock(folder / os.urandom(4).hex(), ",
        "unit/run/test_run.py::test_two_processes_cannot_work_in_one_folder",
    ),
    Fault(
        "choices in the worst case",
        "metrics/items.py",
        'APART: tuple[FormName, ...] = ("choice", "draws")',
        'APART: tuple[FormName, ...] = ("draws",)',
        FORMS + "test_the_worst_case_by_hand",
    ),
    Fault(
        "prompts that tell the value",
        "evaluation/asking/forms.py",
        "< room.prompter.max_length and not _tells(fact, q)]",
        "< room.prompter.max_length]",
        FORMS + "test_a_prompt_that_tells_what_it_asks_is_not_put",
    ),
    Fault(
        "a bound of ten in a hundred",
        "statistics.py",
        "beta.ppf(0.95, told + 1, n - told)",
        "beta.ppf(0.9, told + 1, n - told)",
        FORMS + "test_none_of_three_is_at_most_sixty_three_in_a_hundred",
    ),
)


def tried(fault: Fault, place: Path) -> str | None:
    """Plant a fault in a fresh copy of the source and run its tests.

    Args:
        fault: a row of FAULTS.
        place: an empty folder for the copy.

    Returns:
        None where a test failed, as it should; else what is wrong.
    """
    shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("__pycache__"))
    file = place / "src/meow" / fault.file
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if text.count(fault.old) != 1:
        return f"its text stands {text.count(fault.old)} times in {fault.file}: {fault.old.strip()}"
    file.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    tests = [f"tests/{name}" for name in fault.tests.split()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(place / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode == FAILED:
        return None
    last = (done.stdout + done.stderr).strip().splitlines()[-1:]
    return "survived" if done.returncode == 0 else f"its tests cannot run: {''.join(last)}"


def main() -> int:
    """The number to exit with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="words of the names of faults; default: all")
    parser.add_argument("--part", default="1/1", help="which part of how many, as in 2/4")
    given = parser.parse_args()
    part, parts = map(int, given.part.split("/"))
    chosen = [f for f in FAULTS if not given.names or any(name in f.name for name in given.names)]
    wrong = 0
    for fault in chosen[part - 1 :: parts]:
        with tempfile.TemporaryDirectory() as place:
            found = tried(fault, Path(place))
        wrong += found is not None
        print(f"{fault.name}: {found or 'noticed'}", flush=True)
    print(f"{len(chosen[part - 1 :: parts])} faults, {wrong} not noticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
