# SPDX-License-Identifier: MIT
# The nbdkit plugin. It links base, format and store, and nothing that fetches or decodes, so
# that nbdkit loads neither curl nor a codec.

plugin_LTLIBRARIES = nbdkit-ihop-plugin.la
nbdkit_ihop_plugin_la_SOURCES = \
	plugin/chunk_fds.c plugin/chunk_fds.h \
	plugin/export.c plugin/export.h \
	plugin/exports.c plugin/exports.h \
	plugin/extents.c plugin/extents.h \
	plugin/ihop.c \
	plugin/lost_chunk.c plugin/lost_chunk.h \
	plugin/options.c plugin/options.h \
	plugin/page_cache.c plugin/page_cache.h \
	plugin/read_batch.c plugin/read_batch.h \
	plugin/readahead.c plugin/readahead.h \
	plugin/stats.c plugin/stats.h \
	plugin/verifier.c plugin/verifier.h
nbdkit_ihop_plugin_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/plugin
nbdkit_ihop_plugin_la_CFLAGS = $(AM_CFLAGS) $(NBDKIT_CFLAGS)
nbdkit_ihop_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-Wl,--version-script=$(srcdir)/plugin/plugin.syms
nbdkit_ihop_plugin_la_LIBADD = libstore.la
nbdkit_ihop_plugin_la_DEPENDENCIES = libstore.la plugin/plugin.syms
EXTRA_DIST += plugin/plugin.syms

# nbdkit loads the .so; the .la, libtool's description of it, is of no use there.
install-data-hook:
	rm -f $(DESTDIR)$(plugindir)/nbdkit-ihop-plugin.la
uninstall-hook:
	rm -f $(DESTDIR)$(plugindir)/nbdkit-ihop-plugin.so
