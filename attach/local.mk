# SPDX-License-Identifier: MIT
# ihop-attach, the keeper of a device. It links what the plugin links, libmnl and the command line
# of cli/, but nothing that fetches or decodes, so that it fits an initramfs: --as-needed, because
# libcli names the libraries of all programs.
