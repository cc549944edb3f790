# SPDX-License-Identifier: MIT
# Units of systemd, and what ihop-good.service runs. Paths are put in by make and not by configure,
# because they may be given to make, too.
libexec_SCRIPTS = boot/systemd/ihop-good
systemd_units = boot/systemd/ihop-attach@.service boot/systemd/ihop-good.service boot/systemd/ihop-not-good.service \
	boot/systemd/ihop-watch.service
if WITH_SYSTEMD_UNITS
systemdsystemunit_DATA = $(systemd_units)
systemdsystempreset_DATA = boot/systemd/80-ihop.preset
endif
CLEANFILES += $(libexec_SCRIPTS) $(systemd_units)
EXTRA_DIST += \
	boot/systemd/80-ihop.preset \
	boot/systemd/ihop-attach@.service.in \
	boot/systemd/ihop-good.in \
	boot/systemd/ihop-good.service.in \
	boot/systemd/ihop-not-good.service.in \
	boot/systemd/ihop-watch.service.in

noinst_DATA = $(systemd_units)
substitute_paths = $(AM_V_GEN)$(MKDIR_P) boot/systemd && \
	sed -e 's,@sbindir\@,$(sbindir),g' -e 's,@bindir\@,$(bindir),g' -e 's,@libexecdir\@,$(libexecdir),g' \
		-e 's,@sysconfdir\@,$(sysconfdir),g' -e 's,@pkglibdir\@,$(prefix)/lib/ihop,g'
boot/systemd/%.service: boot/systemd/%.service.in Makefile
	$(substitute_paths) $< >$@.tmp && mv $@.tmp $@
boot/systemd/ihop-good: boot/systemd/ihop-good.in Makefile
	$(substitute_paths) $< >$@.tmp && chmod +x $@.tmp && mv $@.tmp $@
