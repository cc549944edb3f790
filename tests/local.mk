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
include tests/device.mk
include tests/data.mk
include tests/faults.mk
include tests/unit.mk
include tests/fuzz.mk

# What the tests share, and their tools. functions.sh explains the shell libraries, and
# ihopformat/__init__.py the modules for formats.
EXTRA_DIST += \
	tests/lib/assertions.sh \
	tests/lib/cases.sh \
	tests/lib/delta.sh \
	tests/lib/faults.sh \
	tests/lib/functions.sh \
	tests/lib/memory.sh \
	tests/lib/nbdkit.sh \
	tests/lib/net.sh \
	tests/lib/offline.py \
	tests/lib/nginx.sh \
	tests/lib/plugin-functions.sh \
	tests/lib/real.sh \
	tests/lib/samples.sh \
	tests/lib/timed.sh \
	tests/lib/bootmodel.py \
	tests/lib/cba.py \
	tests/lib/cutcases.py \
	tests/lib/docblocks.py \
	tests/lib/doclinks.py \
	tests/lib/fault-server.py \
	tests/lib/house.py \
	tests/lib/mutate.py \
	tests/lib/paste.py \
	tests/lib/serverlog.py \
	tests/lib/ihopformat/__init__.py \
	tests/lib/ihopformat/archive.py \
	tests/lib/ihopformat/codecs.py \
	tests/lib/ihopformat/columns.py \
	tests/lib/ihopformat/corpus.py \
	tests/lib/ihopformat/delta.py \
	tests/lib/ihopformat/deltahostile.py \
	tests/lib/ihopformat/ed25519.py \
	tests/lib/ihopformat/growing.py \
	tests/lib/ihopformat/hostile.py \
	tests/lib/ihopformat/minisign.py \
	tests/lib/ihopformat/noise.py \
	tests/lib/ihopformat/protobuf.py \
	tests/lib/ihopformat/release.py \
	tests/lib/ihopformat/store.py \
	tests/lib/ihopformat/wrong.py

# By hand: would the tests notice a mistake? (docs/mutations.md)
EXTRA_DIST += tests/mutate.sh tests/mutations.txt

.PHONY: list-tests
list-tests:
	@printf '%s\n' $(TESTS)
