#!/bin/sh
# SPDX-License-Identifier: MIT
# which-boots.sh: which release of a store boots, for a boot without ihop's programs. An
# example to copy from: any POSIX shell, busybox ash too, with sed, grep, cksum, mv and sync.
#
#     which-boots.sh STORE             prints what "ihop-store boot --dry-run STORE" prints
#     which-boots.sh --count STORE     the same as "ihop-store boot STORE": counts it first
#
# Unlike ihop-store, it cannot tell whether a release is whole and which image it holds. It
# chooses by names, and ends with 1 when none of the three is there.
set -u
count=no
[ "$1" != --count ] || { count=yes; shift; }
meta=$1/.ihop

# The lines that the check covers; fails unless it is right.
covered() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 1
    sum=$(sed '/^check=/,$d' "$1" | cksum)
    [ "$(sed -n '/^check=/{p;q;}' "$1")" = "check=${sum%% *}" ] && sed '/^check=/,$d' "$1"
}

value() {
    printf '%s\n' "$record" | sed -n "s/^$1=//p"
}

# A trial is counted durably before anybody learns of it. What cannot be counted is not tried.
record_booted() {
    id=$(value "$1_id") left=$tries
    [ "$1" != trial ] || left=$((tries - 1))
    {
        printf '%s\n' "$record" | grep -Ev '^(tries|booted|booted_id|boot_id)='
        printf 'tries=%s\nbooted=%s\nbooted_id=%s\n' "$left" "$2" "$id"
        printf 'boot_id=%s\n' "$(cat /proc/sys/kernel/random/boot_id)"
    } >"$meta/boot.new" || return 1
    sum=$(cksum <"$meta/boot.new") && echo "check=${sum%% *}" >>"$meta/boot.new" &&
        sync && mv -f "$meta/boot.new" "$meta/boot" && sync
}

[ -f "$meta/boot" ] || [ -f "$meta/boot.spare" ] || exit 1
if ! record=$(covered "$meta/boot"); then
    record=$(covered "$meta/boot.spare") || exit 1
    record=$(printf '%s\n' "$record" | grep -v '^tries='; echo tries=0)
fi
tries=$(value tries)
for role in trial default good; do
    name=$(value $role)
    if [ -z "$name" ] || [ ! -f "$1/$name" ]; then continue; fi
    if [ $role = trial ] && [ "${tries:-0}" -eq 0 ]; then continue; fi
    if [ $count = yes ] && ! record_booted $role "$name" && [ $role = trial ]; then continue; fi
    printf '%s\n' "$name"
    exit 0
done
exit 1
