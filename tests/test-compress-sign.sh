#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-compress signs archives: with keys in PEM and of minisign, with commands, with signatures
# that were made elsewhere; new archives and finished ones. Python, minisign and openssl judge.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"

cd "$tmp"
requires python3
noise image 300000
$cba key 1 one >ids
$cba key 2 two >>ids
$cba key 3 three >>ids
read -r one _ < <(sed -n 1p ids)
read -r two two_pem < <(sed -n 2p ids)

# compress [OPTION...] ARCHIVE: makes it anew.
compress() {
    expect_exit 0 "$ihop_compress" -f -q "${@:1:$#-1}" image "${@: -1}"
}

# signers ARCHIVE: the key files that signed it, by Python; a dash for another one.
signers() {
    $cba signed-by "$1" one.pub two.pub three.pub | cut -d' ' -f2 | paste -sd' '
}

# refused CODE REGEX [OPTION...] OPERAND...: nothing is made, and one line says why.
refused() {
    local code=$1 regex=$2

    shift 2
    expect_exit "$code" "$ihop_compress" "$@"
    expect_stderr "$regex"
    one_line_on_stderr
}

test_keys() {
    compress --sign one.sec --sign two.pem a.cba
    equal "$(signers a.cba)" "one.pub two.pub" "signers"
    equal "$($cba signed-by a.cba | cut -d' ' -f1 | paste -sd' ')" "$one $two_pem" "their ids"
    # The header is that of an archive without signatures, and so are the chunks.
    compress b.cba
    equal "$(file_size a.cba)" "$(file_size b.cba)" "size with signatures"
    "$python" - a.cba b.cba <<'EOF_PY'
import sys
from ihopformat import minisign
a, b = (open(path, "rb").read() for path in sys.argv[1:])
start, end = minisign.space(a)
assert (start, end) == minisign.space(b) and end % 4096 == 0 and 4096 <= end - start < 8192
assert a[:start] == b[:start] and a[end:] == b[end:] and not any(b[start:end])
EOF_PY
    # The same again is the same file; the key again replaces its own signature.
    compress --sign one.sec --sign two.pem c.cba
    cmp a.cba c.cba
    compress --sign one.sec --sign two.pem --sign one.pem c.cba
    equal "$(signers c.cba)" "two.pub one.pub" "one key twice"
}

test_result() {
    expect_exit 0 "$ihop_compress" -f --json --sign one.sec --trusted-comment "v 7" image a.cba
    equal "$(json signatures)" "[{'key_id': '$one', 'trusted_comment': 'v 7'}]" "signatures"
    expect_exit 0 "$ihop_compress" --info --json --verify-key two.pub --verify-key three.pub.pem a.cba
    equal "$(json signatures)" \
        "[{'key_id': '$one', 'trusted_comment': 'v 7', 'verdict': 'untrusted'}]" "signatures"
    expect_exit 0 "$ihop_compress" --info --verify-key one.pub.pem a.cba
    expect_stdout "^  Signature: key $one, good, trusted comment: v 7$"
    compress b.cba
    expect_exit 0 "$ihop_compress" --info b.cba
    expect_stdout "^  Signatures: none$"
    refused 10 "is not signed" --print-signatures b.cba
    # What somebody else wrote there is told about, too.
    for fault in comment flip; do # shellcheck disable=SC2094
        $cba signature --fault $fault --comment $'v\t7\033[31m' 1 b.cba >signature
        $cba put-signatures b.cba signature
        expect_exit 0 "$ihop_compress" --info --verify-key one.pub b.cba
        expect_stdout "^  Signature: key $one, WRONG: .*, trusted comment: v 7\?\[31m"
    done
    head -c 100 signature >short
    $cba put-signatures b.cba short
    expect_exit 0 "$ihop_compress" --info b.cba
    expect_stdout "^  Signatures: unreadable: line 2 of its signatures"
    expect_exit 0 "$ihop_compress" --info --json b.cba
    expect_stdout '"signatures_error":"line 2 of its signatures'
}

test_minisign() {
    command -v minisign >/dev/null || { echo "no minisign: left out"; return; }
    minisign -G -f -W -p m.pub -s m.sec >/dev/null
    # It verifies what we sign, with an empty comment and with others.
    for comment in "" "v 7" "$(printf 'x%.0s' {1..1024})"; do
        compress --sign one.sec --trusted-comment "$comment" a.cba
        "$ihop_compress" --print-signed a.cba >a.signed
        "$ihop_compress" --print-signatures a.cba >a.signed.minisig
        equal "$(minisign -V -Q -m a.signed -p one.pub)" "$comment" "what minisign trusts"
    done
    # We take what it signs.
    compress b.cba
    "$ihop_compress" --print-signed b.cba >b.signed
    minisign -S -s m.sec -m b.signed -t "by minisign" >/dev/null
    expect_exit 0 "$ihop_compress" --add-signature b.signed.minisig --verify-key m.pub b.cba
    expect_stderr "b.cba has 1 signature now"
    equal "$($cba signed-by b.cba one.pub m.pub | cut -d' ' -f2-)" "m.pub by minisign" "its signature"
    # Its secret key, as it is.
    compress --sign m.sec c.cba
    equal "$($cba signed-by c.cba m.pub | cut -d' ' -f2)" "m.pub" "signed with its key"
    # The legacy form signs the file and not its hash.
    minisign -S -l -s m.sec -m b.signed >/dev/null
    refused 5 "legacy form" --add-signature b.signed.minisig b.cba
}

