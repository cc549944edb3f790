# SPDX-License-Identifier: MIT
# Tests: unit programs (cmocka) and one shell script for each behaviour. A script
# exits 77 to skip, and says why. tests/lib/functions.sh has what they share.

check_PROGRAMS =
check_LTLIBRARIES =
TESTS =
TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(BASH)
AM_TESTS_ENVIRONMENT = \
	srcdir='$(abs_top_srcdir)'; builddir='$(abs_top_builddir)'; \
	export srcdir builddir;

include tests/archive.mk
include tests/clone.mk
include tests/compress.mk
include tests/store.mk
include tests/plugin.mk
include tests/data.mk
include tests/faults.mk

EXTRA_DIST += tests/lib/timed.sh

.PHONY: list-tests
list-tests:
	@printf '%s\n' $(TESTS)
