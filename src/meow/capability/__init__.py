"""What else did it break: multiple-choice tasks of lm-evaluation-harness (`nlu`), continuations of plain text (`nlg`).

In: a model and its settings. Out: a log and the items behind it. From two logs alone: what changed, and whether that
is significant (`changes`, `paired`; no torch)."""

from meow.capability.nlg import continue_texts, nlg_metrics, read_texts
from meow.capability.nlu import evaluate_tasks, task_files

__all__ = ["continue_texts", "evaluate_tasks", "nlg_metrics", "read_texts", "task_files"]
