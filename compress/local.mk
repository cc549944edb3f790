# SPDX-License-Identifier: MIT
bin_PROGRAMS += ihop-compress
ihop_compress_SOURCES = \
	compress/compress.c compress/compress.h \
	compress/diff.c compress/diff.h \
	compress/info.c compress/info.h \
	compress/main.c \
	compress/options.c compress/options.h \
	compress/output.c compress/output.h \
	compress/pack.c compress/pack.h \
	compress/target.c compress/target.h
ihop_compress_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PROTOBUF_C_CFLAGS)
ihop_compress_LDADD = libcli.la libfetch.la libchunker.la libencoder.la

man1_MANS += ihop-compress.1
CLEANFILES += ihop-compress.1
EXTRA_DIST += docs/ihop-compress.pod
