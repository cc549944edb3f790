# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# Mounts the root from ihop before dracut or systemd would mount one.
# shellcheck source=/dev/null
. /lib/ihop/ihop-root.sh

code=0
ihop_parse "$(cat /proc/cmdline)" || code=$?
# 2: the root is somebody else's.
if [ $code -ne 2 ]; then
    if [ $code -ne 0 ] || ! ihop_boot "${NEWROOT:-/sysroot}"; then
        ihop_panic
        die "The root file system could not be mounted from ihop: see the messages above."
    fi
fi
