"""Benchmarks by their own words and their own numbers, beside ours.

In: probes of a layout, and a model. Out: `eval/<label>/probes.jsonl`, and `scores` in its log.
"""
