#!/bin/sh
# Build a Debian package from a wheel of notify: scripts/make-deb.sh dist/NAME.whl
#
# It brings a virtual environment in /opt/notify with all that the lock pins, so that nothing is
# downloaded when it is installed, and is bound to the Python of the Debian that it is built on.
set -eu

command -v dpkg-deb >/dev/null || { echo "A Debian package is built on Debian." >&2; exit 1; }
wheel=$1
python=/usr/bin/$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
here=scripts/deb
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
opt=$root/opt/notify
# The same checkout makes the same package.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y "$wheel")}"
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0
umask 022

echo "Installing the locked dependencies into the package (half a minute)" >&2
"$python" -m venv --without-pip "$opt"
"$python" scripts/runtime-lock.py <requirements.lock >"$work/runtime.lock"
install() {
    .venv/bin/python -m pip --python "$opt/bin/python" install -qq --no-deps --no-compile "$@"
}
sed '/^http-ece==/,/# via/d' "$work/runtime.lock" >"$work/wheels.lock"
install --require-hashes --only-binary :all: -r "$work/wheels.lock"
# PyPI has this one as source only: the locked setuptools makes its wheel.
sed -n '/^http-ece==/,/# via/p' "$work/runtime.lock" >"$work/source.lock"
.venv/bin/python -m pip wheel -qq --require-hashes --no-deps --no-build-isolation --no-binary :all: \
    -w "$work/made" -r "$work/source.lock"
install "$work"/made/*.whl
install "$wheel"
.venv/bin/python -m pip --python "$opt/bin/python" check >&2

# Of its programs only ours is wanted; it and the environment know the folder they were made in.
find "$opt/bin" -mindepth 1 ! -name notify ! -name 'python*' -delete
sed -i "s|$root||g" "$opt/bin/notify" "$opt/pyvenv.cfg"
find "$opt" -name direct_url.json -delete
find "$opt" -name RECORD -exec sed -i '/^\(\.\.\/\)*bin\//d' {} +
"$python" scripts/prune.py "$opt"/lib/python3.*/site-packages
# Compiled here, since a worker may not write; found good without a look at the source's time.
# By force: pip leaves some compiled files of its own making, which hold a time and our folder.
"$python" -m compileall -q -f -s "$root" -p / --invalidation-mode unchecked-hash "$opt/lib"

put() { command install -D -m "$@"; }
put 0755 $here/notify "$root/usr/bin/notify"
put 0640 config/notify.toml "$root/etc/notify/notify.toml"
put 0644 config/providers.env.example config/receipts.env.example \
    config/api.env.example config/console.env.example -t "$root/etc/notify"
put 0644 LICENSE "$root/usr/share/doc/notify-service/copyright"
put 0644 CHANGELOG.md docs/operations.md systemd/README.md -t "$root/usr/share/doc/notify-service"
put 0644 systemd/*.target systemd/*.service systemd/*.timer -t "$root/usr/lib/systemd/system"
put 0644 "systemd/notify-worker@receipts.service.d/nice.conf" \
    -t "$root/usr/lib/systemd/system/notify-worker@receipts.service.d"
put 0644 systemd/sysusers.d/notify.conf -t "$root/usr/lib/sysusers.d"
put 0644 systemd/tmpfiles.d/notify.conf -t "$root/usr/lib/tmpfiles.d"
put 0755 $here/postinst $here/prerm $here/postrm -t "$root/DEBIAN"
put 0644 $here/conffiles -t "$root/DEBIAN"

# 1.0rc1 comes before 1.0, which Debian has to be told by a tilde. The package of a later Debian
# comes after that of an earlier one, so that an upgraded machine takes its own.
release=$(. /etc/os-release && echo "${VERSION_ID:?a Debian without a number is not supported}")
version=$(basename "$wheel" | cut -d- -f2 | sed -E 's/(a|b|rc|\.dev)([0-9])/~\1\2/')+deb$release
architecture=$(dpkg --print-architecture)
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@PYTHON@/${python##*/}/;
    s/@SIZE@/$(du -sk "$root" | cut -f1)/" $here/control >"$root/DEBIAN/control"
(cd "$root" && find opt usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
dpkg-deb --root-owner-group -Zzstd --build "$root" \
    "$(dirname "$wheel")/notify-service_${version}_$architecture.deb" >&2
