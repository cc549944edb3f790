#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Power cuts of real file systems: at a random time of a clone nothing reaches the disk
# any more, not even what the journal holds. After mounting it again everything is as
# tests/test-powercut-log.sh says.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
requires_disks ext4 xfs
memory_directory
at_exit release_disks "$fast"

for fs in ext4 xfs; do
    for sync in fs files; do
        fault "$fast/cuts" powercut.py shutdown --fs $fs --sync $sync --scenario replace \
            --points "$(by_length 2 30)" "$program" || fail "power cuts on $fs with --sync $sync"
    done
done
