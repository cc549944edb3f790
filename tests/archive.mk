# SPDX-License-Identifier: MIT
# Tests of common/: unit programs, the fuzzers' corpora, hostile and odd archives,
# and the rules of the house.

EXTRA_DIST += \
	tests/lib/cba.py tests/lib/cbacorpus.py tests/lib/cbaformat.py tests/lib/cbahostile.py \
	tests/lib/cbawrong.py \
	tests/lib/cutcases.py tests/lib/doclinks.py tests/lib/functions.sh tests/lib/growing.py tests/lib/house.py \
	tests/lib/paste.py \
	tests/data/chunk-sizes.txt

archive_tests = \
	tests/test-archive-formats.sh \
	tests/test-archive-hostile.sh \
	tests/test-chunker-vectors.sh \
	tests/test-docs-links.sh \
	tests/test-docs-paste.sh \
	tests/test-growth.sh \
	tests/test-house.sh
TESTS += $(archive_tests)
EXTRA_DIST += $(archive_tests)

# Prints how a file is cut.
check_PROGRAMS += tests/cut-file
tests_cut_file_LDADD = libchunker.la

# ---- unit programs: one for each module ----

if HAVE_CMOCKA
unit_programs = \
	tests/unit/test_adopt \
	tests/unit/test_archive \
	tests/unit/test_base \
	tests/unit/test_chunk_hash \
	tests/unit/test_chunk_map \
	tests/unit/test_chunk_put \
	tests/unit/test_chunk_writer \
	tests/unit/test_chunker \
	tests/unit/test_codec \
	tests/unit/test_cut \
	tests/unit/test_dictionary \
	tests/unit/test_file \
	tests/unit/test_http \
	tests/unit/test_identity \
	tests/unit/test_image \
	tests/unit/test_io \
	tests/unit/test_io_walk \
	tests/unit/test_release_name \
	tests/unit/test_chunk_packer \
	tests/unit/test_plan \
	tests/unit/test_missing \
	tests/unit/test_publish \
	tests/unit/test_rate \
	tests/unit/test_release \
	tests/unit/test_retry \
	tests/unit/test_store \
	tests/unit/test_text \
	tests/unit/test_workers \
	tests/unit/test_trust
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)

check_LTLIBRARIES += libunit.la
libunit_la_SOURCES = \
	tests/unit/store_support.c tests/unit/store_support.h \
	tests/unit/support.c tests/unit/support.h
libunit_la_LIBADD = libstore.la $(CMOCKA_LIBS)

LDADD = libunit.la
tests_unit_test_archive_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_dictionary_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_image_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_release_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)

tests_unit_test_chunker_LDADD = libchunker.la libunit.la
tests_unit_test_cut_LDADD = libchunker.la libunit.la
# The libraries' own encoders make what no encoder of ours would.
tests_unit_test_codec_CFLAGS = $(AM_CFLAGS) $(ENCODERS_CFLAGS)
tests_unit_test_codec_LDADD = libcodec.la libencoder.la libunit.la $(ENCODERS_LIBS)
tests_unit_test_file_LDADD = libfetch.la libunit.la
tests_unit_test_chunk_packer_SOURCES = tests/unit/test_chunk_packer.c \
	compress/chunk_packer.c compress/chunk_packer.h compress/output_file.c compress/output_file.h
tests_unit_test_chunk_packer_LDADD = libencoder.la libunit.la
tests_unit_test_http_LDADD = libfetch.la libunit.la
tests_unit_test_identity_LDADD = libfetch.la libunit.la
tests_unit_test_plan_LDADD = libfetch.la libunit.la
tests_unit_test_trust_LDADD = libfetch.la libunit.la
tests_unit_test_rate_LDADD = libfetch.la libunit.la
tests_unit_test_retry_LDADD = libfetch.la libunit.la
endif

# ---- fuzzers ----

# Without --enable-fuzzers each has a main of its own that runs files through it;
# so make check replays the corpus with any compiler.
fuzz_programs = \
	tests/fuzz/fuzz_archive \
	tests/fuzz/fuzz_codec \
	tests/fuzz/fuzz_release \
	tests/fuzz/fuzz_response \
	tests/fuzz/fuzz_store
check_PROGRAMS += $(fuzz_programs)
TESTS += tests/fuzz/replay.sh
EXTRA_DIST += tests/fuzz/replay.sh tests/fuzz/corpus

FUZZ_CFLAGS = $(AM_CFLAGS)
if ENABLE_FUZZERS
FUZZ_CFLAGS += -fsanitize=fuzzer
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZ_MAIN =
else
fuzz_ldflags = $(AM_LDFLAGS)
FUZZ_MAIN = tests/fuzz/replay_main.c
endif
EXTRA_DIST += tests/fuzz/replay_main.c

# By hand: would the tests notice?
EXTRA_DIST += tests/mutate.sh tests/mutations.txt tests/lib/mutate.py

tests_fuzz_fuzz_archive_SOURCES = tests/fuzz/fuzz_archive.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_archive_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_archive_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_archive_LDADD = libformat.la
tests_fuzz_fuzz_release_SOURCES = tests/fuzz/fuzz_release.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_release_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_release_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_release_LDADD = libformat.la
tests_fuzz_fuzz_codec_SOURCES = tests/fuzz/fuzz_codec.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_codec_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_codec_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_codec_LDADD = libcodec.la
tests_fuzz_fuzz_store_SOURCES = tests/fuzz/fuzz_store.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_store_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_store_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_store_LDADD = libstore.la
tests_fuzz_fuzz_response_SOURCES = tests/fuzz/fuzz_response.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_response_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_response_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_response_LDADD = libfetch.la
