#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every command of the README and of the manuals' EXAMPLES and SYNOPSIS works as it stands,
# twice in a row, and none of them changes a file of the checkout. In namespaces of its own,
# where a local web server is updates.example.com, with a certificate that is trusted there,
# and /etc, /run, /srv, /media, /mnt, /var/lib and /root are copies or empty.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires nbdkit nbdinfo nbdcopy unshare openssl minisign python3
# Nobody who pastes a command has such a build, whose plugin needs a library loaded first.
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx) || skip "not installed: nginx"

# ---- in the namespaces ----

if [ "${1:-}" = --inside ]; then
    tmp=$2
    at_exit_commands=()
    trap - EXIT
    cd "$tmp"
    ip link set lo up
    for directory in run srv media mnt var/lib root; do
        mount -t tmpfs none "/$directory"
    done
    cp -a /etc etc
    mount --bind etc /etc
    echo "127.0.0.1 localhost updates.example.com" >/etc/hosts
    echo "hosts: files" >/etc/nsswitch.conf
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=updates.example.com \
        -addext subjectAltName=DNS:updates.example.com -keyout key.pem -out cert.pem 2>openssl.log
    cp --remove-destination cert.pem /etc/ssl/certs/ca-certificates.crt
    mkdir -p /etc/ihop /srv/www /media/usb /mnt/target
    echo "X-Device: 7" >/etc/ihop/headers
    cp v1.cba v2.cba v3.cba /srv/www
    cp v1.cba /media/usb
    "$ihop_compress" -q --delta-from v2.cba v3.cba
    mv v3.cba.from-* /media/usb/pack
    cp /media/usb/pack /media/usb/v3.cba.from-0123456789abcdef # what it is called matters to a server only
    mkdir bin
    ln -s "$ihop_clone" "$ihop_compress" "$ihop_store" bin
    # As after an installation: the plugin is found by its name.
    cat >bin/nbdkit <<END
#!/bin/bash
words=("\$@")
for i in "\${!words[@]}"; do
    [ "\${words[i]}" != ihop ] || words[i]=$plugin
done
exec $(command -v nbdkit) "\${words[@]}"
END
    command -v sudo >/dev/null || printf '#!/bin/sh\nexec "$@"\n' >bin/sudo
    chmod +x bin/*
    export PATH=$tmp/bin:$PATH:/usr/sbin:/sbin
    cat >nginx.conf <<END
daemon off;
master_process off;
error_log $tmp/nginx.log;
pid $tmp/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path $tmp;
    proxy_temp_path $tmp;
    fastcgi_temp_path $tmp;
    uwsgi_temp_path $tmp;
    scgi_temp_path $tmp;
    server {
        listen 443 ssl;
        ssl_certificate $tmp/cert.pem;
        ssl_certificate_key $tmp/key.pem;
        root /srv/www;
    }
}
END
    "$nginx" -c "$tmp/nginx.conf" &
    nginx_pid=$!
    wait_for 60 bash -c ': >/dev/tcp/127.0.0.1/443'
    for n in 7 disk; do
        ihop-clone --quiet "v$n.cba" "/var/lib/ihop/v$n"
    done
    mv /var/lib/ihop/vdisk /var/lib/ihop/disk
    ihop-clone --quiet v2.cba /var/lib/ihop/v2
    cp -a /var/lib/ihop device
    code=0
    python3 "$srcdir/tests/lib/paste.py" "$tmp/checkout" || code=$?
    kill "$nginx_pid"
    exit "$code"
fi

# ---- outside ----

[ "$(id -u)" = 0 ] || skip "not root: no namespaces"
unshare -mnp --fork --mount-proc --kill-child mount -t tmpfs none /mnt 2>"$tmp/why" || skip "no namespaces here: $(cat "$tmp/why")"
requires ip
cd "$tmp"
mkdir checkout
tar -C "$srcdir" -c --exclude=./.git --exclude='./build*' . | tar -C checkout -x
ln -s "$builddir" checkout/build
"$srcdir/tests/data/make-image.py" tree tree 1

"$srcdir/contrib/make-ext4.sh" tree image 24M 0b0e0000-0000-4000-8000-000000000001
for n in 1 2 3; do
    cp image "image-$n"
    "$ihop_compress" --quiet image "v$n.cba"
    printf '%s' "$n" | dd of=image bs=1 seek=3000000 conv=notrunc status=none
done
"$ihop_compress" --quiet --metadata-value version 7.1 image v7.cba
# A disk with two partitions.
python3 -c 'import struct
disk = bytearray(1 << 20)
for i in 0, 1:
    struct.pack_into("<8sII", disk, 446 + 16 * i, bytes([0, 0, 2, 0, 0x83, 0, 2, 0]), 64 + 1024 * i, 512)
disk[510:512] = b"\x55\xaa"
open("disk", "wb").write(disk)'
"$ihop_compress" --quiet disk vdisk.cba
# What the examples begin with, and the synopses.
mkdir examples template
cp image-2 examples/image.ext4
gzip -c image-3 >examples/image.gz
"$ihop_compress" --info --json v3.cba | sed 's/.*"header_checksum": *"\([0-9a-f]*\)".*/\1/' >examples/v3.pin
for n in 6 7; do
    "$ihop_compress" --quiet --image-version $n --compatible board-a image-$((n - 5)) examples/v$n.cba
done
cp v1.cba v2.cba image template
"$ihop_compress" --quiet --delta-from v1.cba template/v2.cba
mv template/v2.cba.from-* template/pack
cp v1.cba v2.cba examples
cp image-3 examples/v3.ext4
$cba key 1 template/secret >/dev/null
"$ihop_clone" --quiet v1.cba template/s/v1
"$ihop_clone" --quiet v2.cba template/s/v2
"$ihop_store" default --quiet template/s/v2 # v1 is removed, in one of them
sed -i 's/^/&/' examples/v3.pin
(cd checkout && find . -type f ! -path './build*' -print0 | sort -z | xargs -0 b2sum) >before
export srcdir builddir
result=0
unshare -mnp --fork --mount-proc --kill-child bash "$srcdir/tests/test-docs-paste.sh" --inside "$tmp" || result=$?
(cd checkout && b2sum --quiet -c "$tmp/before") || fail "the commands have changed a file of the checkout"
exit "$result"
