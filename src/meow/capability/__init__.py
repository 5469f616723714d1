"""What else did it break: multiple-choice tasks of lm-evaluation-harness (NLU), continuations of plain text (NLG)."""

from meow.capability.nlg import continue_texts, nlg_metrics, read_texts
from meow.capability.nlu import evaluate_tasks, task_files

__all__ = ["continue_texts", "evaluate_tasks", "nlg_metrics", "read_texts", "task_files"]
