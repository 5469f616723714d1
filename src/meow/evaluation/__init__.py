"""Evaluation: asking a model everything that metrics need, and computing them.

In: a model and questions (`sampling`, `likelihoods`), those to keep near what is forgotten or not (`neighbours`). Out:
a sample for each question, and from samples alone a `log.json` of every metric (`scoring`, no torch). `judging`: a
second opinion on what is told, by a chat model. `compression` and `robustness`: weights rounded or pruned, or
trained a little more; `names`: the same questions about people whom no file holds."""
