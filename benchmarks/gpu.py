"""On an accelerator, without a network, in three minutes of an H200: `make gpu`.

`python -m benchmarks.gpu --pack` puts what it needs of the data folder into `.gpu` (6 MB: tofu-mini `full`, forty
questions, their inverted answers), so that the tree can be taken to another machine as it is; `python -m
benchmarks.gpu` measures there, on the device that torch finds (on a CPU everything is smaller, and the last line is the
same). One JSON object a line:

- `gpu.exact`: what is said in bfloat16 and in float32 on the device, against float32 on the CPU, on tofu-mini: the
  largest and the mean difference of log p per token (nats), the share of equal greedy answers, how many tell the value.
- `gpu.loss`: loss and gradient of one batch of `meow_contrast` and `npo_grad_diff`, likewise: relative difference, and
  the cosine of the two gradients.
- `gpu.memo`, `gpu.eval`, `gpu.train`: on tofu-mini and on a Llama of 1 B random weights: seconds, tokens per second
  that went through the model, their share of the peak (2 or, in training, 6 x parameters x tokens per second over one
  large product of matrices in the same format), and the device's memory.
- `gpu.fsdp2`: `accelerate launch --config_file configs/accelerate/fsdp2.yaml`, one process, `meow forget` on tofu-mini,
  against the same without it: the loss of the first step, seconds.

A part that fails is a row with its `error`, the others go on, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks import SHARED, real
from benchmarks.train import ours as step_of
from meow import values
from meow.config import EvalSettings, MemoSettings, ModelSettings
from meow.evaluation import sampling
from meow.formats.inverted import read_inverted
from meow.formats.sources import read_eval, read_qa
from meow.lm import LM, load, pick_device
from meow.memorization import measures
from meow.memorization.windows import Pair
from meow.records import QA, InvertedFacts
from meow.run import peak_memory_mb, versions
from meow.training.rows import Example

HERE = Path(__file__).resolve().parents[1]
PACK = HERE / ".gpu"
FILES = {
    "model": "models/tofu-mini/full",
    "forget05.json": "data/tofu/forget05.json",
    "forget05_perturbed.json": "data/tofu/forget05_perturbed.json",
    "inverted.json": "data/meow/generated_data/forget05_perturbed_generated.json",
}
"""What is packed, and where the data folder has it."""
FACTS = 40
BILLION = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32}
"""A Llama of 1.2 B parameters with the vocabulary below, as Llama-3.2-1B has it."""
SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
VOCABULARY = {"cuda": 128256, "cpu": 8192}


def pack(shared: Path, folder: Path = PACK) -> None:
    """Copy what is measured on.

    Args:
        shared: the data folder.
        folder: is replaced.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name, place in FILES.items():
        source, target = shared / place, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def clock(lm: LM, run: Callable[[], object]) -> float:
    """Seconds of a second run; the first one warms up."""
    run()
    wait(lm.device)
    begun = time.perf_counter()
    run()
    wait(lm.device)
    return time.perf_counter() - begun


def memory(device: torch.device) -> int:
    """Peak memory since it was asked last, in MB: the device's, or the process's."""
    if device.type != "cuda":
        return peak_memory_mb()
    found = torch.cuda.max_memory_allocated(device) >> 20
    torch.cuda.reset_peak_memory_stats(device)
    return int(found)


def peak(lm: LM) -> float:
    """FLOP/s of a large product of matrices in the model's number format."""
    if lm.device.type != "cuda":
        return real.peak(lm)
    a = torch.randn(8192, 8192, device=lm.device, dtype=lm.model.dtype)
    return 20 * 2 * 8192**3 / clock(lm, lambda: [a @ a for _ in range(20)])


def parameters(lm: LM) -> int:
    """How many."""
    return sum(p.numel() for p in lm.model.parameters())


def rated(lm: LM, of: float, seconds: float, tokens: int, factor: int) -> dict[str, Any]:
    """A row's numbers: how fast, how near to the peak, with how much memory."""
    share = factor * parameters(lm) * tokens / seconds / of
    return {
        "seconds": round(seconds, 3),
        "tokens_per_s": round(tokens / seconds),
        "share_of_peak": round(share, 3),
        "memory_mb": memory(lm.device),
    }


def tofu_mini(device: str, dtype: str) -> LM:
    """The packed model."""
    return load(ModelSettings(path=str(PACK / "model"), device=device, dtype=dtype))


