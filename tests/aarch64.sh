#!/bin/sh
# Golden files on an emulated AArch64: `make test-aarch64`. On Debian 12, with its package qemu-user.
# tests/aarch64.sh FOLDER WHEEL ARGUMENTS...: FOLDER keeps Debian's Python, its packages and the compiled functions;
# WHEEL is of this package, for its dependencies; ARGUMENTS go to pytest.
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd) wheel=$2
shift 2
root=$folder/root site=$folder/site

emulated() {
    QEMU_LD_PREFIX=$root QEMU_CPU=max qemu-aarch64 "$root/usr/bin/python3.11" "$@"
}

debian() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$folder/apt" \
        -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::sourcelist="$folder/apt/sources.list" -o Debug::NoLocking=1 "$@"
}

if [ ! -d "$root" ]; then
    rm -rf "$folder/apt" "$root.new"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$root.new"
    : > "$folder/apt/status"
    echo 'deb http://deb.debian.org/debian bookworm main' > "$folder/apt/sources.list"
    debian update
    debian install --yes --no-install-recommends --download-only python3.11 python3-pip-whl libstdc++6 libgomp1
    for package in "$folder"/apt/archives/*.deb; do
        dpkg-deb --extract "$package" "$root.new"
    done
    mv "$root.new" "$root"
fi
if [ ! -d "$site" ]; then  # pip chooses what a machine of AArch64 gets
    rm -rf "$site.new"
    emulated "$(echo "$root"/usr/share/python-wheels/pip-*.whl)/pip" install --quiet --root-user-action ignore \
        --only-binary :all: --no-compile --target "$site.new" "$wheel" pytest hypothesis
    rm -r "$site.new/ardm_compress"  # the working copy is tested
    mv "$site.new" "$site"
fi
export PYTHONPATH="$PWD:$site" NUMBA_CACHE_DIR="$folder/compiled" OMP_NUM_THREADS=1
emulated -m pytest -p no:cacheprovider --verbose "$@"
