"""Methods on the real TOFU and tofu-mini, three seeds each: `make study`, or `python -m benchmarks.study`.

Settings were chosen by looking at the even-numbered forget questions; what is printed comes from the odd-numbered ones
alone, as median and range over the seeds (p-values are never averaged). A second call reuses what is finished.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks import SHARED, arguments
from meow import metrics, pipeline
from meow.records import EvalSample, read_records

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (0, 1, 2)
METHODS: dict[str, list[str]] = {
    "meow": [],
    "meow_contrast": ["train.method=meow_contrast", "train.lr=1e-3", "train.epochs=8", "train.batch_size=16"],
}
"""Settings beside those of configs/tofu-mini/forget05_meow.yaml."""
SHOWN = (
    "forget_quality", "ks_d", "model_utility_gm", "facts_told", "median_truth_ratio", "forget_rougeL", "fluency",
)  # fmt: skip


def odd(folder: Path, label: str) -> list[EvalSample]:
    """The samples that chose no setting: odd-numbered forget questions, and all of the other sets."""
    rows = read_records(folder / "eval" / label / "samples.jsonl", EvalSample)
    return [row for row in rows if row.role != "forget" or row.index % 2]


def measured(folder: Path, label: str) -> dict[str, float | None]:
    """Metrics of one evaluation on what chose no setting."""
    reference = odd(folder, "reference")
    found = metrics.compute(odd(folder, label), before=odd(folder, "before"), reference=reference)
    return {name: found[name].value for name in SHOWN}


def spread(values: list[float | None]) -> dict[str, float | None]:
    """Median and range."""
    known = [v for v in values if v is not None]
    if not known:
        return {"median": None, "low": None, "high": None}
    return {"median": statistics.median(known), "low": min(known), "high": max(known)}


def main() -> None:
    """Run what is not finished, print one line per method."""
    options = arguments(__doc__ or "", limit=200)
    config = ROOT / "configs/tofu-mini/forget05_meow.yaml"
    paths = [
        f"model.path={options.model}",
        f"data.source={options.data}/tofu",
        f"eval.reference={SHARED}/models/tofu-mini/retain95",
    ]
    paths += [f"invert.path={options.data}/meow/generated_data/forget05_perturbed_generated.json"]
    for name, settings in METHODS.items():
        overrides = [
            *paths,
            *settings,
            "out=study",
            f"name={name}",
            f"seed={list(SEEDS)}",
            f"threads={options.threads}",
        ]
        base = pipeline.load_config(config, overrides)
        folders = [pipeline.run(one).path for one in pipeline.seeds(base)]
        after = [measured(folder, "after") for folder in folders]
        row = {metric: spread([found[metric] for found in after]) for metric in SHOWN}
        print(json.dumps({"method": name, "seeds": SEEDS, "n": 100, "before": measured(folders[0], "before"), **row}))


if __name__ == "__main__":
    main()
