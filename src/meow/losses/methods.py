"""Methods: which answers are taught, times a weighted sum of terms."""

from __future__ import annotations

from meow.config import Method

_RETAIN = {"retain_nll": 1.0}
_KL = {"retain_kl": 1.0}


METHODS: dict[str, Method] = {
    "meow": Method(
        does="teaches the inverted answers that the model remembers best",
        targets="selected",
        objective={"target_nll": 1.0},
        source="arXiv 2409.11844 (`meow_memo`)",
    ),
    "meow_contrast": Method(
        does="teaches one inverted answer, prefers it to the true one, and keeps the retain set",
        targets="selected",
        objective={"target_nll": 1.0, "target_dpo": 0.05, "retain_nll": 1.0},
        defaults={"select.k": 1, "train.retain_rows": 2},
        source="ours: MEOW with a retain term and a small preference of the taught answer over the true one",
    ),
    "meow_batch": Method(
        does="teaches all inverted answers", targets="all", objective={"target_nll": 1.0}, source="arXiv 2409.11844"
    ),
    "meow_grad_diff": Method(
        does="teaches the inverted answers that the model remembers best, and keeps the retain set",
        targets="selected",
        objective={"target_nll": 0.9, "retain_nll": 0.1},
        source="arXiv 2409.11844",
    ),
    "meow_forget_kl": Method(
        does="teaches the inverted answers that the model remembers best, near the original's distribution",
        targets="selected",
        objective={"target_nll": 1.0, "target_kl": 1.0},
        source="arXiv 2409.11844 (`meow_forgetKL`)",
    ),
    "meow_dpo": Method(
        does="prefers inverted answers to the true ones",
        targets="selected",
        objective={"target_dpo": 1.0},
        source="arXiv 2409.11844",
    ),
    "grad_ascent": Method(
        does="makes the true answers less likely, without end",
        targets="none",
        objective={"forget_ascent": 1.0},
        source="TOFU, arXiv 2401.06121",
    ),
    "grad_diff": Method(
        does="makes the true answers less likely, and keeps the retain set",
        targets="none",
        objective={"forget_ascent": 1.0} | _RETAIN,
        source="TOFU, arXiv 2401.06121",
    ),
    "grad_ascent_kl": Method(
        does="makes the true answers less likely, and stays near the original on the retain set",
        targets="none",
        objective={"forget_ascent": 1.0} | _KL,
        source="TOFU, arXiv 2401.06121",
    ),
    "grad_ascent_forget_kl": Method(
        does="makes the true answers less likely, and stays near the original's distribution on them",
        targets="none",
        objective={"forget_ascent": 1.0, "forget_kl": 1.0},
        source="arXiv 2409.11844",
    ),
    "idk": Method(
        does='teaches to say "I don\'t know", and keeps the retain set',
        targets="idk",
        objective={"target_nll": 1.0} | _RETAIN,
        source="TOFU, arXiv 2401.06121; differs: published is one mean over both, see `idk_joint`",
    ),
    "idk_joint": Method(
        does='teaches to say "I don\'t know" and the retain set, as one mean over both',
        targets="idk",
        objective={"joint_nll": 1.0},
        source="TOFU, arXiv 2401.06121, as published",
    ),
    "dpo": Method(
        does='prefers "I don\'t know" to the true answers',
        targets="idk",
        objective={"target_dpo": 1.0},
        source="DPO, arXiv 2305.18290; TOFU",
    ),
    "dpo_grad_diff": Method(
        does='prefers "I don\'t know" to the true answers, and keeps the retain set',
        targets="idk",
        objective={"target_dpo": 1.0} | _RETAIN,
        source="NPO, arXiv 2404.05868",
    ),
    "dpo_kl": Method(
        does='prefers "I don\'t know" to the true answers, and stays near the original on the retain set',
        targets="idk",
        objective={"target_dpo": 1.0} | _KL,
        source="NPO, arXiv 2404.05868",
    ),
    "npo": Method(
        does="makes the true answers less likely than the original has them, up to a bound",
        targets="none",
        objective={"forget_npo": 1.0},
        source="NPO, arXiv 2404.05868",
    ),
    "npo_grad_diff": Method(
        does="makes the true answers less likely up to a bound, and keeps the retain set",
        targets="none",
        objective={"forget_npo": 1.0} | _RETAIN,
        source="NPO, arXiv 2404.05868",
    ),
    "npo_kl": Method(
        does="makes the true answers less likely up to a bound, and stays near the original on the retain set",
        targets="none",
        objective={"forget_npo": 1.0} | _KL,
        source="NPO, arXiv 2404.05868",
    ),
    "kto": Method(
        does='makes the true answers less desirable than "I don\'t know"',
        targets="idk",
        objective={"target_kto": 1.0},
        source="MEOW's code (`kto_sigmoid`), after KTO, arXiv 2402.01306",
    ),
    "kto_grad_diff": Method(
        does='makes the true answers less desirable than "I don\'t know", and keeps the retain set',
        targets="idk",
        objective={"target_kto_log": 1.0} | _RETAIN,
        source="MEOW's code (`kto_logsigmoid_grad_diff`), after KTO, arXiv 2402.01306",
    ),
    "simnpo": Method(
        does="makes the true answers less likely per token, without the original, and keeps the retain set",
        targets="none",
        objective={"forget_simnpo": 0.125} | _RETAIN,
        source="SimNPO, arXiv 2410.07163",
    ),
    "altpo": Method(
        does="prefers all inverted answers to the true ones, and keeps the retain set",
        targets="all",
        objective={"target_dpo": 1.0} | _RETAIN,
        source="AltPO, arXiv 2409.13474",
    ),
    "undial": Method(
        does="copies the original with the true token made unlikely",
        targets="none",
        objective={"forget_undial": 1.0},
        source="UNDIAL, arXiv 2402.10052",
    ),
    "wga": Method(
        does="makes the likeliest tokens of the true answers less likely, and keeps the retain set",
        targets="none",
        objective={"forget_wga": 1.0} | _RETAIN,
        source="WGA, arXiv 2502.19301",
    ),
    "satimp": Method(
        does="makes the tokens that are half known less likely, and keeps the retain set",
        targets="none",
        objective={"forget_satimp": 0.1} | _RETAIN,
        source="SatImp, arXiv 2505.11953",
    ),
    "ihl": Method(
        does="makes the likeliest other token likelier than the true one, and keeps the retain set",
        targets="none",
        objective={"forget_ihl": 1.0} | _RETAIN,
        source="LoKU, arXiv 2408.06621, without its start of the adapter (FILA)",
    ),
    "flat": Method(
        does='makes "I don\'t know" likelier than the true answers, without the original and the retain set',
        targets="idk",
        objective={"flat_tv": 1.0},
        source="FLAT, arXiv 2410.11143, total variation",
    ),
    "wpu": Method(
        does="teaches what the original says of people with other names, the true name put back",
        targets="none",
        objective={"target_names": 1.0},
        defaults={"train.epochs": 10},
        source="WPU, arXiv 2407.16997; 20 names as in its code on Wikipedia, where on TOFU it takes one",
    ),
    "rmu": Method(
        does="turns a layer's output on the true answers into noise, and keeps it on the retain set",
        targets="none",
        objective={"forget_rmu": 1.0, "retain_rmu": 1.0},
        source="RMU, arXiv 2403.03218",
    ),
}
"""Every method by name."""


ALIASES = {
    "meow_memo": "meow",
    "meow_forgetKL": "meow_forget_kl",
    "kto_sigmoid": "kto",
    "kto_logsigmoid_grad_diff": "kto_grad_diff",
    "KL": "grad_ascent_kl",
    "grad_ascent_forgetKL": "grad_ascent_forget_kl",
}
"""Published names."""
