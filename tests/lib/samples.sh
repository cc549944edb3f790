# SPDX-License-Identifier: MIT
# samples.sh: images and archives for the tests to work on. functions.sh brings it.

# noise FILE SIZE [SEED [ZERO-START ZERO-SIZE]...]: bytes that do not compress, the same
# ones every time, with runs of zeros in them.
noise() {
    $cba noise "$@"
}

# flip FILE OFFSET: damages one byte of a file.
flip() {
    $cba flip "$@"
}

# header_size ARCHIVE: bytes of its header.
header_size() {
    $cba header-size "$1"
}

# make_archives [SEED]: makes $tmp/www/apart.cba, 20 chunks of 32 KiB with gaps between them, so
# that each is a range of its own; solid.cba, the same chunks without gaps, which
# is one range; and the image, $tmp/image.
make_archives() {
    mkdir -p "$tmp/www"
    noise "$tmp/image" 655360 "${1:-image}"
    $cba make --fixed 32768 --gap 4000 "$tmp/image" "$tmp/www/apart.cba"
    $cba make --fixed 32768 "$tmp/image" "$tmp/www/solid.cba"
    apart_header=$(header_size "$tmp/www/apart.cba")
    solid_header=$(header_size "$tmp/www/solid.cba")
}

# offset_of N: where chunk N (from 0) begins in apart.cba.
offset_of() {
    echo $((apart_header + 4000 + $1 * 36768))
}