def billion(device: torch.device) -> LM:
    """A Llama of random weights with tofu-mini's tokenizer, whose tokens are the first of its vocabulary."""
    kind = device.type
    config = LlamaConfig(**(BILLION if kind == "cuda" else SMALL), vocab_size=VOCABULARY[kind])
    torch.manual_seed(0)
    with device:
        model = LlamaForCausalLM(config).to(torch.bfloat16).eval()
    return LM(model, tofu_mini("cpu", "float32").tokenizer, template="qa")


def examples(lm: LM, facts: list[InvertedFacts], kept: list[QA]) -> list[Example]:
    """Rows of a taught and a true answer, and an answer to keep."""
    encode = lm.prompter.encode
    views = [
        {"target": (encode(f, f.answers[0].text),), "forget": (encode(f),), "retain": (encode(k),)}
        for f, k in zip(facts, kept, strict=False)
    ]
    found = []
    for f, view in zip(facts, views, strict=False):
        known = {name: float(lm.score(view[name])[0].logp.sum()) for name in ("target", "forget")}
        found.append(Example(f.id, view, known))
    return found


def stepped(lm: LM, method: str, rows: list[Example]) -> tuple[float, Tensor]:
    """Loss and gradient of one batch, in float64 on the CPU."""
    lm.model.zero_grad()
    loss = step_of(method)(lm.model, rows)
    loss.backward()  # type: ignore[no-untyped-call]
    grads = [p.grad.double().flatten().cpu() for p in lm.model.parameters() if p.grad is not None]
    return float(loss.detach()), torch.cat(grads)


def exact(device: torch.device) -> Iterator[dict[str, Any]]:
    """Both formats on the device against the CPU."""
    items = read_eval(PACK / "forget05_perturbed.json", "forget")[:FACTS]
    settings = EvalSettings(max_new_tokens=64, forms=())
    truth_lm = tofu_mini("cpu", "float32")
    truth = list(sampling.evaluate(truth_lm, items, settings, original=truth_lm))
    encoded = [truth_lm.prompter.encode(item) for item in items]
    scores = truth_lm.score(encoded)
    inverted, kept = read_inverted(PACK / "inverted.json"), read_qa(PACK / "forget05.json")[-8:]
    rows = examples(truth_lm, inverted[:8], kept)
    for dtype in ("float32", "bfloat16"):
        lm = tofu_mini(str(device), dtype)
        found = list(sampling.evaluate(lm, items, settings, original=lm))
        far = [abs(a.logp - b.logp) for a, b in zip(lm.score(encoded), scores, strict=True)]
        pairs = list(zip(found, truth, strict=True))
        yield {
            "figure": "gpu.exact",
            "dtype": dtype,
            "facts": len(items),
            "largest": float(f"{max(x.max() for x in far):.3g}"),
            "mean": float(f"{sum(x.mean() for x in far) / len(far):.3g}"),
            "same_answers": sum(a.generation == b.generation for a, b in pairs) / len(pairs),
            "told": [sum(bool(values.told(s.accepted, s.generation or "")) for s in some) for some in (found, truth)],
        }
        for method in ("meow_contrast", "npo_grad_diff"):
            (loss, grad), (other, expected) = stepped(lm, method, rows), stepped(truth_lm, method, rows)
            yield {
                "figure": "gpu.loss",
                "dtype": dtype,
                "method": method,
                "relative": float(f"{abs(loss - other) / abs(other):.3g}"),
                "cosine": round(float(torch.nn.functional.cosine_similarity(grad, expected, dim=0)), 6),
            }


def speed(lm: LM, name: str) -> Iterator[dict[str, Any]]:
    """MEMO, evaluation and training of one model."""
    of, shape = peak(lm), {"model": name, "parameters": parameters(lm), "dtype": str(lm.model.dtype)[6:]}
    yield {"figure": "gpu.peak", **shape, "gflops": round(of / 1e9)}
    small = lm.device.type == "cpu"
    inverted = read_inverted(PACK / "inverted.json")[: 2 if small else 20]
    memory(lm.device)
    pairs = [Pair(f, column, text) for f in inverted for column, text in measures.columns(f)]
    memo = MemoSettings(template="model", max_new_tokens=64)
    tokens = real.pushed(lm, lambda: measures.memo(lm, pairs, "suffix", memo))
    seconds = clock(lm, lambda: measures.memo(lm, pairs, "suffix", memo))
    yield {"figure": "gpu.memo", **shape, "answers": len(pairs), **rated(lm, of, seconds, tokens, 2)}
    items = read_eval(PACK / "forget05_perturbed.json", "forget")[: 4 if small else 100]
    settings = EvalSettings(max_new_tokens=64, forms=())
    evaluate = lambda: list(sampling.evaluate(lm, items, settings))  # noqa: E731
    tokens = real.pushed(lm, evaluate)
    yield {"figure": "gpu.eval", **shape, "facts": len(items), **rated(lm, of, clock(lm, evaluate), tokens, 2)}
    yield {"figure": "gpu.train", **shape, "method": "meow_contrast", **trained(lm, of, inverted)}


