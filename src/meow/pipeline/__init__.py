"""From settings to a run folder: which stages there are, which are done, and doing them.

In: a `RunConfig`. Out: the files of a run folder. `plan` lists the stages as data, `commands` does them, `status` and
`preview` say what is done and what is to do without a model; a stage is a function of `stages`.
"""
