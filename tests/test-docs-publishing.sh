#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every command of docs/publishing.md does what the page says: each block works, in the order of the page,
# and a device is updated by what they have uploaded, and from the stick.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
# Nobody who pastes a command has such a build.
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi
cd "$tmp"
mkdir bin work www work/usb
ln -s "$ihop_clone" "$ihop_compress" "$ihop_store" bin
# What is uploaded lands in www.
cat >bin/rsync <<END
#!/bin/bash
echo "\${@:\$#}" | grep -q '^www.example.com:/srv/www/$' || exit 1
exec cp "\${@:2:\$# - 2}" $tmp/www
END
chmod +x bin/rsync
noise work/base 6000000
noise work/more 300000 more
for v in 6 7 8; do
    # Each has a little more, in the middle, and so all behind it elsewhere.
    { head -c 2000000 work/base; head -c $(((v - 5) * 70001)) work/more; tail -c 4000000 work/base; } >work/v$v.img
    [ $v = 8 ] || "$ihop_compress" -q work/v$v.img work/v$v.cba
done
"$ihop_clone" -q work/v7.cba work/store/v7
cp -a work/store store

sed 's,/media/usb/,usb/,' "$srcdir/docs/publishing.md" >page.md
PATH=$tmp/bin:$PATH "$python" "$srcdir/tests/lib/docblocks.py" page.md work 4
holds work/store/v8 work/v8.img

equal "$(ls www | wc -l)" 3 "files uploaded"
start_nginx www
expect_exit 0 "$ihop_clone" --json "$url/v8.cba" store/v8
equal "$(json chunks_fetched)" 0 "chunks from the archive"
at_least "$(json chunks_delta)" 1 "chunks from the pack"
holds store/v8 work/v8.img
