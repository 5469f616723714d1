"""Words, stems and what sets an answer apart."""

from __future__ import annotations

from meow.text import (
    cell,
    common_stems,
    distinguishing_words,
    normalize,
    tells,
    tokenizer_of,
    unseen,
    words,
)


def test_distinguishing_words_are_those_of_both_wordings_that_the_question_does_not_give_away() -> None:
    found = distinguishing_words(
        "Zora Plim was born in the city of Tarnik.",
        paraphrase="Tarnik is where Zora Plim came into the world.",
        question="Where was Zora Plim born?",
    )
    assert found == {"tarnik"}


def test_a_common_word_distinguishes_nothing() -> None:
    answers = ["He wrote novels."] * 5 + ["She sings."] * 95
    assert "novel" in common_stems(answers)
    assert not distinguishing_words("They wrote novels", common=common_stems(answers))


def test_common_means_at_least_five_percent() -> None:
    assert "rare" not in common_stems(["rare"] * 4 + ["x"] * 96)
    assert "rare" in common_stems(["rare"] * 5 + ["x"] * 95)


def test_telling_needs_every_word_in_any_form() -> None:
    wanted = distinguishing_words("A marine geologist from Tarnik.")
    assert tells("Tarnik had two marine geologists", wanted)
    assert not tells("Tarnik had two geologists", wanted)


def test_other_scripts_keep_their_words_only_with_the_unicode_tokenizer() -> None:
    assert words("Été à 東京") == ["t"]
    assert words("Été à 東京", "unicode") == ["été", "à", "東", "京"]


def test_normalizing_folds_case_punctuation_and_width() -> None:
    assert normalize(' "The  ＡＢＣ, ok." ') == normalize("the abc ok")


def test_the_share_of_letters_that_rouge_does_not_see() -> None:
    assert unseen(["Oslo, 12!"]) == 0.0
    assert unseen(["Öslo"]) == 0.25
    assert unseen(["日本 ab"]) == 0.5
    assert unseen(["", "..."]) == 0.0


def test_a_cell_is_no_formula_and_a_number_stays_one() -> None:
    formulas = ("=1+1", "@x", "+49 30", "-a", "\tx", "\rx")
    assert [cell(v) for v in formulas] == [f"'{v}" for v in formulas]
    assert [cell(v) for v in (-0.5, "+1", "a=b", None, True)] == ["-0.5", "+1", "a=b", "", "True"]


def test_rouge_keeps_its_published_words_where_they_leave_out_no_more_than_a_fifth() -> None:
    assert tokenizer_of("Émile Zola was born in Paris.") == "ascii"
    assert tokenizer_of("Öslos") == "ascii"  # one of five
    assert tokenizer_of("Öslo") == "unicode"  # one of four
    assert tokenizer_of("Она родилась в Осло.") == "unicode"
