# Second stage, in the overlay: makes it a machine of its own (devices, name, network, modules, LVM without udev), then
# hands over to the agent or to systemd. From the kernel's command line: N (the node's number), INIT (agent or systemd),
# BUNDLE (where the programs are), MODULES (where those of the kernel are).
here=${0%/*}
umount -l /mnt/old
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
ln -sf /proc/self/fd /dev/fd
mkdir -p /run/lock/lvm /run/lvm /run/lock/iscsi
exec </dev/null >/dev/console 2>&1
# User-mode Linux 7.2 frees memory of io_uring that a child of its process has mapped ("Bad page map").
[ ! -e /proc/sys/kernel/io_uring_disabled ] || echo 2 >/proc/sys/kernel/io_uring_disabled

hostname "node$N"
echo "node$N" >/etc/hostname
# Without one, systemd takes this for a first boot and enables what the distribution would.
rm -f /etc/machine-id
printf '%032x\n' "$((4096 + N))" >/etc/machine-id
# What blockstore on the host itself has.
rm -rf /var/lib/blockstore /etc/blockstore
{
  echo '127.0.0.1 localhost'
  for n in $(seq 1 32); do echo "10.77.0.$((10 + n)) node$n"; done
} >/etc/hosts

ip link set lo up
for cable in 0 1; do
  ip addr add "10.7$((7 + cable)).0.$((10 + N))/24" dev "vec$cable"
  ip link set "vec$cable" mtu 9000 up
  # With segmentation offloads the vector driver loses what is longer than a frame: 0.8 MB/s.
  ethtool -K "vec$cable" tso off gso off gro off
done

mkdir -p /lib/modules
ln -sf "$MODULES/$(uname -r)" /lib/modules/
for module in dm-mod dm-snapshot dm-thin-pool loop aoe; do
  modprobe "$module" || echo "LAB FAILED: no module $module"
done

# Nobody answers for udev on a machine without it: LVM then waits for devices that do not come.
udev=0
[ "$INIT" = systemd ] && [ -x /lib/systemd/systemd-udevd ] && udev=1
cat >/etc/lvm/lvm.conf <<END
devices {
  obtain_device_list_from_udev = $udev
  external_device_info_source = "none"
  use_devicesfile = 0
  filter = [ "a|^/dev/ubd|", "a|^/dev/loop|", "a|^/dev/mapper/disk|", "r|.*|" ]
}
activation {
  udev_sync = $udev
  udev_rules = $udev
  verify_udev_operations = 0
}
END
rm -rf /etc/lvm/archive/* /etc/lvm/backup/* /.dockerenv

if [ "$INIT" = systemd ]; then
  . "$here/systemd.sh"
fi
sh "$here/agent.sh" listen &
# A shell that waits also reaps what daemons leave behind.
wait
echo 'LAB FAILED: the agent has ended'
