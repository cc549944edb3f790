# SPDX-License-Identifier: MIT
# ihop-compress: its archives, beside bita's and by themselves; options and errors.
compress_tests = \
	tests/test-compress-as-bita.sh \
	tests/test-compress-delta.sh \
	tests/test-compress-diff.sh \
	tests/test-compress-edges.sh \
	tests/test-compress-errors.sh \
	tests/test-compress-full.sh \
	tests/test-compress-info.sh \
	tests/test-compress-killed.sh \
	tests/test-compress-memory.sh \
	tests/test-compress-options.sh \
	tests/test-compress-output.sh \
	tests/test-compress-same.sh \
	tests/test-compress-sign.sh \
	tests/test-compress-verity.sh \
	tests/test-real-compress.sh

TESTS += $(compress_tests)
EXTRA_DIST += $(compress_tests)
