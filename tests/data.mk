# SPDX-License-Identifier: MIT
# Example archives and stores that real tools made, the tests on them, and the tests of
# what newcomers and CI run.

real_tests = \
	tests/test-bench-limit.sh \
	tests/test-bench-small.sh \
	tests/test-scripts.sh \
	tests/test-real-archives.sh \
	tests/test-real-bita.sh \
	tests/test-real-chunker.sh \
	tests/test-real-images-small.sh \
	tests/test-real-original.sh \
	tests/test-real-original-tool.sh

TESTS += $(real_tests)

EXTRA_DIST += $(real_tests) \
	tests/data/chunk-sizes.txt \
	tests/data/make-image.py \
	tests/data/make.sh \
	tests/data/made-by.txt \
	tests/data/metadata-notes.txt \
	tests/data/original-store.tar.xz \
	tests/data/brotli.b2 tests/data/brotli.cba \
	tests/data/buzhash.b2 tests/data/buzhash.cba \
	tests/data/demo-v1.b2 tests/data/demo-v1.cba \
	tests/data/demo-v2.b2 tests/data/demo-v2.cba \
	tests/data/fixed.b2 tests/data/fixed.cba \
	tests/data/hash16.b2 tests/data/hash16.cba \
	tests/data/hash32.b2 tests/data/hash32.cba \
	tests/data/lzma.b2 tests/data/lzma.cba \
	tests/data/metadata.b2 tests/data/metadata.cba \
	tests/data/none.b2 tests/data/none.cba \
	tests/data/odd-size.b2 tests/data/odd-size.cba \
	tests/data/update-v1.b2 tests/data/update-v1.cba \
	tests/data/update-v2.b2 tests/data/update-v2.cba \
	tests/data/zstd.b2 tests/data/zstd.cba
