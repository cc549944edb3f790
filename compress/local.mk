# SPDX-License-Identifier: MIT
bin_PROGRAMS += ihop-compress
ihop_compress_SOURCES = \
	compress/compress.c compress/compress.h \
	compress/add_signature.c compress/add_signature.h \
	compress/anchors.c compress/anchors.h \
	compress/block_set.c compress/block_set.h \
	compress/chunk_places.c compress/chunk_places.h \
	compress/chunk_source.c compress/chunk_source.h \
	compress/delta.c compress/delta.h \
	compress/delta_base.c compress/delta_base.h \
	compress/delta_front.c compress/delta_front.h \
	compress/delta_output.c compress/delta_output.h \
	compress/delta_report.c compress/delta_report.h \
	compress/delta_work.c compress/delta_work.h \
	compress/lacking.c compress/lacking.h \
	compress/old_image.c compress/old_image.h \
	compress/old_image_load.c compress/old_image_load.h \
	compress/pack_info.c compress/pack_info.h \
	compress/release_file.c compress/release_file.h \
	compress/shingle_index.c compress/shingle_index.h \
	compress/diff.c compress/diff.h \
	compress/hash_tree.c compress/hash_tree.h \
	compress/info.c compress/info.h \
	compress/main.c \
	compress/metadata.c compress/metadata.h \
	compress/options.c compress/options.h \
	compress/output.c compress/output.h \
	compress/source.c compress/source.h \
	compress/chunk_packer.c compress/chunk_packer.h \
	compress/output_file.c compress/output_file.h \
	compress/print_signed.c compress/print_signed.h \
	compress/remove_on_signal.c compress/remove_on_signal.h \
	compress/sign_command.c compress/sign_command.h \
	compress/signature_list.c compress/signature_list.h \
	compress/signature_output.c compress/signature_output.h \
	compress/signing.c compress/signing.h \
	compress/signing_options.c compress/signing_options.h
ihop_compress_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ihop_compress_LDADD = libcli.la libfetch.la libchunker.la libencoder.la libsigner.la
