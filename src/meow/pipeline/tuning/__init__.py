"""`meow tune`: settings chosen by trials on the tuning half, the best of them made whole and judged by the other half.

In: a config whose `tune.space` says what is tried. Out: a study's folder, `runs/<name>/`: `tune.yaml`, the journal of
the trials (or a database elsewhere), a run folder for each trial and for each seed of the best one, `trials.jsonl` and
`front.svg`, `report.html`.

`space` says what is tried, `trials` make one trial, `judging` says what it is worth, `studies` is what several
processes share, `best` the whole runs, `showing` tables and the picture,
`minutes` how long it takes.
"""
