#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-good: which checks run and in which order, what a check that fails, hangs or cannot be run
# leads to, when it boots again, and when it tells the store; in each shell that is there. Then the
# units: systemd finds nothing to complain about.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires timeout

good=$builddir/boot/systemd/ihop-good

check() { # DIRECTORY/KIND.d/NAME COMMANDS
    mkdir -p "$(dirname "$1")"
    printf '#!/bin/sh\necho "ran %s" >>"%s/ran"\n%s\n' "${1##*/}" "$tmp" "$2" >"$1"
    chmod +x "$1"
}

# A machine that was booted from v2, on trial, whose directories of checks are a and b.
fresh_machine() {
    rm -rf "$tmp/a" "$tmp/b" "$tmp/store" "$tmp/ran" "$tmp/said" "$tmp/rebooted" "$tmp/active"
    mkdir -p "$tmp/store/.ihop" "$tmp/a" "$tmp/b"
    printf 'IHOP_STORE=%s\nIHOP_RELEASE=v2\nIHOP_DEVICE=/dev/nbd0\nIHOP_OVERLAY=none\n' "$tmp/store" >"$tmp/boot"
    printf 'default=v1\ngood=v1\ntrial=v2\ntries=1\nbooted=v2\n' >"$tmp/store/.ihop/boot"
}
cat >"$tmp/ihop-store" <<END
#!/bin/sh
echo "\$*" >>"$tmp/said"
printf '{\n  "outcome": "%s"\n}\n' "\${OUTCOME:-made_default}"
exit "\${STORE_CODE:-0}"
END
printf '#!/bin/sh\ntouch "%s/rebooted"\n' "$tmp" >"$tmp/reboot"
# systemctl -q is-active UNIT: of those in the file "active".
mkdir "$tmp/bin"
printf '#!/bin/sh\n[ "$1 $2" = "-q is-active" ] && grep -qx -e "$3" "%s/active" 2>/dev/null\n' "$tmp" >"$tmp/bin/systemctl"
chmod +x "$tmp/ihop-store" "$tmp/reboot" "$tmp/bin/systemctl"

run() { # OPTIONS
    PATH=$tmp/bin:$PATH $shell "$good" --boot "$tmp/boot" --ihop-store "$tmp/ihop-store" --reboot-command "$tmp/reboot" \
        --checks "$tmp/a" --checks "$tmp/b" "$@" >"$tmp/told" 2>&1
}
told() { grep -qF -e "$1" "$tmp/told" || fail "not told: $1; but: $(cat "$tmp/told")"; }
said() { equal "$(cat "$tmp/said" 2>/dev/null)" "$1" "what the store was told"; }
ran() { equal "$(sed 's/^ran //' "$tmp/ran" 2>/dev/null | tr '\n' ' ')" "$1" "what ran"; }
rebooted() { equal "$([ -e "$tmp/rebooted" ] && echo yes || echo no)" "$1" "rebooted"; }

test_order() {
    fresh_machine
    check "$tmp/a/required.d/20-disk.sh" 'exit 0'
    check "$tmp/b/required.d/10-net" '[ "$IHOP_RELEASE $IHOP_DEVICE" = "v2 /dev/nbd0" ]'
    check "$tmp/b/required.d/20-disk.sh" 'exit 1' # hidden by that of a
    check "$tmp/b/required.d/30-off" 'exit 1'
    ln -s /dev/null "$tmp/a/required.d/30-off"
    for name in .hidden 'a b' x~ x.bak x.dpkg-new x.rpmsave; do
        check "$tmp/a/required.d/$name" 'exit 1'
    done
    check "$tmp/a/wanted.d/50-last" 'exit 3'
    expect_exit 0 run --reboot
    ran "50-last 10-net 20-disk.sh "
    said "good --json $tmp/store/v2"
    rebooted no
    told "wanted, but failed: 50-last"
    told "release v2 is good: 2 required checks passed; it is the default from now on"
}

# A name that has to be quoted for a shell, which the store writes as it is.
test_odd_name() {
    fresh_machine
    # shellcheck disable=SC2016
    printf 'IHOP_STORE=%s\nIHOP_RELEASE=%s\n' "$tmp/store" '"\"a b\" \\ \$c"' >"$tmp/boot"
    # shellcheck disable=SC2016
    printf 'default=v1\ntrial=%s\ntries=1\nbooted=%s\n' '"a b" \ $c' '"a b" \ $c' >"$tmp/store/.ihop/boot"
    # shellcheck disable=SC2016
    check "$tmp/a/required.d/10-name" '[ "$IHOP_RELEASE" = '"'"'"a b" \ $c'"'"' ]'
    expect_exit 0 run --reboot
    said "good --json $tmp/store/\"a b\" \\ \$c"
}

test_none() {
    fresh_machine
    expect_exit 0 run
    said "good --json $tmp/store/v2"
}

# "is good" is said when the store has taken it so, and not when it changed nothing.
test_outcomes() {
    fresh_machine
    OUTCOME=is_default expect_exit 0 run
    told "release v2 is good: 0 required checks passed; it was the default already"
    for outcome in fallback not_booted earlier_boot; do
        OUTCOME=$outcome expect_exit 0 run
        expect_exit 1 grep "is good" "$tmp/told"
    done
    OUTCOME=something expect_exit 7 run
    told "does not say what it has done"
}

