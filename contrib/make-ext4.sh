#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes a reproducible ext4 image of a directory: the same files give the same bytes. Updates
# are small when images differ only where files differ. mkfs.ext4 alone does not do that: it
# copies the change time (ctime) of each file in the directory, which nobody can set.
set -euo pipefail

usage() {
    cat <<END
usage: $(basename "$0") DIRECTORY IMAGE SIZE UUID

  SIZE   as mkfs.ext4 takes it, for example 640M
  UUID   of the file system; give the same one for every release

SOURCE_DATE_EPOCH is the time written into the image (default: 1700000000).
END
}

if [ $# -ne 4 ]; then
    usage >&2
    exit 2
fi
directory=$1 image=$2 size=$3 uuid=$4
time=${SOURCE_DATE_EPOCH:-1700000000}
PATH=$PATH:/sbin:/usr/sbin

# The image of the last build is replaced; any other file of that name is the user's.
is_ext4() {
    [ -f "$1" ] && { [ ! -s "$1" ] || [ "$(od -An -tx1 -j 1080 -N 2 "$1" 2>/dev/null | tr -d ' ')" = 53ef ]; }
}

if { [ -e "$image" ] || [ -L "$image" ]; } && ! is_ext4 "$image"; then
    echo "$(basename "$0"): $image is there and is no ext4 image: choose another name or remove it" >&2
    exit 1
fi
times=$(mktemp)
trap 'rm -f "$times"' EXIT
rm -f "$image"
# There is no journal, for which a read-only image has no use. No initialisation is left to the
# first mount, so the image is complete.
E2FSPROGS_FAKE_TIME=$time mkfs.ext4 -q -F -b 4096 -I 256 -m 0 -U "$uuid" \
    -O '^has_journal,^resize_inode' \
    -E "hash_seed=$uuid,root_owner=0:0,lazy_itable_init=0,nodiscard" \
    -d "$directory" "$image" "$size" >/dev/null

# used_inodes: prints every inode in use, which is every number that dumpe2fs does not list as
# free.
used_inodes() {
    dumpe2fs "$image" 2>/dev/null | awk '
        /^Inode count:/ { count = $3 }
        /^  Free inodes: / {
            sub(/^  Free inodes: /, "")
            n = split($0, ranges, /, */)
            for (i = 1; i <= n; i++) {
                if (ranges[i] == "")
                    continue
                if (split(ranges[i], ends, "-") == 1)
                    ends[2] = ends[1]
                for (j = ends[1]; j <= ends[2]; j++)
                    free[j] = 1
            }
        }
        END {
            print 2 # the root directory; 1 and 3 to 10 are reserved
            for (j = 11; j <= count; j++)
                if (!(j in free))
                    print j
        }'
}

used_inodes | awk -v t="$time" '
    {
        print "set_inode_field <" $1 "> ctime @" t
        print "set_inode_field <" $1 "> ctime_extra 0"
        print "set_inode_field <" $1 "> atime @" t
        print "set_inode_field <" $1 "> atime_extra 0"
        print "set_inode_field <" $1 "> crtime @" t
    }' >"$times"
errors=$(E2FSPROGS_FAKE_TIME=$time debugfs -w -f "$times" "$image" 2>&1 >/dev/null | grep -v '^debugfs ' || true)
if [ -n "$errors" ]; then
    echo "$(basename "$0"): debugfs could not set the times in $image: ${errors%%$'\n'*}" >&2
    exit 1
fi
