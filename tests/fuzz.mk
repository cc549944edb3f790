# SPDX-License-Identifier: MIT
# The fuzzers of tests/fuzz. Without --enable-fuzzers each has a main of its own that runs
# files through it, so that make check replays the corpus with any compiler.
# A new one is a name in this list and four lines at the end.
fuzz_programs = \
	tests/fuzz/fuzz_archive \
	tests/fuzz/fuzz_boot \
	tests/fuzz/fuzz_codec \
	tests/fuzz/fuzz_delta_codec \
	tests/fuzz/fuzz_delta_pack \
	tests/fuzz/fuzz_release \
	tests/fuzz/fuzz_response \
	tests/fuzz/fuzz_signature \
	tests/fuzz/fuzz_signed_release \
	tests/fuzz/fuzz_store
if WITH_ATTACH
fuzz_programs += tests/fuzz/fuzz_attach tests/fuzz/fuzz_verity
endif
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
tests_fuzz_fuzz_delta_codec_SOURCES = tests/fuzz/fuzz_delta_codec.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_delta_codec_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_delta_codec_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_delta_codec_LDADD = libcodec.la
tests_fuzz_fuzz_delta_pack_SOURCES = tests/fuzz/fuzz_delta_pack.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_delta_pack_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_delta_pack_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_delta_pack_LDADD = libformat.la
tests_fuzz_fuzz_signature_SOURCES = tests/fuzz/fuzz_signature.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_signature_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_signature_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_signature_LDADD = libsigner.la
tests_fuzz_fuzz_signed_release_SOURCES = tests/fuzz/fuzz_signed_release.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_signed_release_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_signed_release_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_signed_release_LDADD = libsignature.la
tests_fuzz_fuzz_store_SOURCES = tests/fuzz/fuzz_store.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_store_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_store_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_store_LDADD = libstore.la
tests_fuzz_fuzz_response_SOURCES = tests/fuzz/fuzz_response.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_response_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_response_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_response_LDADD = libfetch.la
tests_fuzz_fuzz_boot_SOURCES = tests/fuzz/fuzz_boot.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_boot_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_boot_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_boot_LDADD = libstore.la
if WITH_ATTACH
tests_fuzz_fuzz_attach_SOURCES = tests/fuzz/fuzz_attach.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_attach_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_attach_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_attach_LDADD = libattach.la
tests_fuzz_fuzz_verity_SOURCES = tests/fuzz/fuzz_verity.c tests/fuzz/fuzz.h attach/verity_table.c $(FUZZ_MAIN)
tests_fuzz_fuzz_verity_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_verity_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_verity_LDADD = libbase.la
else
EXTRA_DIST += tests/fuzz/fuzz_attach.c tests/fuzz/fuzz_verity.c
endif
