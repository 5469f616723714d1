#!/usr/bin/env bash
# Multiple choice, before and after: scripts/nlu.sh RUN_OR_YAML [KEY=VALUE]... (or --model_name_or_path MODEL ...)
set -euo pipefail
meow nlu "${@:?give a run folder, a YAML, or --model_name_or_path MODEL}"
