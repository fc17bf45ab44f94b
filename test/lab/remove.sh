# Removes a lab: every process in its network namespace, the namespace with its bridges and taps, the directory.
# usage: remove.sh <name> <directory> [at-end-of-input]
# With at-end-of-input it is the lab's guard: its input ends when the test process closes the lab or dies of whatever.
name=$1
directory=$2
[ "$3" = at-end-of-input ] && cat >/dev/null

tries=100
while [ "$tries" -gt 0 ]; do
  pids=$(ip netns pids "$name" 2>/dev/null)
  [ -z "$pids" ] && break
  kill -9 $pids 2>/dev/null
  sleep 0.05
  tries=$((tries - 1))
done
[ ! -e "/run/netns/$name" ] || ip netns del "$name" || [ ! -e "/run/netns/$name" ] || failed=1
rm -rf "$directory"
exit "${failed:-0}"
