# SPDX-License-Identifier: MIT
# Tests of what a device has: the check of a release that was booted, what mounts the root from a
# release, and machines of user-mode Linux in which releases are attached, mounted and booted.
device_tests = \
	tests/test-boot-library.sh \
	tests/test-good.sh \
	tests/test-update-example.sh \
	tests/test-vm-boot-cuts.sh \
	tests/test-vm-filesystems.sh \
	tests/test-vm-root.sh \
	tests/test-vm-signed.sh \
	tests/test-vm-verity.sh

TESTS += $(device_tests)
EXTRA_DIST += $(device_tests) tests/vm/root-machine.sh

# By hand.
EXTRA_DIST += tests/vm/grub.sh tests/vm/loader-machine.sh tests/vm/measure.sh tests/vm/systemd-boot.sh tests/vm/systemd.sh
# root.sh makes root directories of Debian and takes half an hour.
EXTRA_DIST += tests/vm/root.sh
