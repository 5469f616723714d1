#!/usr/bin/env bash
# Continuations of plain text, before and after: scripts/nlg.sh RUN_OR_YAML [KEY=VALUE]... (or --model_name_or_path MODEL ...)
set -euo pipefail
meow nlg "${@:?give a run folder, a YAML, or --model_name_or_path MODEL}"
