# Runs on a guest: a Redis, a daemon with the driver file and the target nvmet, and command lines, on one machine.
set -eu
app=/app/bin
mount -t configfs none /sys/kernel/config
mkdir -p /etc/nvme /pool /tmp/redis
hostname guest
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
echo nqn.2014-08.org.nvmexpress:uuid:0a1b2c3d-0000-4000-8000-00000000000a >/etc/nvme/hostnqn
echo 0a1b2c3d-0000-4000-8000-00000000000a >/etc/nvme/hostid

redis-server --port 6379 --save '' --dir /tmp/redis >/tmp/redis/log &
cat >/etc/blockstore.conf <<'CONF'
storage_name = n1
state_dir = /var/lib/blockstore
volume_driver = file
volume_pool_dir = /pool
volume_target = nvmet
nvme_ip_address = 127.0.0.1
report_interval = 2
CONF

# Such a machine can be slow.
patient='--timeout 600'

blockstore() { node $app/blockstore.mjs --config /etc/blockstore.conf --quiet "$@"; }

start_daemon() {
  : >/tmp/daemon.log
  node $app/blockstored.mjs --config /etc/blockstore.conf >>/tmp/daemon.log 2>&1 &
  daemon=$!
  for second in $(seq 900); do
    ! grep -q 'is ready' /tmp/daemon.log || return 0
    kill -0 "$daemon" 2>/dev/null || break
    sleep 1
  done
  cat /tmp/daemon.log
  return 1
}

fails() {
  echo "# $1 must be refused: $2"
  shift 2
  if "$@" >/tmp/refused 2>&1; then
    cat /tmp/refused
    echo 'it was not'
    exit 1
  fi
}

start_daemon
echo '# the daemon is ready'
id=$(blockstore volume create 0 --name data $patient)

fails attach 'mode ro' blockstore volume attach data --host-device --mode ro $patient
grep 'exports nothing read-only' /tmp/refused
fails attach 'an initiator name' blockstore volume attach data --instance i --mountpoint /dev/vdb --initiator iqn.2001-04.com.example:a
grep -e --nqn /tmp/refused

device=$(blockstore volume attach data --host-device $patient)
echo "# attached as $device"
[ -b "$device" ]
[ "$(blockdev --getsize64 "$device")" = 104857600 ]
[ "$(cat "/sys/block/${device#/dev/}/uuid")" = "$id" ]
printf persistent | dd of="$device" conv=notrunc,fsync status=none
blockstore volume show data

echo '# the daemon ends and its exports are cleared: both return, and the host goes on'
kill -9 "$daemon"
cd /sys/kernel/config/nvmet
rm ports/*/subsystems/*
echo 0 >"$(echo subsystems/*/namespaces/1/enable)"
rmdir subsystems/*/namespaces/1
rm subsystems/*/allowed_hosts/*
rmdir subsystems/* ports/* hosts/*
cd /
start_daemon
[ "$(dd if="$device" bs=4096 count=1 iflag=direct status=none | head -c 10)" = persistent ]

exec 3<"$device"
fails detach 'the device is in use' blockstore volume detach data $patient
grep DeviceInUse /tmp/refused || grep 'is in use' /tmp/refused
exec 3<&-
blockstore volume detach data $patient
[ ! -e "$device" ]
[ -z "$(ls /sys/class/nvme /sys/kernel/config/nvmet/subsystems /sys/kernel/config/nvmet/ports /sys/kernel/config/nvmet/hosts | grep -v :)" ]
[ "$(head -c 10 /pool/volume-"$id")" = persistent ]
echo '# detached: neither host nor kernel has anything of it'

device=$(blockstore volume attach data --host-device $patient)
[ "$(head -c 10 "$device")" = persistent ]
# From what is another machine by its id: this one is not asked.
echo fedcba9876543210fedcba9876543210 >/etc/machine-id
blockstore volume detach data --force $patient
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
for second in $(seq 300); do
  grep -q live /sys/class/nvme/*/state || break
  sleep 1
done
if grep live /sys/class/nvme/*/state; then exit 1; fi
echo '# a forced detachment has ended the connection'
device=$(blockstore volume attach data --host-device $patient)
[ "$(head -c 10 "$device")" = persistent ]
blockstore volume detach data $patient
blockstore connector | grep 'host NQN'
blockstore doctor --role compute | grep 'NVMe host'
blockstore doctor --role storage | grep -i nvme
blockstore volume delete "$id" $patient
echo '# all is as expected'
