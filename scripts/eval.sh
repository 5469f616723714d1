#!/usr/bin/env bash
# Evaluate: scripts/eval.sh CONFIG_OR_RUN [KEY=VALUE]...
set -euo pipefail
meow eval "${1:?give a YAML or a run folder}" "${@:2}"
