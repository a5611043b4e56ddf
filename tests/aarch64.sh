#!/bin/sh
# Golden files on an emulated AArch64: `make test-aarch64`. On Debian 12, with its package qemu-user.
# tests/aarch64.sh FOLDER WHEEL ARGUMENTS...: FOLDER keeps Debian's Python, its packages and the compiled functions;
# WHEEL is of this package, for its dependencies; ARGUMENTS go to pytest.
set -eu
PYTHON=${PYTHON:-python3}
folder=$(mkdir -p "$1" && cd "$1" && pwd) wheel=$2
shift 2
root=$folder/root site=$folder/site

NEEDED='
import sys, zipfile
from email import message_from_bytes
from pip._vendor.packaging.requirements import Requirement
there = {"platform_machine": "aarch64", "sys_platform": "linux", "python_version": "3.11", "extra": ""}
with zipfile.ZipFile(sys.argv[1]) as wheel:
    metadata = message_from_bytes(wheel.read(next(n for n in wheel.namelist() if n.endswith("/METADATA"))))
for needed in map(Requirement, metadata.get_all("Requires-Dist")):
    if needed.marker is None or needed.marker.evaluate(there):
        print(needed.name + str(needed.specifier))
'  # of a wheel, what a machine of AArch64 gets

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
    debian install --yes --no-install-recommends --download-only python3.11 libstdc++6 libgomp1
    for package in "$folder"/apt/archives/*.deb; do
        dpkg-deb --extract "$package" "$root.new"
    done
    mv "$root.new" "$root"
fi
if [ ! -d "$site" ]; then  # by the machine's own pip: emulated, it is too slow for servers to wait for
    rm -rf "$site.new"
    platforms='--platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64'
    "$PYTHON" -m pip install --quiet --root-user-action ignore --python-version 3.11 $platforms \
        --only-binary :all: --no-compile --target "$site.new" $("$PYTHON" -c "$NEEDED" "$wheel") pytest hypothesis
    mv "$site.new" "$site"
fi
export PYTHONPATH="$PWD:$site" NUMBA_CACHE_DIR="$folder/compiled" OMP_NUM_THREADS=1
emulated -m pytest -p no:cacheprovider --verbose "$@"
