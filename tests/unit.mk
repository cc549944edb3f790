# SPDX-License-Identifier: MIT
# The unit programs, tests/unit/NAME.c: one for each module. A new one is a name in this list.
# More lines, below, are for those that test a file of a program, or that need the flags of
# a third-party library.
if HAVE_CMOCKA
unit_programs = \
	tests/unit/test_adopt \
	tests/unit/test_archive \
	tests/unit/test_attached \
	tests/unit/test_bar \
	tests/unit/test_boot_record \
	tests/unit/test_boot_selection \
	tests/unit/test_base \
	tests/unit/test_chunk_hash \
	tests/unit/test_chunk_map \
	tests/unit/test_chunk_packer \
	tests/unit/test_chunk_put \
	tests/unit/test_chunk_usage \
	tests/unit/test_chunk_writer \
	tests/unit/test_delta_base \
	tests/unit/test_chunker \
	tests/unit/test_codec \
	tests/unit/test_columns \
	tests/unit/test_cut \
	tests/unit/test_cut_cursor \
	tests/unit/test_delta_codec \
	tests/unit/test_delta_hostile \
	tests/unit/test_delta_list \
	tests/unit/test_delta_pack \
	tests/unit/test_dictionary \
	tests/unit/test_ed25519 \
	tests/unit/test_facts \
	tests/unit/test_file \
	tests/unit/test_floor \
	tests/unit/test_gc \
	tests/unit/test_header_patch \
	tests/unit/test_http \
	tests/unit/test_identity \
	tests/unit/test_image \
	tests/unit/test_image_reader \
	tests/unit/test_io \
	tests/unit/test_io_walk \
	tests/unit/test_key_set \
	tests/unit/test_make_room \
	tests/unit/test_minisign \
	tests/unit/test_missing \
	tests/unit/test_page_cache \
	tests/unit/test_plan \
	tests/unit/test_publish \
	tests/unit/test_range_queue \
	tests/unit/test_rate \
	tests/unit/test_read_batch \
	tests/unit/test_release \
	tests/unit/test_release_list \
	tests/unit/test_release_lock \
	tests/unit/test_release_name \
	tests/unit/test_remove_on_signal \
	tests/unit/test_retry \
	tests/unit/test_secret_key \
	tests/unit/test_signed_by \
	tests/unit/test_signed_image \
	tests/unit/test_store \
	tests/unit/test_text \
	tests/unit/test_trust \
	tests/unit/test_verifier \
	tests/unit/test_workers
if WITH_ATTACH
unit_programs += \
	tests/unit/test_device \
	tests/unit/test_dm \
	tests/unit/test_nbd_handshake \
	tests/unit/test_nbd_netlink \
	tests/unit/test_notify \
	tests/unit/test_record \
	tests/unit/test_server \
	tests/unit/test_verity_table
endif
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)

check_LTLIBRARIES += libunit.la
libunit_la_SOURCES = \
	tests/unit/signature_support.c tests/unit/signature_support.h \
	tests/unit/store_support.c tests/unit/store_support.h \
	tests/unit/support.c tests/unit/support.h tests/unit/delta_support.h
libunit_la_LIBADD = $(CMOCKA_LIBS)

# All of common/ and cli/: the linker takes what a program uses.
LDADD = libunit.la libcli.la libfetch.la libencoder.la libsigner.la

tests_unit_test_ed25519_SOURCES = tests/unit/test_ed25519.c tests/unit/ed25519_vectors.h

# The headers of a format or codec, which make what no encoder of ours would.
tests_unit_test_archive_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_codec_CFLAGS = $(AM_CFLAGS) $(ENCODERS_CFLAGS)
tests_unit_test_delta_hostile_CFLAGS = $(AM_CFLAGS) $(ENCODERS_CFLAGS)
tests_unit_test_delta_pack_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_dictionary_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_image_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_release_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS)

# Files of programs.
tests_unit_test_chunk_packer_SOURCES = tests/unit/test_chunk_packer.c \
	compress/chunk_packer.c compress/chunk_packer.h compress/output_file.c compress/output_file.h \
	compress/remove_on_signal.c compress/remove_on_signal.h
tests_unit_test_delta_base_SOURCES = tests/unit/test_delta_base.c \
	compress/block_set.c compress/block_set.h compress/shingle_index.c compress/shingle_index.h
tests_unit_test_device_LDADD = libattach.la $(LDADD)
tests_unit_test_dm_LDADD = libattach.la $(LDADD)
tests_unit_test_nbd_netlink_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
tests_unit_test_nbd_netlink_LDADD = libattach.la $(LDADD) $(MNL_LIBS)
tests_unit_test_notify_LDADD = libattach.la $(LDADD)
tests_unit_test_record_LDADD = libattach.la $(LDADD)
tests_unit_test_server_LDADD = libattach.la $(LDADD)
tests_unit_test_nbd_handshake_LDADD = libattach.la $(LDADD)
tests_unit_test_page_cache_SOURCES = tests/unit/test_page_cache.c plugin/page_cache.c
tests_unit_test_remove_on_signal_SOURCES = tests/unit/test_remove_on_signal.c \
	compress/remove_on_signal.c compress/remove_on_signal.h
tests_unit_test_verity_table_SOURCES = tests/unit/test_verity_table.c attach/verity_table.c
tests_unit_test_read_batch_SOURCES = tests/unit/test_read_batch.c plugin/read_batch.c
tests_unit_test_verifier_SOURCES = tests/unit/test_verifier.c plugin/verifier.c
endif
