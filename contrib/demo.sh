#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs, builds, and shows on two example releases what ihop is for. All files are in a
# temporary directory, which is removed at the end.
set -euo pipefail
. "$(dirname "$0")/arguments.sh"

usage() {
    cat <<END
usage: $(basename "$0") [--no-install] [BUILD-DIRECTORY]

Installs what is needed (--no-install: not), builds ihop in BUILD-DIRECTORY (default:
build), and shows an update of a device from example release 1 to 2. On a fresh machine
that takes three minutes, and ten seconds when all is installed and built.
END
}

take_arguments --no-install "$@"
PATH=$PATH:/sbin:/usr/sbin
export LC_ALL=C
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

step() {
    printf '\n== %s\n' "$*"
}

die() {
    echo "demo: $*" >&2
    exit 1
}

# ---- install and build ----

step "Install and build (up to three minutes on an idle machine)"
if [ "$flag_given" = no ]; then
    "$source/contrib/install-deps.sh"
fi
"$source/contrib/build.sh" -q "$build"
build=$(cd "$build" && pwd)
ihop_clone=$build/ihop-clone
ihop_compress=$build/ihop-compress
plugin=$build/.libs/nbdkit-ihop-plugin.so
echo "built in $build"

# ---- cleaning up ----

tmp=$(mktemp -d "${TMPDIR:-/tmp}/ihop-demo.XXXXXX")
chmod 755 "$tmp"
nginx_pid='' loop='' fuse_pid='' mounted=no

unmount_all() {
    if [ $mounted = yes ]; then
        umount "$tmp/mnt"
        mounted=no
    fi
    if [ -n "$loop" ]; then
        losetup -d "$loop"
        loop=''
    fi
    if [ -n "$fuse_pid" ]; then
        fusermount3 -u "$tmp/fuse" || fusermount3 -uz "$tmp/fuse" || true
        wait "$fuse_pid" || true
        fuse_pid=''
    fi
}

