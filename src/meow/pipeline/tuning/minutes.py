"""How long trials take, before the first one is begun."""

from __future__ import annotations

from collections import Counter

from meow import metrics, training
from meow.config import RunConfig
from meow.formats import sources
from meow.pipeline import costs, preview
from meow.pipeline.plan import run_of


def seconds(config: RunConfig) -> tuple[float, float] | None:
    """Seconds of a trial, and of a whole run of the best one: training and evaluation; None: not known.

    Args:
        config: of a trial.
    """
    facts, items = sources.forget_set(config.data), sources.eval_items(config.data, limit=config.eval.rows)
    inverted = preview.expected(run_of(config), facts, config)
    rows = preview.training_rows(facts, inverted, config)
    sized = training.sized(config.train, rows)
    batch = min(int(sized.batch_size), rows)
    work = costs.Work(inverted, sources.retain_set(config.data), items, batch, rows * float(sized.epochs) / batch, 0)
    model = costs.model_of(config)
    if model is None:
        return None
    found = costs.seconds(config, work, model, costs.way_of(config, model), costs.pass_of(config, work, model))
    counts = Counter(item.role for item in items)
    used = sum(metrics.used_to_choose(role, i) for role, n in counts.items() for i in range(n))
    whole = (found.evaluation or 0.0) / 2  # of one model
    return found.training + whole * used / len(items), found.training + whole
