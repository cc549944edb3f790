#!/bin/bash
# SPDX-License-Identifier: MIT
# Readers and a mount that meet 20 deaths of their server, their keeper or both, a hang, and upgrades,
# 10 of each kind: tests/vm/attach-kill.sh with a short timeout. No read may fail or be wrong.
set -euo pipefail
export TIMEOUT=${TIMEOUT:-2} PAUSE=${PAUSE:-0.01} REST=${REST:-0.3}
exec bash "${srcdir:-$(dirname "$0")/..}/tests/vm/attach-kill.sh"
