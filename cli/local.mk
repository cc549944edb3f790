# SPDX-License-Identifier: MIT
# What the programs share: options, messages, progress, JSON. Not for the plugin.
noinst_LTLIBRARIES += libcli.la
libcli_la_SOURCES = \
	cli/bar.c cli/bar.h \
	cli/cost.c cli/cost.h \
	cli/device_conf.c cli/device_conf.h \
	cli/key_options.c cli/key_options.h \
	cli/facts_json.c cli/facts_json.h \
	cli/interrupt.c cli/interrupt.h \
	cli/json.c cli/json.h \
	cli/memory.c cli/memory.h \
	cli/network_options.c cli/network_options.h \
	cli/options.c cli/options.h \
	cli/output.c cli/output.h \
	cli/progress.c cli/progress.h \
	cli/table.c cli/table.h \
	cli/trust_options.c cli/trust_options.h
libcli_la_CPPFLAGS = $(AM_CPPFLAGS) -DCONFIG_DIRECTORY='"$(sysconfdir)/ihop"'
libcli_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
libcli_la_LIBADD = $(JANSSON_LIBS)
