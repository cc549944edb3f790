#!/bin/bash
# SPDX-License-Identifier: MIT
# Readers and a mount that meet deaths and upgrades of their server: tests/vm/attach-kill.sh with small
# numbers. No read may fail or be wrong.
set -euo pipefail
export KILLS=${KILLS:-2} UPGRADES=${UPGRADES:-1} TIMEOUT=${TIMEOUT:-3}
exec bash "${srcdir:-$(dirname "$0")/..}/tests/vm/attach-kill.sh"
