#!/usr/bin/env bash
# Make a model forget: scripts/forget.sh CONFIG [KEY=VALUE]...; PROCESSES=2 trains in two.
# On a Slurm cluster: sbatch --nodes=1 --gpus=2 --cpus-per-task=16 --wrap "PROCESSES=2 scripts/forget.sh CONFIG"
set -euo pipefail
config=${1:?give a YAML, as in configs/published/llama2.yaml}
shift
processes=${PROCESSES:-1}
if [ "$processes" -gt 1 ]; then
  torchrun --standalone --nproc_per_node "$processes" -m meow forget "$config" "$@"
else
  meow forget "$config" "$@"
fi
meow run "$config" "$@" # what is left: evaluation and the page
