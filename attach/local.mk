# SPDX-License-Identifier: MIT
# ihop-attach, the keeper of a device. It links what the plugin links, libmnl and the command line
# of cli/, but nothing that fetches or decodes, so that it fits an initramfs.
if WITH_ATTACH
sbin_PROGRAMS = ihop-attach
ihop_attach_SOURCES = \
	attach/attach.c attach/attach.h \
	attach/connections.c attach/connections.h \
	attach/device.c attach/device.h \
	attach/dm.c attach/dm.h \
	attach/keeper.c attach/keeper.h \
	attach/main.c \
	attach/nbd_handshake.c attach/nbd_handshake.h \
	attach/nbd_netlink.c attach/nbd_netlink.h \
	attach/options.c attach/options.h \
	attach/record.c attach/record.h \
	attach/server.c attach/server.h \
	attach/show.c
ihop_attach_CPPFLAGS = $(AM_CPPFLAGS) -DPLUGIN_DIRECTORY='"$(plugindir)"'
ihop_attach_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(MNL_CFLAGS)
ihop_attach_LDADD = libcli.la libstore.la $(MNL_LIBS)
endif
