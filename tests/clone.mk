# SPDX-License-Identifier: MIT
# ihop-clone against stores, options and servers, good ones and bad ones.
clone_tests = \
	tests/test-clone-basic.sh \
	tests/test-clone-budget.sh \
	tests/test-clone-delta-faults.sh \
	tests/test-clone-delta.sh \
	tests/test-clone-facts.sh \
	tests/test-clone-full.sh \
	tests/test-clone-holes.sh \
	tests/test-clone-interrupted-calls.sh \
	tests/test-clone-io-errors.sh \
	tests/test-clone-memory.sh \
	tests/test-clone-options.sh \
	tests/test-clone-output.sh \
	tests/test-clone-parallel.sh \
	tests/test-clone-paths.sh \
	tests/test-clone-pin.sh \
	tests/test-clone-repair.sh \
	tests/test-clone-seed.sh \
	tests/test-clone-signed.sh \
	tests/test-clone-unprivileged.sh \
	tests/test-closed-descriptors.sh \
	tests/test-terminal.sh \
	tests/test-net-advice.sh \
	tests/test-net-changed.sh \
	tests/test-net-crowded.sh \
	tests/test-net-cut.sh \
	tests/test-net-exact.sh \
	tests/test-net-framing.sh \
	tests/test-net-lies.sh \
	tests/test-net-link.sh \
	tests/test-net-long-body.sh \
	tests/test-net-mirror.sh \
	tests/test-net-odd-servers.sh \
	tests/test-net-query.sh \
	tests/test-net-redirect.sh \
	tests/test-net-redirector.sh \
	tests/test-net-retry-after.sh \
	tests/test-net-secrets.sh \
	tests/test-net-slow.sh \
	tests/test-net-status.sh \
	tests/test-net-tags.sh \
	tests/test-net-tls.sh \
	tests/test-net-wrong-bytes.sh

TESTS += $(clone_tests)
EXTRA_DIST += $(clone_tests)
