#!/usr/bin/env bash
# Deploys this checkout with docker compose on a simulated Novita: scripts/deploy-dev.sh
#
#   --down      stop it and delete its data
#
# No account, no .env, nothing that costs money: every value is in deploy/demo.env. Build, migrate, start,
# wait for health, create an API key. PORT=8000: port; HEALTH_SECONDS=120: longest wait for health.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/deploy.sh
. "$ROOT/scripts/deploy.sh"

COMPOSE_SHOWN='docker compose --env-file deploy/demo.env'
# Variables of this shell would override the file, so they are unset: a real account must not be used.
compose_here() {
    local name unset=()
    for name in $(setting_names) POSTGRES_PASSWORD COMPOSE_PROFILES COMPOSE_PROJECT_NAME; do
        [ "$name" = PORT ] || unset+=(-u "$name")
    done
    (cd -- "$ROOT" && env "${unset[@]}" docker compose --env-file deploy/demo.env "$@")
}

case ${1:-} in
    --help | -h) show_help; exit 0 ;;
    --down)
        require_compose
        compose_here down --volumes --remove-orphans
        exit ;;
    '') ;;
    *) usage_error "Unknown argument $1." ;;
esac

require_compose
# shellcheck disable=SC2119
build_image
migrate_database
start_services simulator receiver web worker
url=http://127.0.0.1:${PORT:-8000}
wait_until_healthy "$url"
step "Ready"
say "API     $url/api/docs"
say "Admin   $url/admin/ (create an administrator: $COMPOSE_SHOWN exec web python manage.py createsuperuser)"
say "Key     $(compose_here exec -T web python manage.py create_api_key --name deploy-dev)"
say "Stop    scripts/deploy-dev.sh --down"
