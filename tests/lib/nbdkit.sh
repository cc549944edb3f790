# SPDX-License-Identifier: MIT
# nbdkit.sh: how nbdkit is run with the plugin. plugin-functions.sh and real.sh bring it.

# The library of the sanitizer that the plugin was built with, or nothing. It must be loaded
# before nbdkit. ThreadSanitizer ends a server that raced with code 66; tests that use
# nbdkit's --run fail with it, because a shell that nbdkit starts crashes in libtsan.
preload=$(ldd "$plugin" | awk '/lib[at]san/ && !n++ { print $3 }')

# The command nbdkit. What nbdkit itself does not free is no fault of the plugin.
nbdkit=(nbdkit)
if [ -n "$preload" ]; then
    nbdkit=(env "LD_PRELOAD=$preload" ASAN_OPTIONS=detect_leaks=0 nbdkit)
fi
