#!/bin/sh
# Install those of the named Debian packages that are missing. Quick if none is.
#
#   scripts/require-debian.sh rabbitmq-server postgresql
#
# As root it installs them without starting services, and shows apt's output only if it fails.
# Otherwise it prints what to install.
set -eu

# The program that is needed of each package: one installed in another way counts too.
present() {
    case $1 in
        rabbitmq-server) found /usr/lib/rabbitmq/bin/rabbitmq-server || command -v rabbitmq-server ;;
        postgresql)      found /usr/lib/postgresql/*/bin/initdb ;;
        amqp-tools)      command -v amqp-publish ;;
        prometheus)      command -v promtool ;;
        default-jre-headless) command -v java ;;
        curl|chromium-headless-shell) command -v "$1" ;;
        pgbouncer)       found /usr/sbin/pgbouncer ;;
        nginx-light)     found /usr/sbin/nginx || command -v nginx ;;
        python3-venv)    "${PYTHON:-python3}" -c 'import ensurepip' ;;
        *)               dpkg-query -W -f='${db:Status-Status}' "$1" | grep -qx installed ;;
    esac >/dev/null 2>&1
}

found() { [ -x "$1" ]; }

missing=
for package in "$@"; do
    present "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get update && apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing on this machine:$missing" >&2
    echo "On Debian, as root:  $install" >&2
    echo "Then run the same make command again." >&2
    exit 1
fi

echo "Installing Debian packages:$missing" >&2
mkdir -p /run/lock
exec 9>/run/lock/notify-require-debian
flock 9
said=$(mktemp)
trap 'rm -f "$said"' EXIT
trap 'exit 1' HUP INT TERM

# A package's service would otherwise start at once. invoke-rc.d asks this file; ours is marked,
# so that one left behind by a killed run is known again, and a file of the owner is left alone.
policy=/usr/sbin/policy-rc.d
mark='# Written by scripts/require-debian.sh; may be deleted.'
if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
    trap 'rm -f "$said" "$policy"' EXIT
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
# -qq still lets dpkg tell each step.
quietly() { "$@" >"$said" 2>&1 || { cat "$said" >&2; return 1; }; }
quietly apt-get update -qq
# shellcheck disable=SC2086 # one word a package
quietly apt-get install --yes -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $missing

for package in $missing; do
    present "$package" || { echo "$package was installed, yet is not usable here." >&2; exit 1; }
done
