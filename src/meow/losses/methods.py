"""Methods: which answers are taught, times a weighted sum of terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meow.config import Method

if TYPE_CHECKING:
    pass


_RETAIN = {"retain_nll": 1.0}


_KL = {"retain_kl": 1.0}


METHODS: dict[str, Method] = {
    "meow": Method(targets="selected", objective={"target_nll": 1.0}, source="arXiv 2409.11844 (`meow_memo`)"),
    "meow_contrast": Method(
        targets="selected",
        objective={"target_nll": 1.0, "target_dpo": 0.05, "retain_nll": 1.0},
        defaults={"select.k": 1, "train.retain_rows": 2},
        source="ours: MEOW with a retain term and a small preference of the taught answer over the true one",
    ),
    "meow_batch": Method(targets="all", objective={"target_nll": 1.0}, source="arXiv 2409.11844"),
    "meow_grad_diff": Method(
        targets="selected", objective={"target_nll": 0.9, "retain_nll": 0.1}, source="arXiv 2409.11844"
    ),
    "meow_forget_kl": Method(
        targets="selected", objective={"target_nll": 1.0, "target_kl": 1.0}, source="arXiv 2409.11844 (`meow_forgetKL`)"
    ),
    "meow_dpo": Method(targets="selected", objective={"target_dpo": 1.0}, source="arXiv 2409.11844"),
    "grad_ascent": Method(targets="none", objective={"forget_ascent": 1.0}, source="TOFU, arXiv 2401.06121"),
    "grad_diff": Method(targets="none", objective={"forget_ascent": 1.0} | _RETAIN, source="TOFU, arXiv 2401.06121"),
    "grad_ascent_kl": Method(targets="none", objective={"forget_ascent": 1.0} | _KL, source="TOFU, arXiv 2401.06121"),
    "grad_ascent_forget_kl": Method(
        targets="none", objective={"forget_ascent": 1.0, "forget_kl": 1.0}, source="arXiv 2409.11844"
    ),
    "idk": Method(
        targets="idk",
        objective={"target_nll": 1.0} | _RETAIN,
        source="TOFU, arXiv 2401.06121; differs: published is one mean over both, see `idk_joint`",
    ),
    "idk_joint": Method(targets="idk", objective={"joint_nll": 1.0}, source="TOFU, arXiv 2401.06121, as published"),
    "dpo": Method(targets="idk", objective={"target_dpo": 1.0}, source="DPO, arXiv 2305.18290; TOFU"),
    "dpo_grad_diff": Method(targets="idk", objective={"target_dpo": 1.0} | _RETAIN, source="NPO, arXiv 2404.05868"),
    "dpo_kl": Method(targets="idk", objective={"target_dpo": 1.0} | _KL, source="NPO, arXiv 2404.05868"),
    "npo": Method(targets="none", objective={"forget_npo": 1.0}, source="NPO, arXiv 2404.05868"),
    "npo_grad_diff": Method(targets="none", objective={"forget_npo": 1.0} | _RETAIN, source="NPO, arXiv 2404.05868"),
    "npo_kl": Method(targets="none", objective={"forget_npo": 1.0} | _KL, source="NPO, arXiv 2404.05868"),
    "kto": Method(
        targets="idk", objective={"target_kto": 1.0}, source="MEOW's code (`kto_sigmoid`), after KTO, arXiv 2402.01306"
    ),
    "kto_grad_diff": Method(
        targets="idk",
        objective={"target_kto_log": 1.0} | _RETAIN,
        source="MEOW's code (`kto_logsigmoid_grad_diff`), after KTO, arXiv 2402.01306",
    ),
    "simnpo": Method(targets="none", objective={"forget_simnpo": 0.125} | _RETAIN, source="SimNPO, arXiv 2410.07163"),
    "altpo": Method(targets="all", objective={"target_dpo": 1.0} | _RETAIN, source="AltPO, arXiv 2409.13474"),
    "undial": Method(targets="none", objective={"forget_undial": 1.0}, source="UNDIAL, arXiv 2402.10052"),
    "wga": Method(targets="none", objective={"forget_wga": 1.0} | _RETAIN, source="WGA, arXiv 2502.19301"),
    "satimp": Method(targets="none", objective={"forget_satimp": 0.1} | _RETAIN, source="SatImp, arXiv 2505.11953"),
    "rmu": Method(targets="none", objective={"forget_rmu": 1.0, "retain_rmu": 1.0}, source="RMU, arXiv 2403.03218"),
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
