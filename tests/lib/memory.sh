# SPDX-License-Identifier: MIT
# memory.sh: what the tests of a program's memory share. A test sources it
# after functions.sh.

# the_program PATH: the program itself, as libtool may have made a script of it, is
# $program. Skips when that is built with a sanitizer.
the_program() {
    local libraries

    program=$1
    [ ! -x "$builddir/.libs/${1##*/}" ] || program=$builddir/.libs/${1##*/}
    libraries=$(ldd "$program")
    [[ $libraries != *lib[at]san* ]] || skip "a sanitizer's own memory would be counted"
}

# What peak runs a command with: "${with_peak[@]}" FILE CMD [ARG...].
# shellcheck disable=SC2034 # used by those who source this
with_peak=("$python" -c 'import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as f:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=f)
sys.exit(code)')

# memory_group: makes a control group, $group; what limits it is in $group/$knob. Skips
# where there can be none. A group below our own: what holds for us holds for it. Version
# 1, or 2.
memory_group() {
    local own

    own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
    group=/sys/fs/cgroup/memory$own/ihop-test-$$
    knob=memory.limit_in_bytes
    if [ -z "$own" ]; then
        group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/ihop-test-$$
        knob=memory.max
    fi
    mkdir "$group" 2>"$tmp/why" || skip "under a limit alone: $(cat "$tmp/why")"
    at_exit rmdir "$group"
    [ -w "$group/$knob" ] || skip "under a limit alone: $group has no $knob"
}

# group_used BYTES: it was the group's memory, at least so much, or nothing was limited.
group_used() {
    local used=$group/memory.max_usage_in_bytes

    [ -e "$used" ] || used=$group/memory.peak
    [ ! -e "$used" ] || at_least "$(cat "$used")" "$1" "bytes that the group used"
}
