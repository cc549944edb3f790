# SPDX-License-Identifier: MIT
# Archives, hostile and odd ones; how images are cut; documents; the rules of the house.
archive_tests = \
	tests/test-archive-formats.sh \
	tests/test-archive-hostile.sh \
	tests/test-chunker-vectors.sh \
	tests/test-delta-format.sh \
	tests/test-docs-keys.sh \
	tests/test-docs-publishing.sh \
	tests/test-docs-links.sh \
	tests/test-docs-paste.sh \
	tests/test-growth.sh \
	tests/test-house.sh
TESTS += $(archive_tests)
EXTRA_DIST += $(archive_tests)

# Prints how a file is cut.
check_PROGRAMS += tests/cut-file
tests_cut_file_LDADD = libchunker.la

# Prints what a delta pack says, and decodes all of it.
check_PROGRAMS += tests/show-pack
tests_show_pack_LDADD = libcodec.la
