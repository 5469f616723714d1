"""Stages that ask models: original, changed model and references, the changed one weakened, and a judge.

In: a model or somebody's evaluation, and the questions. Out: `eval/<label>/`, samples and numbers."""
