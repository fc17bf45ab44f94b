#!/bin/sh
# First process of a lab machine. The host's own root, read-only, becomes the lower layer of an overlay in memory:
# no write reaches the host, and a power loss leaves only what is on the disks.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/up /mnt/wk /mnt/root /mnt/modules/lib/modules
# modprobe looks under /lib/modules, where the host has nothing for this kernel.
ln -s "$MODULES/$(uname -r)" /mnt/modules/lib/modules/
modprobe -d /mnt/modules overlay &&
  mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/wk /mnt/root &&
  mkdir -p /mnt/root/mnt/old &&
  cd /mnt/root &&
  pivot_root . mnt/old &&
  exec chroot . /bin/sh "${0%/*}/machine.sh"
echo "LAB FAILED: no overlay of the host's root"
