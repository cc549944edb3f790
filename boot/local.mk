# SPDX-License-Identifier: MIT
# What an initramfs takes, so that the root can come from ihop: a library of shell functions, a
# program that gathers what must stay in memory, and the hooks that bring both into the initramfs
# of initramfs-tools and of dracut. Paths are put in by make, because they may be given to make.
if WITH_ATTACH
dist_pkgdata_DATA = boot/lib/ihop-root.sh
pkgdata_SCRIPTS = boot/lib/ihop-resident

initramfshooksdir = $(initramfsdir)/hooks
initramfshooks_SCRIPTS = boot/initramfs-tools/hooks/ihop
initramfsconfhooksdir = $(initramfsdir)/conf-hooks.d
dist_initramfsconfhooks_DATA = boot/initramfs-tools/conf-hooks.d/ihop
initramfsscriptsdir = $(initramfsdir)/scripts
dist_initramfsscripts_DATA = boot/initramfs-tools/scripts/ihop
initramfspremountdir = $(initramfsdir)/scripts/init-premount
dist_initramfspremount_SCRIPTS = boot/initramfs-tools/scripts/init-premount/ihop

dracutihopdir = $(dracutdir)/modules.d/90ihop
nodist_dracutihop_SCRIPTS = boot/dracut/module-setup.sh
dist_dracutihop_SCRIPTS = \
	boot/dracut/ihop-generator.sh \
	boot/dracut/mount-ihop.sh \
	boot/dracut/parse-ihop.sh
endif

boot_generated = \
	boot/dracut/module-setup.sh \
	boot/initramfs-tools/hooks/ihop \
	boot/lib/ihop-resident
CLEANFILES += $(boot_generated)
# All of them, since with --without-attach the lists above are empty.
EXTRA_DIST += \
	boot/dracut/ihop-generator.sh \
	boot/dracut/module-setup.sh.in \
	boot/dracut/mount-ihop.sh \
	boot/dracut/parse-ihop.sh \
	boot/initramfs-tools/conf-hooks.d/ihop \
	boot/initramfs-tools/hooks/ihop.in \
	boot/initramfs-tools/scripts/ihop \
	boot/initramfs-tools/scripts/init-premount/ihop \
	boot/lib/ihop-resident.in \
	boot/lib/ihop-root.sh

$(boot_generated): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	sed -e 's,@sbindir\@,$(sbindir),g' -e 's,@plugindir\@,$(plugindir),g' -e 's,@sysconfdir\@,$(sysconfdir),g' -e 's,@pkgdatadir\@,$(pkgdatadir),g' \
		-e 's,@pkglibexecdir\@,$(pkglibexecdir),g' \
		$< >$@.tmp && chmod +x $@.tmp && mv $@.tmp $@

# By hand: docs/sizing.md has what it prints.
EXTRA_DIST += boot/sizes.sh
