# SPDX-License-Identifier: MIT
# Tests of what a device has: the check of a release that was booted, and machines of user-mode
# Linux in which releases are attached and mounted.
device_tests = \
	tests/test-good.sh \
	tests/test-vm-filesystems.sh \
	tests/test-vm-verity.sh

TESTS += $(device_tests)
EXTRA_DIST += $(device_tests)

# By hand.
EXTRA_DIST += tests/vm/grub.sh tests/vm/measure.sh tests/vm/systemd.sh
