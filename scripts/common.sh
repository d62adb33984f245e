# Shared by the scripts beside it, which source it: messages, and the settings of this checkout.
# shellcheck shell=bash

# With CDPATH set, cd may go to another folder and print it.
unset CDPATH
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# Files that the scripts write may hold secrets: only their owner may read them.
umask 077

say() { printf '%s\n' "$*"; }

# fail TEXT [HINT ...]: what went wrong, then what to do about it, a line each.
fail() {
    printf 'Failed: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 1
}

# usage_error TEXT: wrong arguments; exit code 2 (a failure of the work itself has 1).
usage_error() {
    printf '%s\nSee: %s --help\n' "$1" "$0" >&2
    exit 2
}

# Prints the comment at the top of the calling script.
show_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

# setting NAME: from the environment, else from .env, else nothing. Compose's rules for .env: the last
# line counts, quotes around a value and a comment behind it are no part of it.
setting() {
    local value=${!1:-}
    if [ -z "$value" ] && [ -r "$ROOT/.env" ]; then
        value=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1=//p" "$ROOT/.env" | tail -n 1)
        value=${value%$'\r'}
        case $value in
            \"*\") value=${value#\"} value=${value%\"} ;;
            \'*\') value=${value#\'} value=${value%\'} ;;
            *) value=${value%%[[:space:]]#*} value=${value%"${value##*[![:space:]]}"} ;;
        esac
    fi
    printf '%s' "$value"
}

# Every variable that configures the service, as .env.example lists them.
setting_names() { sed -n 's/^#\{0,1\} *\([A-Z][A-Z0-9_]*\)=.*/\1/p' "$ROOT/.env.example" | sort -u; }

data_dir() {
    local folder
    folder=$(setting DATA_DIR)
    case ${folder:=.data} in
        /*) printf '%s' "$folder" ;;
        *) printf '%s' "$ROOT/$folder" ;;
    esac
}

compose() { docker compose --project-directory "$ROOT" "$@"; }

require_compose() {
    command -v docker >/dev/null || fail "the docker command was not found" "Install Docker with its compose plugin."
    docker compose version >/dev/null 2>&1 || fail "docker compose does not answer" \
        "Check that the Docker engine runs and that this user may use it: docker compose version"
}
