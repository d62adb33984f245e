# Shared by deploy-dev.sh and deploy-prod.sh, which source it after common.sh and define compose_here.
# shellcheck shell=bash

HEALTH_SECONDS=${HEALTH_SECONDS:-120}

step() { printf '\n== %s\n' "$*"; }

# build_image [OPTION ...]
build_image() {
    step "Build the image"
    compose_here build "$@" || fail "the image could not be built; the running service is unchanged" \
        "Correct the error shown above, then run $0 again."
}

# Before any other container: migrations are written to run beside the release before, so that the old
# web and worker processes go on meanwhile.
migrate_database() {
    step "Start Postgres and migrate the database"
    compose_here up --detach --wait postgres || failed_start "Postgres did not start" postgres
    compose_here run --rm --no-deps migrate || fail "the database could not be migrated" \
        "What runs goes on with the old release. Migrations that were done stay done; running it again goes on from there." \
        "See what was said above, docs/operations.md, and: $COMPOSE_SHOWN logs postgres"
}

# start_services SERVICE ...: without what they depend on, which is there by now: compose would wait for the
# container that migrated to stay up.
start_services() {
    step "Start the service"
    compose_here up --detach --wait --wait-timeout "$HEALTH_SECONDS" --no-deps --remove-orphans "$@" \
        || failed_start "the service did not start within $HEALTH_SECONDS s" web worker
}

# wait_until_healthy URL
wait_until_healthy() {
    step "Wait until it is healthy"
    "$ROOT/scripts/health-check.sh" --wait "$HEALTH_SECONDS" "$1" \
        || failed_start "the service runs but is not healthy" web worker
}

# failed_start TEXT SERVICE ...: print the last log lines of the services, and what can be done.
failed_start() {
    local text=$1
    shift
    compose_here ps >&2 || true
    compose_here logs --no-color --tail 40 "$@" >&2 || true
    fail "$text" \
        "Its last lines are above; all of them: $COMPOSE_SHOWN logs $*" \
        "A setting is wrong: mend it, then run $0 again." \
        "The release is wrong: docs/operations.md, Upgrade, says whether the one before runs on the migrated database; if so, git checkout TAG and run $0 again." \
        "Docs: docs/operations.md"
}
