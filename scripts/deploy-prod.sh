#!/usr/bin/env bash
# Deploys this checkout with docker compose in production: scripts/deploy-prod.sh [OPTION ...]
#
#   --no-backup    do not back up the database before it is migrated
#   --backups DIR  where backups go (default: backups)
#
# Settings come from .env (see .env.example). Check, build, back up, migrate, start, wait for health; each
# step that fails says what still runs and what to do. It can be run again at any time.
# HEALTH_SECONDS=120: longest wait for health.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/deploy.sh
. "$ROOT/scripts/deploy.sh"

COMPOSE_SHOWN='docker compose'
compose_here() { compose "$@"; }

backup=yes backups=backups
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) show_help; exit 0 ;;
        --no-backup) backup='' ;;
        --backups)
            [ $# -gt 1 ] || usage_error "$1 needs a value."
            backups=$2
            shift ;;
        *) usage_error "Unknown argument $1." ;;
    esac
    shift
done

check_settings() {
    step "Check the settings"
    [ -f "$ROOT/.env" ] || fail "there is no .env" "cp .env.example .env, then fill in what is required in production."
    local name missing=''
    for name in POSTGRES_PASSWORD SECRET_KEY NOVITA_API_KEY; do
        [ -n "$(setting "$name")" ] || missing="$missing $name"
    done
    [ -z "$missing" ] || fail "not set in .env:$missing" ".env.example describes each variable and how to create a value."
    # Anyone on this machine could read the key that buys GPUs.
    [ -z "$(find "$ROOT/.env" -perm /077)" ] || fail ".env can be read by other users" "chmod 600 .env"
    compose_here config --quiet || fail "docker-compose.yml or .env cannot be read" "The line above says where."
}

back_up() {
    step "Back up the database"
    if [ -z "$backup" ]; then
        say "Skipped (--no-backup)."
    elif [ -z "$(compose_here ps --quiet postgres)" ]; then
        say "Nothing to back up: no database is running yet."
    else
        "$ROOT/scripts/backup.sh" --database compose "$backups" \
            || fail "the backup failed, so nothing was changed" "To deploy without a backup: $0 --no-backup"
    fi
}

require_compose
check_settings
build_image --pull
back_up
migrate_database
start_services web worker
port=$(setting PORT)
url=http://127.0.0.1:${port:-8000}
wait_until_healthy "$url"
step "Ready"
say "API     $url/api/docs"
say "A key   $COMPOSE_SHOWN exec web python manage.py create_api_key"