def trained(lm: LM, of: float, inverted: list[InvertedFacts]) -> dict[str, Any]:
    """Steps of `meow_contrast` of 16 rows, with the fused AdamW where there is one."""
    kept = read_qa(PACK / "forget05.json")
    rows = (examples(lm, inverted, kept) * 16)[:16]
    lm.model.train()
    optimizer = torch.optim.AdamW(lm.model.parameters(), lr=1e-6, fused=lm.device.type == "cuda")
    step = step_of("meow_contrast")

    def run() -> None:
        for _ in range(3):
            step(lm.model, rows).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()

    tokens = real.pushed(lm, run)
    found = rated(lm, of, clock(lm, run), tokens, 6)
    lm.model.eval()
    return {"rows": len(rows)} | found


def fsdp2(device: torch.device) -> Iterator[dict[str, Any]]:
    """The same three steps in one process under FSDP2 and without it, from the command line."""
    with TemporaryDirectory() as out:
        facts, found = Path(out) / "facts.jsonl", {}
        lines = (PACK / "forget05.json").read_text(encoding="utf-8").splitlines(keepends=True)
        facts.write_text("".join(lines[:64]), encoding="utf-8")
        for name in ("plain", "fsdp2") if device.type == "cuda" else ("plain",):
            launch = ["-m", "accelerate.commands.launch", "--num_processes", "1"]
            launch += ["--config_file", str(HERE / "configs/accelerate/fsdp2.yaml")]
            words = [sys.executable, *(launch if name == "fsdp2" else []), "-m", "meow", "-q", "forget"]
            words += [f"out={out}", f"name={name}", f"model.path={PACK / 'model'}", f"model.device={device.type}"]
            words += [f"data.forget={facts}", f"data.retain={facts}", "train.method=npo_grad_diff", "train.lr=1e-4"]
            words += ["train.epochs=1", "train.batch_size=16"]
            words += [f"invert.path={PACK / 'inverted.json'}", "invert.gate=false"]  # else the model is asked for them
            begun = time.perf_counter()
            done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=HERE, env=alone())
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr.strip()[-600:]}")
            steps = [json.loads(line) for line in (Path(out) / name / "log.jsonl").read_text().splitlines()]
            found[name] = {"loss": steps[0]["loss"], "steps": len(steps), "s": round(time.perf_counter() - begun, 1)}
        yield {"figure": "gpu.fsdp2", **found}


def alone() -> dict[str, str]:
    """The environment of a process that looks for nothing on a network."""
    path = os.pathsep.join([str(HERE / "src"), str(HERE), os.environ.get("PYTHONPATH", "")])
    return dict(os.environ) | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": path}


def rows(device: torch.device) -> Iterator[dict[str, Any]]:
    """Every row; a part that fails is one, too."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    yield {"figure": "gpu.machine", "device": name, "versions": versions()}

    def big() -> Iterator[dict[str, Any]]:
        return speed(billion(device), "1B" if device.type == "cuda" else "small")

    parts: Mapping[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "exact": lambda: exact(device),
        "tofu-mini": lambda: speed(tofu_mini(str(device), "bfloat16"), "tofu-mini"),
        "1B": big,
        "fsdp2": lambda: fsdp2(device),
    }
    for part, run in parts.items():
        begun = time.perf_counter()
        try:
            yield from run()
        except Exception as e:  # the other parts are worth their minutes
            yield {"figure": f"gpu.{part}", "error": " ".join(f"{type(e).__name__}: {e}".split())[:800]}
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        yield {"figure": "gpu.seconds", "part": part, "seconds": round(time.perf_counter() - begun, 1)}


def main() -> None:
    """Pack, or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", action="store_true", help="copy what is measured on into .gpu")
    parser.add_argument("--shared", type=Path, default=SHARED)
    given = parser.parse_args()
    if given.pack:
        pack(given.shared)
        return
    if not PACK.is_dir():
        sys.exit(f"{PACK}: not there; python -m benchmarks.gpu --pack, where ../shared is")
    failed = False
    for row in rows(pick_device("auto")):
        failed |= "error" in row
        print(json.dumps(row), flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
