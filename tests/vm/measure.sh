#!/bin/bash
# SPDX-License-Identifier: MIT
# What serving through the kernel's NBD client costs: nbdkit's ihop plugin beside its file plugin, in
# a machine of user-mode Linux with one processor, all in the page cache of an ext4 there, as on a
# device. (On hostfs, that machine's own root, reads without waiting do not exist, and the kernel
# gives each one of io_uring to a thread.) Processor time of the host, which a busy host disturbs
# least; both take turns, ROUNDS times for each number of connections, and the medians are
# printed with the ratio file/ihop: 1 when both cost the same, above when ihop costs less. Then the
# time from the attach to the first mount beside that of nbd-client, and what a keeper costs that
# has nothing to do. By hand, from a build directory:
#
#     ROUNDS=15 bash ../tests/vm/measure.sh
#
# Needs user-mode-linux, busybox-static, nbd-client, e2fsprogs, nbdkit; no root.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs nbdkit nbd-client

mkdir "$tmp/files"
noise "$tmp/files/noise" 60000000 1
mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tmp/files" "$tmp/image" 64M
"$ihop_compress" -q --compression none "$tmp/image" "$tmp/v1.cba"
"$ihop_clone" -q "$tmp/v1.cba" "$tmp/store/v1"
mkdir "$tmp/disk"
mv "$tmp/store" "$tmp/image" "$tmp/disk"
mke2fs -q -F -t ext4 -d "$tmp/disk" "$tmp/disk.img" 256M >"$tmp/mke2fs"
cat >"$tmp/reads.py" <<'END'
import mmap, os, random, sys
fd = os.open("/dev/nbd0", os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 4096)
r = random.Random(1)
for _ in range(3000):
    os.preadv(fd, [buffer], r.randrange(15000) * 4096)
END
cat >"$tmp/guest" <<'GUEST'
module drivers/block/nbd
mkdir /run/disk
mount -o ro /dev/ubda /run/disk
plugin=$builddir/.libs/nbdkit-ihop-plugin.so
# The host's processor time of this machine, in 1/100 s: the host answers.
busy() {
    rm -f "$tmp/answer"
    touch "$tmp/ask"
    until [ -s "$tmp/answer" ]; do sleep 0.02; done
    cat "$tmp/answer"
}
begin() { # SERVER CONNECTIONS
    case $1 in
        ihop) nbdkit -U /run/s.sock -P /run/s.pid "$plugin" store=/run/disk/store release=v1 ;;
        file) nbdkit -U /run/s.sock -P /run/s.pid -r file /run/disk/image ;;
    esac
    nbd-client -unix /run/s.sock /dev/nbd0 -C "$2" >/dev/null 2>&1
    dd if=/dev/nbd0 of=/dev/null bs=1M iflag=direct status=none
    python3 "$tmp/reads.py"
}
end() {
    nbd-client -d /dev/nbd0 >/dev/null
    kill "$(cat /run/s.pid)"
    while [ -e "/proc/$(cat /run/s.pid)" ]; do sleep 0.01; done
    rm -f /run/s.pid /run/s.sock
}
measure() { # SERVER CONNECTIONS
    local a b c
    begin "$1" "$2"
    a=$(busy)
    for _ in 1 2 3; do dd if=/dev/nbd0 of=/dev/null bs=1M iflag=direct status=none; done
    b=$(busy)
    for _ in 1 2; do python3 "$tmp/reads.py"; done
    c=$(busy)
    end
    echo "$1 $2 $((b - a)) $((c - b))" >>"$tmp/numbers"
}
for _ in $(seq "$rounds"); do
    for connections in 1 2 4; do
        measure file $connections
        measure ihop $connections
    done
done
# From nothing to a mount, in ms of the machine's clock.
ms() { awk '{print int($1 * 1000)}' /proc/uptime; }
for _ in $(seq "$rounds"); do
    a=$(ms)
    nbdkit -U /run/s.sock -P /run/s.pid "$plugin" store=/run/disk/store release=v1
    nbd-client -unix /run/s.sock /dev/nbd0 -C 2 >/dev/null 2>&1
    mount -o ro /dev/nbd0 /run/mnt
    b=$(ms)
    umount /run/mnt
    end
    c=$(ms)
    "$builddir/ihop-attach" -q --plugin "$plugin" /run/disk/store/v1 /dev/nbd0 >/dev/null
    mount -o ro /dev/nbd0 /run/mnt
    d=$(ms)
    umount /run/mnt
    "$builddir/ihop-attach" -q --detach /dev/nbd0
    echo "$((b - a)) $((d - c))" >>"$tmp/mounts"
done
"$builddir/ihop-attach" -q --plugin "$plugin" /run/disk/store/v1 /dev/nbd0
keeper=$("$builddir/ihop-attach" --status /dev/nbd0 | sed -n 's/^keeper //p')
sleep 1
a=$(grep ctxt /proc/$keeper/status)
sleep 10
b=$(grep ctxt /proc/$keeper/status)
[ "$a" = "$b" ] && echo "keeper: no wake-up in 10 s" >>"$tmp/keeper" || echo "keeper: wakes up" >>"$tmp/keeper"
awk '/^Private/{s+=$2} END{print "keeper: " s " KiB private"}' /proc/$keeper/smaps_rollup >>"$tmp/keeper"
"$builddir/ihop-attach" -q --detach /dev/nbd0
GUEST
sed -i "1i rounds=${ROUNDS:-15}" "$tmp/guest"
# Answers with the time of all processes of the machine, and of those that they have waited for.
"$python" - "$tmp" "umid=ihop-$$" <<'END' &
import os, sys, time
directory, mark = sys.argv[1], sys.argv[2].encode()
def ticks():
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0") and os.readlink(f"/proc/{pid}/exe").endswith("linux.uml"):
                total += sum(map(int, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            pass
    return total
while os.path.isdir(directory):
    if os.path.exists(directory + "/ask"):
        os.remove(directory + "/ask")
        with open(directory + "/answer.new", "w") as f:
            print(ticks(), file=f)
        os.rename(directory + "/answer.new", directory + "/answer")
    time.sleep(0.02)
END
at_exit kill $!
UML_MEMORY=512M uml "${UML_SECONDS:-1800}" "$tmp/guest" "ubda=$tmp/disk.img" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
"$python" - "$tmp" <<'END'
import statistics, sys
rows = [l.split() for l in open(sys.argv[1] + "/numbers")]
for c in "124":
    for name, column, unit in ("in sequence", 2, 10 / (3 * 64)), ("random 4 KiB", 3, 10000 / 6000):
        file, ihop = ([int(r[column]) for r in rows if r[0] == s and r[1] == c] for s in ("file", "ihop"))
        ratios = sorted(f / i for f, i in zip(file, ihop))
        print(f"{name}, {c} connections: file {statistics.median(file) * unit:.2f} ihop {statistics.median(ihop) * unit:.2f} "
              f"{'ms a MiB' if column == 2 else 'us a read'}, file/ihop {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")
pairs = [tuple(map(int, l.split())) for l in open(sys.argv[1] + "/mounts")]
print("attach to mount: nbd-client", statistics.median(p[0] for p in pairs), "ms, ihop-attach", statistics.median(p[1] for p in pairs),
      f"ms, ratio {statistics.median(b / a for a, b in pairs):.2f}")
print(open(sys.argv[1] + "/keeper").read(), end="")
END
