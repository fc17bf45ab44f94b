#!/bin/sh
# tools/lab-kernel.sh DIRECTORY: fetches User-mode Linux from Debian forky for the machines of the lab, with its modules and the C
# library that it needs. Since 6.16 it runs processes without ptrace: page faults and system calls take a third of the time. Nothing
# of the system changes. Exits with 1, and prints why, where it cannot be had.
set -eu
target=$1
release=forky
seconds_to_boot=120

main() {
  [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || fail 'User-mode Linux is for amd64 alone'
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1)
  [ -n "$mirror" ] || fail 'no mirror of Debian in the sources of apt'

  stage=$(mktemp -d)
  trap 'rm -rf "$stage"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  fetch >"$stage/log" 2>&1 || { tail -n 3 "$stage/log" >&2; fail 'it could not be fetched'; }
  install_in_target
  boots || { rm -rf "$target"; fail 'it does not boot here'; }
}

fail() {
  echo "lab-kernel: $*" >&2
  exit 1
}

fetch() {
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  mkdir -p "$stage/lists/partial" "$stage/cache/archives/partial" "$stage/root"
  echo "deb [signed-by=$keys] $mirror $release main" >"$stage/sources.list"
  # Joined: set -e does not hold in a condition.
  apt update && (cd "$stage" && apt download user-mode-linux libc6) &&
    for package in "$stage"/*.deb; do dpkg-deb -x "$package" "$stage/root" || return; done
}

apt() {
  apt-get -q -o Dir::Etc::SourceList="$stage/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$stage/lists" -o Dir::Cache="$stage/cache" -o Acquire::Languages=none \
    -o Acquire::http::Timeout=20 -o APT::Sandbox::User=root "$@" </dev/null
}

install_in_target() {
  root=$stage/root/usr
  libraries=$target/libraries
  patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --set-rpath "$libraries" "$root/bin/linux.uml"
  rm -rf "$target"
  mkdir -p "$target"
  mv "$root/lib/x86_64-linux-gnu" "$libraries"
  mv "$root/lib/uml/modules" "$root/bin/linux.uml" "$target"
}

boots() {
  printf '#!/bin/sh\nmount -t proc proc /proc\necho "it boots"\necho o >/proc/sysrq-trigger\nsleep 60\n' >"$stage/init"
  chmod 755 "$stage" "$stage/init"
  timeout "$seconds_to_boot" "$target/linux.uml" seccomp=auto mem=128M uml_dir="$stage" rootfstype=hostfs rootflags=/ ro \
    init="$stage/init" con=null con0=null,fd:1 quiet </dev/null 2>&1 | grep -q '^it boots'
}

main
