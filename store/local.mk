# SPDX-License-Identifier: MIT
bin_PROGRAMS += ihop-store
ihop_store_SOURCES = \
	store/clean.c \
	store/list.c \
	store/main.c \
	store/session.c store/session.h \
	store/space.c \
	store/verify.c
ihop_store_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PROTOBUF_C_CFLAGS)
ihop_store_LDADD = libcli.la libfetch.la

man1_MANS += ihop-store.1
CLEANFILES += ihop-store.1
EXTRA_DIST += docs/ihop-store.pod
