# SPDX-License-Identifier: MIT
# Tests of the nbdkit plugin: each makes its own store and runs the built plugin
# in the system's nbdkit.

plugin_tests = \
	tests/test-attach-refusals.sh \
	tests/test-large-image.sh \
	tests/test-plugin-cache.sh \
	tests/test-plugin-clone.sh \
	tests/test-plugin-connections.sh \
	tests/test-plugin-damaged.sh \
	tests/test-plugin-descriptors.sh \
	tests/test-plugin-exports.sh \
	tests/test-plugin-extents.sh \
	tests/test-plugin-filters.sh \
	tests/test-plugin-load.sh \
	tests/test-plugin-lost-chunk.sh \
	tests/test-plugin-missing.sh \
	tests/test-plugin-object.sh \
	tests/test-plugin-parameters.sh \
	tests/test-plugin-read.sh \
	tests/test-plugin-replaced.sh \
	tests/test-plugin-valgrind.sh \
	tests/test-plugin-user.sh \
	tests/test-plugin-verify.sh \
	tests/test-vm-attach.sh \
	tests/test-vm-attach-boot.sh \
	tests/test-vm-attach-load.sh \
	tests/test-vm-uboot.sh

TESTS += $(plugin_tests)
EXTRA_DIST += $(plugin_tests)

# By hand: it needs a kernel for a virtual machine.
EXTRA_DIST += tests/vm/attach.sh tests/vm/attach-guest.sh tests/vm/attach-kill.sh tests/vm/damage.py tests/vm/readers.py \
	tests/vm/uboot.py tests/vm/uml.sh
