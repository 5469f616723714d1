"""Asking a model: questions in (`sampling`), a `log.json` of every metric out (`scoring`, without a model)."""
