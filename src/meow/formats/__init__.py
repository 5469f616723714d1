"""Files as users and others have them: their questions, TOFU's folder, inverted facts, evaluations; and between them.

In: a path. Out: records, or one line that names file, row and cure. Nothing is guessed: a row without an answer is an
error, never a blank.
"""