test_password() {
    rm -f a.cba
    command -v minisign >/dev/null || { echo "no minisign: left out"; return; }
    echo secret >password
    printf 'secret\nsecret\n' | minisign -G -f -p m.pub -s m.sec >/dev/null 2>&1 ||
        { echo "no memory for minisign's password: left out"; return; }
    refused 2 "m.sec: it wants a password: .*--sign-password-file" --sign m.sec image a.cba
    [ ! -e a.cba ] || fail "it was made all the same"
    echo wrong >wrong
    refused 7 "m.sec: its password is another one" --sign m.sec --sign-password-file wrong image a.cba
    compress --sign m.sec --sign-password-file password a.cba
    equal "$($cba signed-by a.cba m.pub | cut -d' ' -f2)" m.pub "signed with a password"
    : >empty
    refused 2 "empty has no password" --sign m.sec --sign-password-file empty image b.cba
    refused 10 "password file none" --sign m.sec --sign-password-file none image b.cba
}

test_openssl() {
    requires openssl
    rm -f b.cba
    openssl genpkey -algorithm ed25519 -out o.pem
    openssl pkey -in o.pem -pubout -out o.pub.pem
    compress --sign o.pem a.cba
    "$ihop_compress" --print-signed=checksum a.cba >checksum
    equal "$(file_size checksum)" 64 "bytes of the checksum"
    "$python" - a.cba signature <<'EOF_PY'
import sys
from ihopformat import minisign
data = open(sys.argv[1], "rb").read()
start, end = minisign.space(data)
(_, signature, _, _), = minisign.parse(data[start:end])
open(sys.argv[2], "wb").write(signature)
EOF_PY
    openssl pkeyutl -verify -rawin -pubin -inkey o.pub.pem -sigfile signature -in checksum >/dev/null ||
        fail "openssl does not verify what was signed with its key"
    # An encrypted key: the message says what to do, and that works.
    openssl pkey -in o.pem -aes256 -passout pass:x -out locked.pem
    refused 2 "openssl pkey -in KEY -out COPY" --sign locked.pem image b.cba
    openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024 -out rsa.pem 2>/dev/null
    refused 7 "no Ed25519 key" --sign rsa.pem image b.cba
    [ ! -e b.cba ] || fail "it was made all the same"
    compress --sign-command \
        "openssl pkeyutl -sign -rawin -inkey locked.pem -passin pass:x -in /dev/stdin" \
        --verify-key o.pub.pem b.cba
    cmp a.cba b.cba
}

