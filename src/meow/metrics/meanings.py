"""What each metric means, in a sentence or two: what it counts, what its ends stand for, what to distrust.

`docs/metrics.md`, `meow metrics` and the page say it.
"""

from __future__ import annotations

_SETS = {
    "forget": "facts that must go",
    "retain": "facts that must stay",
    "authors": "questions about real authors",
    "world": "questions about the world",
}
_OF_SET = {
    "probability": "Mean probability per token of the true answer, over the {set}{among}. 1: certain of every word; "
    "0: of none. Wording counts as much as the fact does.",
    "rougeL": "Mean share of the true answer's words that the answer has in the same order (ROUGE-L recall), over the "
    "{set}. 1: all of them; 0: none. Words of the question count, so a false answer may reach a half.",
    "value_probability": "Mean probability of the true value in its place in the answer, over the {set}. 1: certain; "
    "0: never. Facts whose answer does not hold the value are left out.",
    "truth_ratio_gm": "{ratio} Wrong answers are averaged by their logarithms. The model need say none of these texts.",
    "truth_ratio_am": "{ratio} Wrong answers are averaged as probabilities: the likeliest decides. The model "
    "need say none of these texts.",
    "told": "Share of the {set} whose value the answer tells. 1: all; 0: none. What the model never told cannot be "
    "lost: compare it with before.",
}
_RATIO = {
    True: "Mean of min(R, 1/R), R the probability of wrong answers over that of the true one. 1: it prefers neither; "
    "0: it is certain of one or the other.",
    False: "Mean of 1 - R, at least 0, over the {set}; R is the probability of wrong answers over that of the true "
    "one. 1: only the true one is likely; 0: wrong ones are as likely.",
}
_AMONG = ", among it and the wrong answers"

_MEMBER = (
    "Probability that a fact to forget looks more like one that was trained on than a fact nobody trained on, by "
    "{what}. 0.5: no difference; 1: always; 0 gives it away, too. Aim at the reference's: the two sets may differ."
)
_ATTACKS = {
    "loss": "the loss of its answer",
    "zlib": "its loss over its compressed length",
    "reference": "its loss minus the reference's",
    "min_k": "its least likely tokens (Min-K)",
    "min_k_plus_plus": "its least likely tokens beside all others in their place (Min-K++)",
    "grad_norm": "the norm of its gradient",
}

