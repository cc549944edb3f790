# shellcheck shell=dash disable=SC2034
# SPDX-License-Identifier: MIT
# dracut wants to know that somebody cares for the root.

case " $(cat /proc/cmdline) " in
    *" ihop.data="*) root=ihop rootok=1 ;;
esac
