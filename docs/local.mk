# SPDX-License-Identifier: MIT
# Documents, installed as they lie here, so that links among them work, and manuals.
dist_doc_DATA = HACKING.md LICENSE NEWS README.md SECURITY.md
docsdir = $(docdir)/docs
dist_docs_DATA = \
	docs/boot-loaders.md \
	docs/design.md \
	docs/device-proof.md \
	docs/device.md \
	docs/faq.md \
	docs/faults.md \
	docs/formats.md \
	docs/glossary.md \
	docs/images.md \
	docs/keys.md \
	docs/mutations.md \
	docs/peers.md \
	docs/publishing.md \
	docs/serving.md \
	docs/sizing.md \
	docs/store.md \
	docs/supported.md \
	docs/trust.md
docsexamplesdir = $(docdir)/docs/examples
dist_docsexamples_DATA = docs/examples/ihop-update.service docs/examples/ihop-update.timer
dist_docsexamples_SCRIPTS = docs/examples/ihop-update
docsimagesdir = $(docdir)/docs/images
dist_docsimages_DATA = \
	docs/images/commit.svg \
	docs/images/demo.svg \
	docs/images/store.svg
EXTRA_DIST += docs/images/make-demo-svg.py
dist_docs_SCRIPTS = docs/which-boots.sh

manuals = ihop-clone.1 ihop-compress.1 ihop-store.1 nbdkit-ihop-plugin.1
man1_MANS += $(manuals)
if WITH_ATTACH
man8_MANS += ihop-attach.8
man7_MANS += ihop.cmdline.7
endif
if WITH_SYSTEMD_UNITS
man8_MANS += ihop-good.8
endif
CLEANFILES += $(manuals) ihop-attach.8 ihop.cmdline.7 ihop-good.8
EXTRA_DIST += \
	docs/ihop-attach.pod \
	docs/ihop-clone.pod \
	docs/ihop-compress.pod \
	docs/ihop-good.pod \
	docs/ihop-store.pod \
	docs/ihop.cmdline.pod \
	docs/nbdkit-ihop-plugin.pod

pod2man_release = $(VERSION)
nbdkit-ihop-plugin.1: pod2man_release = ihop $(VERSION)
nbdkit-ihop-plugin.1: pod2man_name = --name=nbdkit-ihop-plugin
%.1: docs/%.pod
	$(AM_V_GEN)$(POD2MAN) --section=1 --center=ihop --release='$(pod2man_release)' \
		$(pod2man_name) $< $@.tmp && mv $@.tmp $@
ihop-attach.8 ihop-good.8: %.8: docs/%.pod
	$(AM_V_GEN)$(POD2MAN) --section=8 --center=ihop --release='$(pod2man_release)' \
		$< $@.tmp && mv $@.tmp $@
ihop.cmdline.7: docs/ihop.cmdline.pod
	$(AM_V_GEN)$(POD2MAN) --section=7 --center=ihop --release='$(pod2man_release)' \
		$< $@.tmp && mv $@.tmp $@
