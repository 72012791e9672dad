#!/usr/bin/env bash
# Fetches what the virtual machine needs, from Debian's packages: QEMU, and kernels with
# udmabuf and io_uring as they come, unpacked and not installed. What is there already is
# left alone, so that a second run takes no time.
#
#   install.sh [--update] [--suite SUITE] [PACKAGE]...
#
#   PACKAGE   a kernel's meta package, which leads to its newest version; by default
#             linux-image-6.12-amd64, or linux-image-amd64 where that is not. The cloud
#             kernels, as linux-image-6.12-cloud-amd64, are a third of the size; they have
#             no sync_files of dma-bufs and no vgem
#   --suite   look for it in another suite than the system's, as trixie-backports
#   --update  fetch it again
#
# DMASIM_VM_DIR is the folder that everything goes to, dmasim/vm in the cache folder
# ($XDG_CACHE_HOME or ~/.cache) if it is not set; only QEMU is installed in the system,
# and only by root.
set -euo pipefail

fail() { echo "install.sh: $*" >&2; exit 1; }

dir=${DMASIM_VM_DIR:-${XDG_CACHE_HOME:-${HOME:?is not set, and neither is DMASIM_VM_DIR}/.cache}/dmasim/vm}
update='' suite='' packages=()
while [ $# -gt 0 ]; do
  case $1 in
    --update) update=1 ;;
    --suite) suite=${2:?--suite needs the name of a suite}; shift ;;
    -*) fail "there is no flag $1; see the head of the script" ;;
    *) packages+=("$1") ;;
  esac
  shift
done

for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || fail "there is no $tool: the packages are Debian's; elsewhere give dmasim vm a kernel by --kernel, and a QEMU by PATH"
done

# apt with lists of its own, so that nobody need be root and the system's stay as they are.
apt_ready=''
prepare_apt() {
  [ -z "$apt_ready" ] || return 0
  local apt=$dir/apt${suite:+-$suite}
  mkdir -p "$apt"/{lists/partial,cache/archives/partial,state}
  {
    echo "Dir::State \"$apt/state\";"
    echo "Dir::State::lists \"$apt/lists\";"
    echo "Dir::State::status \"/var/lib/dpkg/status\";"
    echo "Dir::Cache \"$apt/cache\";"
    echo 'APT::Sandbox::User "root";'
    echo 'Acquire::Languages "none";'
    echo 'Acquire::Retries "2"; Acquire::http::Timeout "20"; APT::Update::Error-Mode "any";'
    if [ -n "$suite" ]; then
      local mirror
      mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
      [ -n "$mirror" ] || fail "apt has no source whose mirror could have the suite $suite"
      echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"
      echo "Dir::Etc::sourcelist \"$apt/sources.list\"; Dir::Etc::sourceparts \"-\";"
    fi
  } >"$apt/apt.conf"
  export APT_CONFIG=$apt/apt.conf
  apt-get -qq update || fail "the lists of packages could not be fetched"
  apt_ready=1
}

# image is the kernel in a folder: newer packages have it beside its modules.
image() { find "$1" -name 'vmlinuz*' -type f -print -quit 2>/dev/null | grep .; }

known() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# fetch unpacks packages into a folder, which is there whole or not at all.
fetch() {
  local to=$1 tmp
  shift
  mkdir -p "$(dirname "$to")"
  tmp=$(mktemp -d "$(dirname "$to")/.$(basename "$to").XXXXXX")
  trap "rm -rf '$tmp'" EXIT
  (cd "$tmp" && apt-get -qq download "$@") || fail "not all of these could be fetched: $*"
  for deb in "$tmp"/*.deb; do
    dpkg-deb -x "$deb" "$tmp"
    rm "$deb"
  done
  rm -rf "$to"
  chmod 755 "$tmp"
  mv -T "$tmp" "$to"
  trap - EXIT
}

install_qemu() {
  command -v qemu-system-x86_64 >/dev/null && return
  [ -x "$dir/bin/qemu-system-x86_64" ] && return
  if [ "$(id -u)" = 0 ]; then
    echo "install.sh: installing qemu-system-x86" >&2
    (unset APT_CONFIG
     apt-cache show qemu-system-x86 >/dev/null 2>&1 || apt-get -qq update
     DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends qemu-system-x86 >/dev/null) ||
      fail "qemu-system-x86 could not be installed"
    return
  fi
  prepare_apt
  local missing
  missing=$(apt-get -s install --no-install-recommends qemu-system-x86 | awk '/^Inst/ {print $2}')
  echo "install.sh: unpacking qemu-system-x86 and what it needs into $dir/qemu" >&2
  fetch "$dir/qemu" $missing
  mkdir -p "$dir/bin"
  cat >"$dir/bin/qemu-system-x86_64" <<END
#!/bin/sh
export LD_LIBRARY_PATH='$dir/qemu/usr/lib/x86_64-linux-gnu:$dir/qemu/lib/x86_64-linux-gnu'
exec '$dir/qemu/usr/bin/qemu-system-x86_64' -L '$dir/qemu/usr/share/qemu' -L '$dir/qemu/usr/share/seabios' "\$@"
END
  chmod 755 "$dir/bin/qemu-system-x86_64"
}

# parts are the packages of versions that a meta package leads to: newer kernels are cut
# into several.
parts() {
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$1" |
    grep -E '^linux-(image|binary|modules|base)-[0-9][^ ]*-amd64$' | grep -v -E -- '-(dbg|unsigned)$' | sort -u
}

install_kernel() {
  local package=$1 to=$dir/kernels/$1${suite:+-$suite} list
  [ -n "$update" ] || ! image "$to" >/dev/null || return 0
  prepare_apt
  known "$package" || fail "the package sources${suite:+ of $suite} have no $package"
  list=$(parts "$package")
  [ -n "$list" ] || fail "$package leads to no package with a kernel"
  echo "install.sh: unpacking" $list "into $to" >&2
  fetch "$to" $list
  image "$to" >/dev/null || fail "there is no kernel in what $package leads to:" $list
}

install_qemu
if [ ${#packages[@]} = 0 ]; then
  packages=(linux-image-6.12-amd64)
  if ! image "$dir/kernels/${packages[0]}" >/dev/null; then
    prepare_apt
    known "${packages[0]}" || packages=(linux-image-amd64)
  fi
fi
for p in "${packages[@]}"; do install_kernel "$p"; done
