"""The method in a few lines of Python: `from meow import LM, invert, memorize, select, forget, evaluate`.

In: facts as a file, pairs, mappings, records or a table; a model as an `LM`, or as transformers' model and tokenizer;
a few settings by name, further ones of the same section (docs/config.md) in `more`, as in `{"stride": 3}`. What is not
given is that section's default. Out: records, numbers, pages. The work is done elsewhere: `steps` need torch, `pages`
and what is `given` do not.
"""
