# SPDX-License-Identifier: MIT
bin_PROGRAMS += ihop-store
ihop_store_SOURCES = \
	manage/boot.c \
	manage/minimum.c \
	manage/remove.c \
	manage/show.c \
	manage/main.c \
	manage/command.c manage/command.h \
	manage/sharing.c \
	manage/verify.c
ihop_store_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ihop_store_LDADD = libcli.la libfetch.la
