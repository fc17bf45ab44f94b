#!/bin/sh
# Installs what blockstore needs and is missing: tools/setup.sh run (to start it) or test (to run its tests as well).
# npm calls it before start and test. It may be run at any time: with nothing missing it is done at once.
set -eu

# package=command; a command that is there by other means than its package is as good.
packages_needed='redis-server=redis-server'
packages_to_run="$packages_needed lvm2=lvm vblade=vblade util-linux=flock perl-base=perl"
packages_needed_to_test="$packages_to_run groff-base=groff iproute2=ip dpkg=dpkg-deb systemd=systemd-analyze
  lua-check=luacheck"
packages_to_test="$packages_needed_to_test user-mode-linux=linux.uml socat=socat aoetools=aoe-discover ethtool=ethtool
  kmod=modprobe e2fsprogs=mke2fs libvirt-clients=virsh libvirt-daemon-driver-qemu=virt-qemu-run
  qemu-system-x86=qemu-system-x86_64"

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cd "$(dirname "$0")/.."

main() {
  case ${1:-} in
    # Without LVM and vblade it still runs, on files and without exports; without the lab's packages the lab is skipped.
    run) packages=$packages_to_run needed=$packages_needed ;;
    test) packages=$packages_to_test needed=$packages_needed_to_test ;;
    *) fail 'usage: tools/setup.sh run|test' ;;
  esac
  install_npm_packages
  install_debian_packages
}

say() { echo "setup: $*"; }

fail() {
  say "$*" >&2
  exit 1
}

# A copy of the lock file is kept beside what it made: compared by content, as git gives files the time of the checkout.
install_npm_packages() {
  stamp=node_modules/.installed-lock.json
  node=node_modules/node/bin/node
  if [ -x "$node" ] && cmp -s package-lock.json "$stamp"; then return; fi
  command -v npm >/dev/null || fail 'npm is missing: install Node.js 20 or later with npm'
  say 'installing the npm packages, Node.js 24 among them'
  # The machine's own Node may be older than the packages ask for: npm's warnings of that are about the wrong Node.
  npm ci --no-audit --no-fund --loglevel=error </dev/null || fail 'npm ci failed'
  [ -x "$node" ] || fail 'npm did not run the install script of the package "node": npm rebuild node --allow-scripts=node'
  cp package-lock.json "$stamp"
}

missing_of() {
  for pair in $1; do
    command -v "${pair#*=}" >/dev/null || printf ' %s' "${pair%%=*}"
  done
}

cannot_install() {
  [ -z "$(missing_of "$needed")" ] || fail "please install$1"
  say "going on without$1"
}

install_debian_packages() {
  missing=$(missing_of "$packages")
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null; then
    cannot_install " what Debian has as$missing"
    return
  fi
  if [ "$(id -u)" = 0 ]; then
    root=
  elif sudo -n true 2>/dev/null; then
    root='sudo -n'
  else
    cannot_install "$missing (no root, no sudo without a password)"
    return
  fi

  say "installing the Debian packages$missing"
  log=$(mktemp)
  trap 'rm -f "$log"; allow_services' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  forbid_services
  # Package lists are often there and fresh enough; fetching them takes longer than all the rest.
  if ! apt_install >"$log" 2>&1; then
    if ! { $root apt-get -q update && apt_install; } >>"$log" 2>&1; then
      cat "$log" >&2
      cannot_install "$missing (apt-get could not)"
      return
    fi
  fi
  # blockstore starts a Redis of its own where it wants one. What was there before this installation is left as it was.
  case " $missing " in
    *' redis-server '*)
      if command -v systemctl >/dev/null; then $root systemctl disable redis-server.service >/dev/null 2>&1 || true; fi
      ;;
  esac
  missing=$(missing_of "$packages")
  [ -z "$missing" ] || cannot_install "$missing (its package is installed, its command is not found)"
}

apt_install() {
  # shellcheck disable=SC2086 # two lists of words
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 $missing </dev/null
}

# Debian starts the services of what it installs, unless this file says no.
policy=/usr/sbin/policy-rc.d
forbade=

forbid_services() {
  [ ! -e "$policy" ] || return 0
  forbade=yes
  printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
  $root chmod 755 "$policy"
}

allow_services() {
  [ -z "$forbade" ] || $root rm -f "$policy"
  forbade=
}

main "$@"
