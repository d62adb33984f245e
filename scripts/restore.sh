#!/usr/bin/env bash
# Restores a backup of scripts/backup.sh: scripts/restore.sh [OPTION ...] FILE
#
#   --database PLACE      server (DATABASE_URL), compose or embedded (DATA_DIR); found out by itself
#   --replace             empty the database first; without it, only an empty database is accepted
#   --check               only verify the file
#
# The service must be stopped. The database is restored in one transaction: if anything fails, it is as
# before. Configuration is put back where it is missing; a file that differs is left alone, and the one of
# the backup is laid beside it as NAME.from-backup.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/database.sh
. "$ROOT/scripts/database.sh"

place='' replace='' check='' archive=''
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) show_help; exit 0 ;;
        --replace) replace=yes ;;
        --check) check=yes ;;
        --database)
            [ $# -gt 1 ] || usage_error "$1 needs a value."
            place=$2
            shift ;;
        -*) usage_error "Unknown option $1." ;;
        *)
            [ -z "$archive" ] || usage_error "Only one file can be given."
            archive=$1 ;;
    esac
    shift
done
[ -n "$archive" ] || usage_error "Give the file of the backup: scripts/restore.sh FILE"
[ -r "$archive" ] || fail "$archive cannot be read"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

manifest() { sed -n "s/^$1=//p" "$work/manifest.txt"; }

verify() {
    tar -C "$work" --no-same-owner --no-same-permissions -xf "$archive" \
        manifest.txt sums.txt database.dump configuration 2>/dev/null \
        || fail "$archive is not a backup of novitai, or it is incomplete"
    [ "$(head -n 1 "$work/manifest.txt")" = 'novitai backup 1' ] || fail "$archive has a format that this release cannot read"
    (cd -- "$work" && sha256sum --check --quiet --strict sums.txt >/dev/null 2>&1) \
        || fail "$archive is damaged: a checksum does not match"
    say "Backup of $(manifest made_at), novitai $(manifest version), $(manifest database) database: complete."
}

refuse_if_in_use() {
    local others
    others=$(query "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()") || fail "the database does not answer"
    [ "$others" = 0 ] || fail "$others other connections use the database" "Stop the web and worker processes, then run the script again."
}

refuse_if_filled() {
    local tables
    tables=$(query "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    [ "$tables" = 0 ] || [ -n "$replace" ] || fail "the database holds $tables tables" \
        "Restore into an empty database, or use --replace, which deletes all tables first."
}

restore_database() {
    # No COMMIT is sent unless all came through, and psql stops at the first error.
    {
        printf 'BEGIN;\nSET LOCAL client_min_messages = warning;\nDROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n'
        on_database pg_restore --no-owner --no-privileges --file=- <"$work/database.dump" && printf 'COMMIT;\n'
    } | on_database psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output=/dev/null \
        || fail "the database could not be restored; it is unchanged"
    # Statistics are not part of a dump; without them the first hours have bad plans.
    query 'ANALYZE' || true
    [ "$(query 'SELECT count(*) FROM django_migrations')" = "$(manifest migrations)" ] \
        || fail "the restored database does not have the migrations that the backup lists"
}

# put_back FILE TARGET: copy to TARGET if that is missing, or beside it if it differs.
put_back() {
    if [ ! -e "$2" ]; then
        mkdir -p -- "$(dirname -- "$2")"
        cp -- "$1" "$2" && say "Restored $2"
    elif ! cmp -s -- "$1" "$2"; then
        cp -- "$1" "$2.from-backup" && say "Kept $2, which differs; the version of the backup is $2.from-backup"
    fi
}

restore_configuration() {
    local file
    [ ! -f "$work/configuration/env" ] || put_back "$work/configuration/env" "$ROOT/.env"
    for file in "$work/configuration/data"/*; do
        [ ! -f "$file" ] || put_back "$file" "$(data_dir)/$(basename -- "$file")"
    done
    for file in "$work/configuration/files"/* "$work/configuration/environment"; do
        [ ! -s "$file" ] || put_back "$file" "$(data_dir)/restored/$(basename -- "$file")"
    done
}

verify
[ -z "$check" ] || exit 0
find_database "$place"
refuse_if_in_use
refuse_if_filled
restore_database
restore_configuration
say "Restored into the $DATABASE_PLACE database. Now:"
say "  1. Run manage.py migrate, if the code is newer than the backup (make run and the deployments do it)."
say "  2. Start the service. With a moved database, workers do nothing at Novita until you accept it:"
say "     check with manage.py reconcile --dry-run, then manage.py reconcile --accept (docs/operations.md)."