# A unit that is not active is a check that failed. All checks run all the same.
test_units() {
    fresh_machine
    check "$tmp/a/required.d/1" 'exit 0'
    printf '%s\n' boot-complete.target net.target >"$tmp/active"
    expect_exit 0 run --reboot --unit boot-complete.target --unit net.target
    rebooted no
    echo net.target >"$tmp/active"
    expect_exit 1 run --reboot --unit boot-complete.target --unit net.target
    told "release v2 is not good: failed: boot-complete.target"
    told "required.d/1: passed"
    rebooted yes
    equal "$(wc -l <"$tmp/said")" 1 "what the store was told before"
}

# For a boot that has ended in emergency mode.
test_failed() {
    fresh_machine
    check "$tmp/a/required.d/1" 'exit 0'
    expect_exit 1 run --reboot --failed "emergency mode"
    told "release v2 is not good: failed: emergency mode"
    ran ""
    said ""
    rebooted yes
    fresh_machine
    printf 'default=v2\ngood=v1\nbooted=v2\n' >"$tmp/store/.ihop/boot"
    expect_exit 1 run --reboot --failed "emergency mode"
    rebooted no
}

test_failing() {
    fresh_machine
    check "$tmp/a/required.d/1" 'exit 7'
    check "$tmp/a/required.d/2" 'exit 0'
    expect_exit 1 run
    ran "1 2 "
    said ""
    rebooted no
    told "required.d/1: failed: exit code 7"
    told "release v2 is not good: failed: 1"
    expect_exit 1 run --reboot
    rebooted yes
}

test_hanging() {
    fresh_machine
    check "$tmp/a/required.d/1" 'trap "" TERM; tail -f /dev/null'
    expect_exit 1 run --reboot --timeout 1
    rebooted yes
    told "not done after 1 s"
}

test_no_program() {
    fresh_machine
    mkdir -p "$tmp/a/required.d"
    echo true >"$tmp/a/required.d/1"
    ln -s nowhere "$tmp/a/required.d/2"
    expect_exit 1 run
    told "required.d/1: cannot be run"
    told "failed: 1 2"
    said ""
}

# Only a trial is worth a reboot: nothing else would be booted then.
test_not_on_trial() {
    fresh_machine
    check "$tmp/a/required.d/1" 'exit 1'
    printf 'default=v2\ngood=v1\nbooted=v2\n' >"$tmp/store/.ihop/boot"
    expect_exit 1 run --reboot
    rebooted no
    told "not on trial"
}

# ihop.release= on the kernel's command line says nothing about the choice of the store.
test_forced_release() {
    fresh_machine
    sed -i s/booted=v2/booted=v1/ "$tmp/store/.ihop/boot"
    expect_exit 0 run --reboot
    said ""
    told "was not the store's choice"
    check "$tmp/a/required.d/1" 'exit 1'
    expect_exit 1 run --reboot
    rebooted no
}

# Where a boot loader chooses, its own command is run instead, whatever the store chose.
test_good_command() {
    fresh_machine
    sed -i s/booted=v2/booted=/ "$tmp/store/.ihop/boot"
    expect_exit 0 run --reboot --good "echo \"\$IHOP_RELEASE\" >$tmp/loader"
    equal "$(cat "$tmp/loader")" v2 "what the boot loader was told"
    said ""
    expect_exit 7 run --good false
    check "$tmp/a/required.d/1" 'exit 1'
    expect_exit 1 run --reboot --good true
    rebooted yes
}

test_store_fails() {
    fresh_machine
    STORE_CODE=6 expect_exit 6 run --reboot
    rebooted no
    told "good $tmp/store/v2 failed"
}

# What the file says is never run.
test_odd_values() {
    fresh_machine
    printf "IHOP_STORE='%s/store'\nIHOP_RELEASE=\"v2\"\nIHOP_DEVICE=\$(touch %s/bad)\n" "$tmp" "$tmp" >"$tmp/boot"
    expect_exit 0 run
    said "good --json $tmp/store/v2"
    [ ! -e "$tmp/bad" ]
    echo IHOP_RELEASE=v2 >"$tmp/boot"
    expect_exit 4 run
    rm "$tmp/boot"
    expect_exit 10 run
    expect_exit 2 run --timeout 1x
    expect_exit 2 run --timeout 0
    expect_exit 2 run --what
    expect_exit 2 run --checks
}

for shell in sh "bash --posix" dash "busybox sh"; do
    command -v "${shell%% *}" >/dev/null || continue
    echo "== $shell"
    run_cases "$@"
done

# Elsewhere the programs are not where the units say.
if command -v systemd-analyze >/dev/null && systemd-analyze verify --help 2>&1 | grep -q -e --man; then
    mkdir "$tmp/units"
    for unit in ihop-attach@ ihop-good ihop-not-good ihop-watch; do
        sed -e 's,^\(Exec[A-Za-z]*=\)[^ ]*/ihop-[a-z]*,\1/bin/true,' \
            "$builddir/boot/systemd/$unit.service" >"$tmp/units/$unit.service"
    done
    cp "$tmp/units/ihop-attach@.service" "$tmp/units/ihop-attach@data-v1.service"
    SYSTEMD_UNIT_PATH=$tmp/units: systemd-analyze verify --man=no "$tmp/units/ihop-attach@data-v1.service" \
        "$tmp/units/ihop-good.service" "$tmp/units/ihop-not-good.service" "$tmp/units/ihop-watch.service" >"$tmp/verify" 2>&1 || fail "$(cat "$tmp/verify")"
    grep ihop "$tmp/verify" && fail "systemd-analyze verify complains"
fi
exit 0
