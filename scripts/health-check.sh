#!/usr/bin/env bash
# Asks a running service how it is: scripts/health-check.sh [OPTION ...] [URL]
#
#   URL             base address (default: http://127.0.0.1:PORT, PORT from the environment or .env, else 8000)
#   --wait SECONDS  ask again until it is healthy, for this long at most
#   --path PATH     /health (default: all parts, Novita included), /readyz or /livez
#   --quiet         no line, only the exit code
#
# Prints one line. Exit code: 0 healthy, 1 not healthy (the line says why), 2 no answer,
# 64 the call itself was wrong.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

wait=0 quiet='' path=/health url=''
wrong() { printf '%s\nSee: %s --help\n' "$1" "$0" >&2; exit 64; }
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) show_help; exit 0 ;;
        --quiet) quiet=yes ;;
        --wait | --path)
            [ $# -gt 1 ] || wrong "$1 needs a value."
            if [ "$1" = --wait ]; then wait=$2; else path=$2; fi
            shift ;;
        -*) wrong "Unknown option $1." ;;
        *)
            [ -z "$url" ] || wrong "One address at a time."
            url=$1 ;;
    esac
    shift
done
case $wait in '' | *[!0-9]* | 0?* | ??????????*) wrong "--wait takes whole seconds." ;; esac
case $path in /health | /readyz | /livez) ;; *) wrong "--path is /health, /readyz or /livez." ;; esac
command -v curl >/dev/null || wrong "curl is needed."
port=$(setting PORT)
url=${url:-http://127.0.0.1:${port:-8000}}
url=${url%/}
# A proxy of this shell's environment does not lead to this machine.
export no_proxy="${no_proxy:-${NO_PROXY:-}},127.0.0.1,localhost,::1"

# ask: sets code (000 when nothing answers) and body.
ask() {
    local answer
    answer=$(curl --disable --silent --show-error --max-time 15 --max-filesize 1000000 --write-out '\n%{http_code}' \
        --header 'Accept: application/json' -- "$url$path" 2>&1) || true
    code=${answer##*$'\n'}
    body=${answer%$'\n'*}
}

# What stands in one object or list of a compact JSON answer, without its signs.
part() { printf '%s' "$body" | sed -n "s/.*\"$1\":[[{]\([^]}]*\)[]}].*/\1/p" | tr -d '"' | sed 's/,/, /g; s/:/ /g'; }

report() {
    local details
    case $code$body in
        200*\"status\":*) state=healthy status=0 ;;
        503*) state=unhealthy status=1 ;;
        000*) state="no answer: $(printf '%s' "$body" | head -n 1)" status=2 ;;
        *) state="answered $code, which is no answer of $path" status=2 ;;
    esac
    details=$(part services)
    reasons=$(part reasons)
    [ $status -gt 1 ] || state="$state${details:+ ($details)}${reasons:+: $reasons}"
    line="$url$path: $state"
}

deadline=$((SECONDS + wait))
while ask && report && [ "$status" -ne 0 ] && [ $SECONDS -lt $deadline ]; do
    sleep 1
done
[ -n "$quiet" ] || say "$line"
exit "$status"