clean_up() {
    trap - EXIT
    unmount_all >/dev/null 2>&1 || true
    if [ -n "$nginx_pid" ]; then
        kill "$nginx_pid" 2>/dev/null || true
        wait "$nginx_pid" 2>/dev/null || true
    fi
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ---- archives ----

# archive RELEASE VERSION: makes a directory of files, an image of it, and an archive of that.
archive() {
    echo "making the ext4 image $1.img of a directory of files"
    "$source/tests/data/make-image.py" tree "$tmp/tree" "$2"
    "$source/contrib/make-ext4.sh" "$tmp/tree" "$tmp/$1.img" 24M 0b0e0000-0000-4000-8000-000000000001
    rm -rf "$tmp/tree"
    echo "\$ ihop-compress $1.img www/$1.cba"
    "$ihop_compress" --quiet "$tmp/$1.img" "$tmp/www/$1.cba"
    printf '  %d bytes, of an ext4 image of %d\n' "$(stat -c %s "$tmp/www/$1.cba")" "$(stat -c %s "$tmp/$1.img")"
}

step "Make an archive of each example release"
mkdir "$tmp/www"
archive demo-v1 1
archive demo-v2 2
echo "\$ ihop-compress --diff www/demo-v1.cba www/demo-v2.cba"
printf '  '
"$ihop_compress" --diff "$tmp/www/demo-v1.cba" "$tmp/www/demo-v2.cba"

# ---- a web server ----

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# start_nginx PORT. When root starts nginx, its workers would run as another user, who may not
# have access to the files; with master_process off there is one process, of this user.
start_nginx() {
    local port=$1 i

    mkdir -p "$tmp/nginx"
    cat >"$tmp/nginx/nginx.conf" <<END
daemon off;
master_process off;
pid $tmp/nginx/pid;
error_log $tmp/nginx/error.log;
events { }
http {
    access_log off;
    client_body_temp_path $tmp/nginx/body;
    proxy_temp_path $tmp/nginx/proxy;
    fastcgi_temp_path $tmp/nginx/fastcgi;
    uwsgi_temp_path $tmp/nginx/uwsgi;
    scgi_temp_path $tmp/nginx/scgi;
    server {
        listen 127.0.0.1:$port;
        root $tmp/www;
    }
}
END
    nginx -p "$tmp/nginx" -e "$tmp/nginx/error.log" -c "$tmp/nginx/nginx.conf" 2>"$tmp/nginx/out" &
    nginx_pid=$!
    for ((i = 0; i < 200; i++)); do
        if [ -s "$tmp/nginx/pid" ] && answers "$port"; then
            return 0
        fi
        kill -0 "$nginx_pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$tmp/nginx/out" "$tmp/nginx/error.log" >&2 || true
    die "nginx does not start on 127.0.0.1:$port"
}

port=$(free_port)
echo
echo "nginx serves the archives on 127.0.0.1:$port"
start_nginx "$port"
url=http://127.0.0.1:$port

# ---- clone ----

# member NAME: prints a number of the last summary.
member() {
    python3 -c 'import json, sys
print(json.loads(open(sys.argv[1]).read().splitlines()[-1])[sys.argv[2]])' "$tmp/summary" "$1"
}

# clone RELEASE: clones into the store, and prints one line about what that took.
clone() {
    echo "\$ ihop-clone $url/$1.cba store/$1"
    (cd "$tmp" && "$ihop_clone" --quiet --json "$url/$1.cba" "store/$1") >"$tmp/summary" ||
        die "ihop-clone failed"
    printf '  %d chunks: %d were in the store, %d fetched; %d bytes downloaded, %d requests\n' \
        "$(member chunks_total)" "$(member chunks_reused)" "$(member chunks_fetched)" \
        "$(member bytes_downloaded)" "$(member requests)"
}

step "Release 1 goes into an empty store"
clone demo-v1
first=$(member bytes_downloaded)

step "Release 2 shares most of its chunks with release 1"
clone demo-v2
second=$(member bytes_downloaded)
echo "  release 2 cost $((second * 100 / first)) % of release 1"
if [ $((second * 5)) -ge "$first" ]; then
    die "release 2 should cost less than a fifth of release 1"
fi

# ---- serve ----

step "Serve each release as a block device, read all of it, compare"
for release in demo-v1 demo-v2; do
    echo "\$ nbdkit ihop store/$release --run 'nbdcopy \"\$uri\" - | b2sum'"
    got=$(nbdkit -U - "$plugin" "$tmp/store/$release" --run 'nbdcopy "$uri" - | b2sum' | cut -d' ' -f1)
    if [ "$got" != "$(b2sum <"$tmp/$release.img" | cut -d' ' -f1)" ]; then
        die "$release from the store is not the image that the archive was made of"
    fi
    echo "  $(echo "$got" | cut -c1-16)...: byte for byte the image that the archive was made of"
done

# ---- mount ----

step "Mount release 2 as a file system"

no_mount() {
    echo "  not possible here: $1. All else was shown."
}

why=
if [ "$(id -u)" -ne 0 ]; then
    why="mounting needs root"
elif [ ! -c /dev/fuse ] || [ ! -c /dev/loop-control ]; then
    why="/dev/fuse or /dev/loop-control is not there (a container?)"
fi

# Mounts the release, or sets why to the reason.
try_mount() {
    mkdir -p "$tmp/fuse" "$tmp/mnt"
    nbdfuse -r "$tmp/fuse/disk" --command nbdkit -s "$plugin" "$tmp/store/demo-v2" 2>"$tmp/fuse.log" &
    fuse_pid=$!
    for ((i = 0; i < 100; i++)); do
        [ ! -s "$tmp/fuse/disk" ] || break
        kill -0 "$fuse_pid" 2>/dev/null || break
        sleep 0.05
    done
    if [ ! -s "$tmp/fuse/disk" ]; then
        why="nbdfuse: $(tail -n 1 "$tmp/fuse.log")"
    elif ! loop=$(losetup --find --show --read-only "$tmp/fuse/disk" 2>"$tmp/loop.log"); then
        why="losetup: $(tail -n 1 "$tmp/loop.log")"
    elif ! mount -o ro "$loop" "$tmp/mnt" 2>"$tmp/mount.log"; then
        why="mount: $(tail -n 1 "$tmp/mount.log")"
    else
        mounted=yes
    fi
}

if [ -z "$why" ]; then
    try_mount
fi
if [ $mounted = yes ]; then
    echo "\$ ls usr/bin && cat etc/os-release"
    echo "  $(ls "$tmp/mnt/usr/bin" | tr '\n' ' ')"
    sed 's/^/  /' "$tmp/mnt/etc/os-release"
    grep -q '^VERSION_ID=2' "$tmp/mnt/etc/os-release" || die "the mounted file system is not release 2"
    unmount_all
else
    no_mount "$why"
fi

step "Done"
echo "Next: contrib/test.sh runs the tests; README.md tells how to use ihop."
