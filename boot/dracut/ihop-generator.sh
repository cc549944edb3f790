#!/bin/sh
# SPDX-License-Identifier: MIT
# A generator of systemd in the initramfs: of a root= on the kernel's command line systemd would
# make a mount of its own. This one has precedence, and is there already when its turn comes, since
# mount-ihop.sh has run before it.
case " $(cat /proc/cmdline) " in
    *" ihop.data="*) ;;
    *) exit 0 ;;
esac
directory=${2:?}
mkdir -p "$directory/initrd-root-fs.target.requires"
cat >"$directory/sysroot.mount" <<UNIT
[Unit]
Description=Root file system from ihop
After=dracut-pre-mount.service
Before=initrd-root-fs.target

[Mount]
What=ihop
Where=/sysroot
Type=overlay
UNIT
ln -sf ../sysroot.mount "$directory/initrd-root-fs.target.requires/sysroot.mount"
