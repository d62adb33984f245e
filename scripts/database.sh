# Shared by backup.sh and restore.sh, which source it after common.sh: where the database is, and how
# Postgres' own programs reach it. Passwords go through files and the environment, never through arguments.
# shellcheck shell=bash

# find_database PLACE: sets DATABASE_PLACE to server, compose or embedded; PLACE may be empty.
find_database() {
    DATABASE_PLACE=$1
    [ -n "$DATABASE_PLACE" ] || DATABASE_PLACE=$(guess_place)
    case $DATABASE_PLACE in
        server)
            [ -n "$(setting DATABASE_URL)$(setting DATABASE_URL_FILE)" ] \
                || fail "no DATABASE_URL is set, so there is no server to ask"
            require_python ;;
        embedded)
            require_python ;;
        compose)
            require_compose ;;
        *) usage_error "The database is on a server, in compose or embedded, not '$DATABASE_PLACE'." ;;
    esac
}

guess_place() {
    local embedded compose
    if [ -n "$(setting DATABASE_URL)$(setting DATABASE_URL_FILE)" ]; then
        printf server
        return
    fi
    [ ! -d "$(data_dir)/postgres" ] || embedded=yes
    [ -z "$(setting POSTGRES_PASSWORD)" ] || compose=yes
    case ${embedded:-no}${compose:-no} in
        yesno) printf embedded ;;
        noyes) printf compose ;;
        yesyes) fail "there are two databases: one of docker compose, one in $(data_dir)" \
            "Say which: --database compose or --database embedded" ;;
        *) fail "no database was found" \
            "Set DATABASE_URL, or DATA_DIR to the folder of an embedded one, or fill in .env for docker compose." ;;
    esac
}

require_python() {
    PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
    [ -x "$PYTHON" ] || fail "$PYTHON is missing" "Run make setup first."
}

# on_database PROGRAM [ARGUMENT ...]: one of Postgres' programs, connected to the database.
on_database() {
    if [ "$DATABASE_PLACE" = compose ]; then
        compose exec -T --env PGUSER=novitai --env PGDATABASE=novitai postgres "$@"
        return
    fi
    local url file
    url=$(setting DATABASE_URL)
    file=$(setting DATABASE_URL_FILE)
    [ "$DATABASE_PLACE" = server ] || url='' file=''
    DATABASE_URL=$url DATABASE_URL_FILE=$file DATA_DIR=$(data_dir) "$PYTHON" "$ROOT/scripts/with_database.py" "$@"
}

# query SQL: its result as bare text.
query() { on_database psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"; }
