# SPDX-License-Identifier: MIT
# ihop-attach, and the keeper that it leaves behind. ihop-attach links what the plugin links, libmnl
# and the command line of cli/, but nothing that fetches or decodes, so that it fits an
# initramfs. The keeper, which stays in memory for ever, links base and libmnl alone.
keeperdir = $(pkglibexecdir)
attach_shared_files = \
	attach/connections.c attach/connections.h \
	attach/detach.c attach/detach.h \
	attach/device.c attach/device.h \
	attach/dm.c attach/dm.h \
	attach/job.c attach/job.h \
	attach/lines.c attach/lines.h \
	attach/nbd_handshake.c attach/nbd_handshake.h \
	attach/nbd_netlink.c attach/nbd_netlink.h \
	attach/notify.c attach/notify.h \
	attach/process.c attach/process.h \
	attach/record.c attach/record.h \
	attach/server.c attach/server.h \
	attach/verity.c attach/verity.h \
	attach/verity_table.c attach/verity_table.h
attach_files = \
	attach/attach.c attach/attach.h \
	attach/boot.c \
	attach/attachment.c attach/attachment.h \
	attach/launch.c attach/launch.h \
	attach/main.c \
	attach/options.c attach/options.h \
	attach/release_trust.c attach/release_trust.h \
	attach/show.c \
	attach/upgrade.c
keeper_files = \
	attach/keeper.c attach/keeper.h \
	attach/keeper_main.c \
	attach/quiet.c attach/quiet.h
# With --without-attach nothing below is seen, and make dist would leave the files out.
EXTRA_DIST += $(attach_shared_files) $(attach_files) $(keeper_files)

if WITH_ATTACH
noinst_LTLIBRARIES += libattach.la
libattach_la_SOURCES = $(attach_shared_files)
libattach_la_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
libattach_la_LIBADD = libbase.la $(MNL_LIBS)

sbin_PROGRAMS = ihop-attach
ihop_attach_SOURCES = $(attach_files)
ihop_attach_CPPFLAGS = $(AM_CPPFLAGS) -DPLUGIN_DIRECTORY='"$(plugindir)"' \
	-DKEEPER_DIRECTORY='"$(keeperdir)"'
ihop_attach_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ihop_attach_LDADD = libcli.la libstore.la libattach.la

keeper_PROGRAMS = ihop-attach-keeper
ihop_attach_keeper_SOURCES = $(keeper_files)
ihop_attach_keeper_LDADD = libattach.la
endif
