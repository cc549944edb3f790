# SPDX-License-Identifier: MIT
bin_PROGRAMS += ihop-clone
ihop_clone_SOURCES = \
	clone/clone.c clone/clone.h \
	clone/main.c \
	clone/options.c clone/options.h \
	clone/output.c clone/output.h \
	clone/trial.c clone/trial.h
ihop_clone_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ihop_clone_LDADD = libcli.la libfetch.la
