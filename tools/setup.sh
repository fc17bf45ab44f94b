#!/bin/sh
# Installs missing packages: tools/setup.sh run (to start blockstore), test (to run the gate as well) or test:all. npm runs it
# before start, test and test:all. It can be repeated at any time and ends at once if no package is missing.
set -eu

# package=command, or package=/file; a command from another source than its package is accepted.
packages_needed='redis-server=redis-server'
packages_to_run="$packages_needed lvm2=lvm vblade=vblade util-linux=flock perl-base=perl tgt=tgtd"
packages_needed_to_test="$packages_to_run groff-base=groff iproute2=ip dpkg=dpkg-deb systemd=systemd-analyze
  lua-check=luacheck debhelper=dh"
packages_to_test="$packages_needed_to_test user-mode-linux=linux.uml socat=socat aoetools=aoe-discover ethtool=ethtool
  kmod=modprobe cryptsetup-bin=cryptsetup e2fsprogs=mke2fs xfsprogs=mkfs.xfs btrfs-progs=mkfs.btrfs libvirt-clients=virsh
  libvirt-daemon-driver-qemu=virt-qemu-run qemu-system-x86=qemu-system-x86_64 libiscsi-bin=iscsi-inq open-iscsi=iscsiadm
  python3-rtslib-fb=targetctl nvme-cli=nvme qemu-utils=qemu-io qemu-block-extra=/usr/lib/*/qemu/block-iscsi.so
  libvirt-daemon=libvirtd
  linux-image-cloud-amd64=/boot/vmlinuz-*-cloud-amd64 busybox-static=busybox cpio=cpio
  ceph-mon=ceph-mon ceph-osd=ceph-osd ceph-mgr=ceph-mgr ceph-common=rbd radosgw=radosgw thin-provisioning-tools=thin_check
  python3-os-brick=/usr/lib/python3/dist-packages/os_brick/__init__.py
  patchelf=patchelf chromium=chromium python3-cinderclient=/usr/bin/cinder python3-openstackclient=/usr/bin/openstack"
# Almost two hundred packages of Python are with the first, Prometheus is 100 MB.
packages_to_test_all='glance-api=glance-api prometheus=promtool'
# The lab's machines need help on processors with registers that User-mode Linux does not know: test/lab/uml.ts
if grep -qsw amx_tile /proc/cpuinfo; then packages_to_test="$packages_to_test gcc=cc libc6-dev=/usr/include/elf.h"; fi

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cd "$(dirname "$0")/.."

main() {
  case ${1:-} in
    # Without LVM and vblade it runs on files and without exports; without the packages of the lab the lab is skipped.
    run) packages=$packages_to_run needed=$packages_needed ;;
    test) packages=$packages_to_test needed=$packages_needed_to_test ;;
    test:all) packages="$packages_to_test $packages_to_test_all" needed=$packages_needed_to_test ;;
    *) fail 'usage: tools/setup.sh run|test|test:all' ;;
  esac
  install_npm_packages
  install_debian_packages
  [ "$1" = run ] || fetch_lab_kernel
}

say() { echo "setup: $*"; }

fail() {
  say "$*" >&2
  exit 1
}

# A copy of the lock file beside the installed packages is compared by content: git sets file times to the checkout.
install_npm_packages() {
  stamp=node_modules/.installed-lock.json
  node=node_modules/node/bin/node
  if [ -x "$node" ] && cmp -s package-lock.json "$stamp"; then return; fi
  command -v npm >/dev/null || fail 'npm is missing: install Node.js 20 or later with npm'
  say 'installing the npm packages, Node.js 24 among them'
  # The system's Node can be older than the packages require; npm's warnings about it do not apply.
  npm ci --no-audit --no-fund --loglevel=error </dev/null || fail 'npm ci failed'
  [ -x "$node" ] || fail 'npm did not run the install script of the package "node": npm rebuild node --allow-scripts=node'
  cp package-lock.json "$stamp"
}

is_there() {
  case $1 in
    # A file, whose directory depends on the processor.
    /*) for file in $1; do [ -e "$file" ] && return; done; return 1 ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing_of() {
  for pair in $1; do
    is_there "${pair#*=}" || printf ' %s' "${pair%%=*}"
  done
}

cannot_install() {
  [ -z "$(missing_of "$needed")" ] || fail "please install$1"
  say "continuing without$1"
}

install_debian_packages() {
  missing=$(missing_of "$packages")
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null; then
    cannot_install " the equivalents of the Debian packages$missing"
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
  # Package lists are often recent enough; fetching them takes longest.
  if ! apt_install >"$log" 2>&1; then
    if ! { $root apt-get -q update && apt_install; } >>"$log" 2>&1; then
      cat "$log" >&2
      cannot_install "$missing (apt-get failed)"
      return
    fi
  fi
  # npm start runs a private Redis. An earlier installation is not changed.
  case " $missing " in
    *' redis-server '*)
      if command -v systemctl >/dev/null; then $root systemctl disable redis-server.service >/dev/null 2>&1 || true; fi
      ;;
  esac
  # The tgtd of the package would listen on all addresses at the next start of the machine, in the way of the node's own.
  case " $missing " in
    *' tgt '*)
      if command -v systemctl >/dev/null; then $root systemctl disable tgt.service >/dev/null 2>&1 || true; fi
      ;;
  esac
  missing=$(missing_of "$packages")
  [ -z "$missing" ] || cannot_install "$missing (package installed, command not found)"
}

# Faster than the packaged one, with which the lab works as well. Not known to work with AMX.
fetch_lab_kernel() {
  kernel=$PWD/node_modules/.cache/lab/linux
  ! "$kernel/linux.uml" --version >/dev/null 2>&1 || return 0
  [ -z "$(missing_of 'user-mode-linux=linux.uml patchelf=patchelf apt=apt-get')" ] || return 0
  ! grep -qsw amx_tile /proc/cpuinfo || return 0
  say 'fetching a faster kernel for the lab, from Debian forky'
  sh tools/lab-kernel.sh "$kernel" || say 'continuing with the packaged kernel'
}

apt_install() {
  # shellcheck disable=SC2086 # two lists of words
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 $missing </dev/null
}

# Debian starts the services of new packages unless this file forbids it.
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
