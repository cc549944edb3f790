# SPDX-License-Identifier: MIT
# Looking after a store: ihop-store, its modules, and ihop-clone --make-room.
store_tests = \
	tests/test-clone-make-room.sh \
	tests/test-store-bad-inode.sh \
	tests/test-store-boot.sh \
	tests/test-store-boot-faults.sh \
	tests/test-store-boot-model.sh \
	tests/test-store-clocks.sh \
	tests/test-store-concurrent.sh \
	tests/test-store-floor.sh \
	tests/test-store-foreign.sh \
	tests/test-store-gc.sh \
	tests/test-store-locks.sh \
	tests/test-store-pending.sh \
	tests/test-store-lock-modes.sh \
	tests/test-store-read-only.sh \
	tests/test-store-signed.sh \
	tests/test-store-tools.sh \
	tests/test-store-verify.sh
TESTS += $(store_tests)
EXTRA_DIST += $(store_tests)
