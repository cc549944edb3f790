#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds ihop from a fresh checkout: autoreconf, configure, make.
set -euo pipefail
. "$(dirname "$0")/arguments.sh"

usage() {
    cat <<END
usage: $(basename "$0") [-q] [BUILD-DIRECTORY [CONFIGURE-OPTION...]]

  -q            one line for each step; its output goes to BUILD-DIRECTORY/build.log
  BUILD-DIRECTORY  default: build, in the source directory
END
}

take_arguments -q "$@"
quiet=$flag_given

# run WHAT COMMAND...: with -q, the command's output is shown only when it fails.
run() {
    local what=$1

    shift
    if [ $quiet = no ]; then
        "$@"
        return
    fi
    echo "$what (log: $build/build.log)"
    if ! "$@" >>"$build/build.log" 2>&1; then
        tail -n 40 "$build/build.log" >&2
        echo "build.sh: this failed: $* (the whole output is in $build/build.log)" >&2
        exit 1
    fi
}

mkdir -p "$build"
build=$(cd "$build" && pwd)
rm -f "$build/build.log"
if [ "$build" != "$source" ] && [ -e "$source/config.status" ]; then
    echo "build.sh: $source is configured for a build in itself: run 'make distclean' there first" >&2
    exit 1
fi
# make itself runs autoreconf again when a Makefile.am or configure.ac changes.
if [ ! -x "$source/configure" ] || [ ! -e "$source/Makefile.in" ]; then
    run "preparing configure, about half a minute" env -C "$source" autoreconf -fi
fi
if [ ! -e "$build/Makefile" ] || [ ${#configure_options[@]} -gt 0 ]; then
    run "configuring, about half a minute" env -C "$build" "$source/configure" "${configure_options[@]}"
fi
run "building, about a minute if all is new" make -C "$build" -j"$(nproc)"
