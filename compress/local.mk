# SPDX-License-Identifier: MIT
bin_PROGRAMS += ihop-compress
ihop_compress_SOURCES = \
	compress/compress.c compress/compress.h \
	compress/diff.c compress/diff.h \
	compress/info.c compress/info.h \
	compress/main.c \
	compress/metadata.c compress/metadata.h \
	compress/options.c compress/options.h \
	compress/output.c compress/output.h \
	compress/chunk_packer.c compress/chunk_packer.h \
	compress/output_file.c compress/output_file.h \
	compress/remove_on_signal.c compress/remove_on_signal.h
ihop_compress_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ihop_compress_LDADD = libcli.la libfetch.la libchunker.la libencoder.la
