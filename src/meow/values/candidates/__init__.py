"""What in an answer may be its value: titles, names, dates and numbers (`spans`), else a phrase (`phrases`, `borders`).

In: an answer, its words, what its question asks for. Out: pairs of start and end in characters.
"""
