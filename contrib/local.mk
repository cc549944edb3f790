# SPDX-License-Identifier: MIT
# Scripts for those who build, test and try ihop.
EXTRA_DIST += \
	contrib/arguments.sh \
	contrib/build.sh \
	contrib/demo.sh \
	contrib/install-deps.sh \
	contrib/make-ext4.sh \
	contrib/test-in-root.sh \
	contrib/test.sh