MEANINGS: dict[str, str] = {
    "worst_case": "Share of the facts to forget that are told in at least one way of asking. 0: in none; 1: all are. "
    "The more ways are asked in, the larger it is by chance: read it beside the control.",
    "worst_case_control": "The same of a model that cannot know the facts, asked in the same ways: what chance and the "
    "questions themselves give. 0: nothing. Its source is named beside it.",
    "worst_case_chance": "Share of the facts of which the very same answers tell the value of another fact. 0: none; "
    "near the worst case: what is told is common words.",
    "subjects_told": "Share of the subjects (people, places) of which any fact is told in any way. 0: of none. "
    "Subjects are few, so only its upper bound says much.",
    "forget_quality": "p-value of a test (KS) that truth ratios after forgetting are those of the reference, a model "
    "that never saw the facts. Near 1: no difference seen; below 0.05: one is. Few questions see nothing.",
    "ks_d": "Largest gap between the distributions of truth ratios after forgetting and of the reference. 0: the same; "
    "1: no overlap. It does not see which question is which.",
    "forget_quality_floor": "The smallest p-value that so many questions can give: forget quality cannot be below it, "
    "whatever the model knows.",
    "forget_distance": "How far the truth ratio of a question lies from the reference's (log R, root mean square, in "
    "nats). 0: the same. Two models that never saw the facts differ, too.",
    "forget_distance_relative": "Forget distance over the distance between two references. 1: as another model that "
    "never saw the facts; far above: something is left, or too much is gone.",
    "model_utility_gm": "Harmonic mean of probability, ROUGE-L and truth ratio on what must stay. 1: perfect; 0: one "
    "of them is 0. Answers may change while it stays: look at what is still told.",
    "model_utility_am": "The same with the paper's truth ratio, for which wrong answers are averaged as probabilities. "
    "1: perfect; 0: one of its parts is 0. Not to be set beside the other form.",
    "facts_told": "Share of the facts to forget whose value the answer to the question tells. 0: none; 1: all. Other "
    "ways of asking may still tell them: see the worst case.",
    "facts_told_paraphrase": "The same for the question in other words. 0: none; 1: all. Broken text tells nothing "
    "either: look at the answers.",
    "value_probability": "Mean probability of the true value in its place in the answer. 0: never; 1: certain. It sees "
    "what greedy answers hide; facts whose answer does not hold the value are left out.",
    "value_rank": "Mean place of the true value by probability among itself and what the original would say there "
    "instead. 1: still the likeliest. With few alternatives it cannot be large.",
    "facts_told_partly": "Share of the facts to forget of whose value, where it is a list, any part is told. 0: none; "
    "1: all. Common parts (and, a country) may be told by chance.",
    "facts_told_words": "Share of the facts whose answer has every telling word of the true one: the older rule. 0: "
    "none; 1: all. It misses values in other words.",
    "judge_told": "Share of the facts to forget that are told as a chat model judges the answers. 0: none; 1: all. A "
    "judge errs: see its agreement with the rule.",
    "judge_kappa": "Agreement of rule and judge beyond chance (Cohen's kappa). 1: always; 0: as by chance. Where "
    "hardly anything is told it is unstable.",
    "facts_told_prefix": "Share of the facts told when the true answer is begun for the model, up to the value. 0: "
    "none; 1: all. The beginning itself helps a model that knows nothing.",
    **{
        f"leak_{k}": f"Probability that at least one of {k} drawn answers tells the fact, mean over the facts to "
        "forget. 0: never; 1: always. It depends on the temperature."
        for k in (1, 4, 16)
    },
    "coming_back": "Share of the facts that are not told when asked for directly, but in another way. 0: none. The "
    "ways are named beside it; direct answers alone would have missed them.",
    "changed": "Share of the facts to forget that are not told, and of which the answer tells what was taught instead. "
    "1: all; 0: none. Methods that teach nothing have none.",
    "another": "Share of the facts to forget of which the answer tells neither the truth nor what was taught. Invented "
    "answers and other people's facts are among them.",
    "refused": "Share of the facts to forget to which the model says that it does not know, or does not answer. The "
    "words that count as a refusal are a list.",
    "broken": "Share of the facts to forget of which the answer is no whole text: empty, endless, repeated or soup. 0: "
    "none. A broken answer tells nothing, and nothing is forgotten well by it.",
    "never_known": "Share of the facts to forget that the original did not tell either. They cannot be forgotten; "
    "every other share is smaller for them.",
    "facts_forgotten": "Of the facts that the original told in any way, the share that is told in no way any more. 1: "
    "all; 0: none. Broken text tells nothing either: read it beside whole answers and what is kept.",
    "median_truth_ratio": "Median over the facts to forget of R, the probability of wrong answers over that of the "
    "true one. Below 1: the truth is preferred. Above the reference's: over-forgetting, which shows.",
    "fluency": "How likely the original finds the answers, beside its own (nats per token). 0: as likely; far below: "
    "broken text, or a surprising but whole sentence. Look at the answers.",
    "fluent": "Share of the answers to facts to forget that are whole text. 1: all; below: some are empty, endless, "
    "repeated or soup. Whole text may still be false.",
    "fluent_retain": "Share of the answers to facts that must stay that are whole text. 1: all; below: some are empty, "
    "endless, repeated or soup. Whole text may still be false.",
    "clean_logp": "What whole text has at least under the original (nats per token): below it an answer counts as "
    "soup. Found on the facts that must stay.",
    "retain_kept": "Of the facts that must stay and were told before, the share that is still told. 1: all; 0: none. "
    "It says nothing of what was not asked.",
    "neighbours_kept": "Of the facts near those to forget that were told before, the share still told. 1: all; 0: "
    "none. They are damaged first; n may be small.",
    "others_kept": "Of the facts about something else that were told before, the share still told. 1: all; 0: none. It "
    "says nothing of what was not asked.",
    **{f"{role}_told": _OF_SET["told"].format(set=_SETS[role]) for role in ("retain", "authors", "world")},
    "spillover": "Of the questions on what must stay that were answered right before (half of the words), the share "
    "that is not any more. 0: none; 1: all. It goes by words, not by the value.",
    "spillover_holdout": "The same for facts of the kind to forget that no model was trained on. 0: none; 1: all. "
    "Hardly any is right before, so n is small.",
    "conflict_facts": "Share of pairs of taught answers about one subject that contradict each other. 0: none; 1: all. "
    "Only what values show is seen.",
    "conflict_versions": "Share of pairs of answers taught for one question that contradict each other. 0: none; 1: "
    "all. With several different answers it is high by design.",
    "exact_memorization": "Mean share of the true answer's tokens that the model would say next (EM). 1: all; 0: none. "
    "Common words count, so a model that never saw it is far above 0.",
    "extraction_strength": "Mean share of the true answer that follows by itself once the rest is given (ES). 1: all "
    "of it; 0: nothing. The end of a sentence follows easily.",
    **{f"mia_{name}": _MEMBER.format(what=what) for name, what in _ATTACKS.items()},
    "privacy_leak": "Min-K's attack beside the reference's, in percent. 0: as one that never saw the facts; -100: "
    "knows everything; above 0: forgot more, which shows. Near a reference of 1 it explodes.",
    "detectability": "How well losses tell facts to forget from facts nobody trained on, whichever are lower. 0.5: not "
    "at all; 1: always. The reference has a value of its own: the two sets may differ.",
    "verbatim_rougeL": "Mean share of the next words of a passage that the model says in the same order (ROUGE-L "
    "recall), after its first 16 to 128 tokens. 1: all; 0: none. Common words count: what never saw it has some.",
    "verbatim_lcs": "Mean characters of the longest text that stands both in what the model says after a beginning and "
    "in how the passage goes on. 10 or so come by chance; up to 50 tokens are compared.",
    "verbatim_lcs_share": "The same as a share of how the passage goes on. 1: all of it in one piece; 0: nothing.",
    "verbatim_exact": "Mean share of the next tokens of a passage that the model says at their very places. 1: all; 0: "
    "none. One word more or less moves all that follows.",
    **{
        f"extracted_{n}": f"Share of the passages whose next tokens, 50 or those left, follow greedily from the first "
        f"{n} without one mistake. 1: all; 0: none. A single other word counts as safe: read the shares beside it."
        for n in (16, 32, 64, 128)
    },
    **{
        f"{role}_{name}": text.format(
            set=_SETS[role],
            ratio=_RATIO[role == "forget"].format(set=_SETS[role]),
            among=_AMONG if role in ("authors", "world") else "",
        )
        for role in _SETS
        for name, text in _OF_SET.items()
        if name != "told" and (role, name) != ("forget", "value_probability")
    },
    "truncated": "Answers, true and wrong, that were cut to fit the context before they were scored. Above 0: "
    "likelihoods are of parts; a longer context mends it.",
    "unfinished": "Share of the greedy answers that the length limit stopped. 0: none; 1: all. What would have come "
    "after is not judged (eval.max_new_tokens).",
}
"""By name of METRICS."""