test_command() {
    # A signer that knows the 64 bytes: it is asked for them, then for its own signature.
    cat >signer <<'EOF_PY'
import os, sys
from ihopformat import minisign
message = sys.stdin.buffer.read()
with open("asked", "a") as f:
    f.write(f"{len(message)} {os.fstat(0).st_size} {os.lseek(0, 0, 1)}\n")
sys.stdout.buffer.write(minisign.ed25519.sign(minisign.Key(int(sys.argv[1])).seed, message))
EOF_PY
    local sign="'$python' signer"

    : >asked
    compress --sign-command "$sign 1" --sign-command "$sign 2" --verify-key two.pub --verify-key one.pub a.cba
    equal "$(signers a.cba)" "one.pub two.pub" "signers"
    equal "$(sort -u asked)" "64 64 64" "what the command was asked"
    equal "$(wc -l <asked)" 4 "how often"
    compress --sign one.sec --sign two.sec b.cba
    cmp a.cba b.cba
    # A comment makes the second message longer.
    compress --sign-command "$sign 1" --verify-key one.pub --trusted-comment "v 7" c.cba
    equal "$(tail -n 1 asked)" "67 67 67" "the second message with a comment"
    equal "$(signers c.cba)" "one.pub" "signer with a comment"
    # A finished archive.
    compress d.cba
    expect_exit 0 "$ihop_compress" --sign-command "$sign 2" --verify-key two.pub d.cba
    equal "$(signers d.cba)" "two.pub" "signer of a finished archive"

    cp d.cba before
    refused 2 "needs --verify-key" --sign-command "$sign 1" image x.cba
    refused 5 "is no signature by a key of --verify-key" --sign-command "$sign 3" --verify-key one.pub d.cba
    refused 7 "failed with exit code 9" --sign-command "exit 9" --verify-key one.pub d.cba
    refused 7 "killed by signal 15" --sign-command 'kill -TERM $$' --verify-key one.pub d.cba
    refused 7 "printed 0 bytes instead" --sign-command true --verify-key one.pub d.cba
    refused 7 "printed 63 bytes" --sign-command "head -c 63 /dev/zero" --verify-key one.pub d.cba
    refused 7 "printed more than 64 bytes" --sign-command "cat /dev/zero 2>&1" --verify-key one.pub d.cba
    refused 5 "is no signature" --sign-command "head -c 64 /dev/zero" --verify-key one.pub d.cba
    # Right the first time, wrong the second.
    refused 5 "does not verify" --verify-key one.pub --sign-command \
        "if [ -e second ]; then head -c 64 /dev/zero; else : >second; $sign 1; fi" d.cba
    cmp d.cba before
    refused 7 "failed with exit code 9" --sign-command "exit 9" --verify-key one.pub image x.cba
    [ ! -e x.cba ] || fail "it was made without its signature"
    refused 7 "is a public key" --sign one.pub.pem image x.cba
    refused 10 "cannot open the key none" --sign none image x.cba
    refused 10 "cannot open the key none" --verify-key none --sign-command true image x.cba
    refused 2 "--trusted-comment takes one line" --sign one.sec --trusted-comment $'a\nb' image x.cba
    refused 2 "either signed or told about" --sign one.sec --info a.cba
    refused 2 "takes nothing or =checksum" --print-signed=hash a.cba
}

test_finished() {
    compress a.cba
    chmod 640 a.cba
    "$ihop_compress" --print-header a.cba >pin
    expect_exit 0 "$ihop_compress" --add-signature one.sec a.cba
    expect_stderr "a.cba has 1 signature now"
    equal "$(stat -c %a a.cba)" 640 "mode"
    equal "$("$ihop_compress" --print-header a.cba)" "$(cat pin)" "header checksum"
    expect_exit 0 "$ihop_compress" --add-signature two.pem --trusted-comment new a.cba
    equal "$(signers a.cba)" "one.pub two.pub" "signers"
    # The same key, in its other form as well, replaces its own.
    expect_exit 0 "$ihop_compress" --add-signature two.sec --trusted-comment newer a.cba
    equal "$($cba signed-by a.cba | cut -d' ' -f1,3-)" "$one "$'\n'"$two newer" "after two.sec"
    # Through a link the file is signed, and the link stays.
    ln -s a.cba link.cba
    expect_exit 0 "$ihop_compress" --add-signature three.sec link.cba
    [ -L link.cba ] || fail "the link was replaced"
    equal "$(signers a.cba)" "one.pub two.pub three.pub" "signers"
    # Who has it open keeps the old one, whole.
    cp a.cba before
    exec 3<a.cba
    expect_exit 0 "$ihop_compress" --add-signature one.sec --trusted-comment x a.cba
    cmp before - <&3 || fail "an archive changed while it was open"
    exec 3<&-
    # Signatures of something else are refused when their key is known.
    noise other 100000 other
    expect_exit 0 "$ihop_compress" -q other other.cba
    $cba signature 1 other.cba >other.minisig
    cp a.cba before
    refused 5 "not one of this archive's header" --add-signature other.minisig --verify-key one.pub a.cba
    $cba signature --fault global 1 a.cba >global.minisig
    refused 5 "not one of this archive's header" --add-signature global.minisig --verify-key one.pub a.cba
    refused 5 "line 1 of its signatures is wrong" --add-signature pin a.cba
    cmp a.cba before
    $cba signature 1 a.cba >good.minisig
    expect_exit 0 "$ihop_compress" --add-signature good.minisig a.cba
    expect_stderr "warning: 1 signature could not be verified: pass --verify-key"
    refused 2 "is a URL" --add-signature one.sec http://127.0.0.1:1/a.cba
    refused 5 "not a bita archive" --add-signature one.sec image
    refused 10 "cannot open none.cba" --add-signature one.sec none.cba
    refused 2 "too many arguments" --add-signature one.sec image a.cba
    cp a.cba rotten.cba
    flip rotten.cba 100
    refused 5 "header checksum does not match" --add-signature one.sec rotten.cba
    equal "$(find . -name '.?*')" "" "hidden files that are left"
}

