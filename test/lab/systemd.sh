# Part of machine.sh: makes the overlay boot with systemd as PID 1, with what the host would start switched off,
# then becomes systemd. The agent is its only service.
units=/etc/systemd/system
rm -f /etc/fstab
touch /etc/fstab
rm -rf "$units"/*.wants "$units"/*.service /lib/systemd/system/timers.target.wants /lib/systemd/system-generators/*
for unit in systemd-hwdb-update.service systemd-firstboot.service systemd-timesyncd.service systemd-resolved.service \
  systemd-networkd.service systemd-network-generator.service networking.service systemd-pstore.service \
  systemd-update-utmp.service systemd-random-seed.service systemd-modules-load.service systemd-journal-flush.service \
  systemd-sysusers.service systemd-remount-fs.service systemd-machine-id-commit.service systemd-binfmt.service \
  ldconfig.service lvm2-monitor.service blk-availability.service proc-sys-fs-binfmt_misc.automount dev-mqueue.mount \
  sys-fs-fuse-connections.mount dev-hugepages.mount systemd-sysctl.service modprobe@loop.service modprobe@dm_mod.service \
  systemd-tmpfiles-setup-dev.service kmod-static-nodes.service; do
  ln -s /dev/null "$units/$unit"
done
# The host's /tmp is the lower layer of this one: nothing in it may be taken for old.
mkdir -p /etc/tmpfiles.d
ln -sf /dev/null /etc/tmpfiles.d/tmp.conf
# An installed package would have all manual pages indexed; every file that is read stays open on the host, up to its limit.
rm -f /var/lib/man-db/auto-update
# Hundreds of terminals would be announced otherwise, at 20 ms each.
mkdir -p "$units/systemd-udev-trigger.service.d"
cat >"$units/systemd-udev-trigger.service.d/lab.conf" <<END
[Service]
ExecStart=
ExecStart=udevadm trigger --action=add --subsystem-match=block --subsystem-match=net
END
cat >"$units/lab.target" <<END
[Unit]
Requires=basic.target lab-agent.service
After=basic.target
AllowIsolate=yes
END
cat >"$units/lab-agent.service" <<END
[Unit]
After=basic.target
[Service]
Environment=BUNDLE=$BUNDLE
ExecStart=/bin/sh $here/agent.sh listen
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
KillMode=process
END
exec /lib/systemd/systemd --unit=lab.target --show-status=no --log-target=journal
