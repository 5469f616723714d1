"""Requests to forget, one after another, over one model: a ledger of them, and what each came to.

In: facts that somebody asks to have forgotten. Out: a folder with `ledger.json`, a run folder for each request, and
`current`, a run folder whose model has forgotten all that is applied. Stages are the pipeline's; only their order and
what stands on what is decided here.
"""