# Without space the signatures are beside the archive; what fills the space is never overwritten.
test_space() {
    compress --signature-space 0 a.cba
    expect_exit 0 "$ihop_compress" --add-signature one.sec a.cba
    expect_stderr "a.cba has no space for signatures: wrote .*/a.cba.minisig"
    expect_exit 0 "$ihop_compress" --json --add-signature two.sec --trusted-comment c a.cba
    equal "$(json signature_file)" "$(realpath a.cba).minisig" "where it is"
    equal "$(grep -c '^trusted' a.cba.minisig)" 2 "signatures beside it"
    expect_exit 0 "$ihop_compress" --info --verify-key one.pub --verify-key two.pub a.cba
    equal "$(grep -c '^  Signature: .*good' out)" 2 "good ones"
    cmp <("$ihop_compress" --print-signatures a.cba) a.cba.minisig
    if command -v minisign >/dev/null; then
        "$ihop_compress" --print-signed a.cba >a.signed
        minisign -V -q -m a.signed -x a.cba.minisig -p one.pub
    fi

    # What is left beside an archive of before does not get into one with space.
    compress a.cba
    expect_exit 0 "$ihop_compress" --add-signature three.sec a.cba
    equal "$(signers a.cba)" three.pub "signers, with a file beside it"
    rm a.cba.minisig

    # bita's own archives have no space.
    cp "$srcdir/tests/data/demo-v1.cba" bita.cba
    expect_exit 0 "$ihop_compress" --add-signature one.sec bita.cba
    cmp bita.cba "$srcdir/tests/data/demo-v1.cba"
    [ -s bita.cba.minisig ] || fail "nothing is beside it"

    # Space for two, and a third one.
    compress --signature-space 1 --sign one.sec small.cba
    "$python" - small.cba <<'EOF_PY'
import sys
from ihopformat import minisign
start, end = minisign.space(open(sys.argv[1], "rb").read())
assert 260 < end - start < 5000, end - start
EOF_PY
    long=$(printf 'x%.0s' {1..1000})
    for key in one two; do
        expect_exit 0 "$ihop_compress" --add-signature $key.sec --trusted-comment "$long" small.cba
    done
    cp small.cba before
    refused 6 "has [0-9]+ bytes for signatures, and [0-9]+ are needed: .*--signature-space" \
        --add-signature three.sec --trusted-comment "$long" small.cba
    cmp small.cba before
    [ ! -e small.cba.minisig ] || fail "some are inside, some beside"
    # More of them with --sign take more space by themselves.
    many=()
    for number in $(seq 10 29); do
        $cba key "$number" "key$number" >/dev/null
        many+=(--sign "key$number.sec")
    done
    compress --signature-space 1 "${many[@]}" many.cba
    equal "$($cba signed-by many.cba | wc -l)" 20 "signatures"
    expect_exit 0 "$ihop_clone" -q many.cba store/many
    holds store/many image
    # Something else in the space.
    compress odd.cba
    printf 'not yours' >text
    $cba put-signatures odd.cba text
    cp odd.cba before
    refused 5 "line 1 of its signatures is wrong" --add-signature one.sec odd.cba
    cmp odd.cba before
    expect_exit 2 "$ihop_compress" --signature-space 65537 image x.cba
}

# bita and ihop-clone take a signed archive; so does anybody who knew it before.
test_readers() {
    compress --sign one.sec a.cba
    expect_exit 0 "$ihop_clone" -q a.cba store/a
    holds store/a image
    expect_exit 0 "$ihop_compress" --diff a.cba a.cba
    expect_exit 0 "$ihop_compress" --add-signature two.sec a.cba
    expect_exit 0 "$ihop_clone" -q a.cba store/a
    command -v bita >/dev/null || { echo "no bita: left out"; return; }
    bita clone a.cba back >log 2>&1 || { cat log >&2; fail "bita clone"; }
    cmp image back
    bita info a.cba >log 2>&1 || { cat log >&2; fail "bita info"; }
}

# Two that sign at the same time wait for one another.
test_together() {
    local pids=() pid

    compress a.cba
    for number in $(seq 10 17); do
        $cba key "$number" "key$number" >/dev/null
        "$ihop_compress" -q --add-signature "key$number.sec" a.cba &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
    equal "$($cba signed-by a.cba | wc -l)" 8 "signatures of eight at a time"
}

# Who waited for the lock signs what has the name then, not what had it before.
test_waited() {
    local pid

    requires flock
    compress a.cba
    cp a.cba next.cba
    expect_exit 0 "$ihop_compress" --add-signature two.sec next.cba
    exec 4<a.cba
    flock 4
    "$ihop_compress" -q --add-signature one.sec a.cba 4<&- &
    pid=$!
    wait_for 60 grep -q -e "-> FLOCK.* $pid " /proc/locks
    mv next.cba a.cba
    exec 4<&-
    wait "$pid"
    equal "$(signers a.cba)" "two.pub one.pub" "signers, after waiting"
}

run_cases "$@"
