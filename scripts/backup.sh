#!/usr/bin/env bash
# Backs up the database and the configuration into one file: scripts/backup.sh [OPTION ...] [FOLDER]
#
#   FOLDER                folder of the backup (default: backups); created if missing
#   --database PLACE      server (DATABASE_URL), compose or embedded (DATA_DIR); found out by itself
#   --keep N              keep only the newest N backups in FOLDER
#
# The file is a tar archive that only its owner can read: the database as of one moment, while the service
# goes on; .env, the settings of this shell, the secrets of DATA_DIR and the files that *_FILE settings name.
# It contains all secrets: encrypt it before it leaves this machine. scripts/restore.sh restores it.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/database.sh
. "$ROOT/scripts/database.sh"

place='' keep='' folder=''
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) show_help; exit 0 ;;
        --database | --keep)
            [ $# -gt 1 ] || usage_error "$1 needs a value."
            if [ "$1" = --keep ]; then keep=$2; else place=$2; fi
            shift ;;
        -*) usage_error "Unknown option $1." ;;
        *)
            [ -z "$folder" ] || usage_error "Only one folder can be given."
            folder=$1 ;;
    esac
    shift
done
case $keep in *[!0-9]* | 0* | ??????????*) usage_error "--keep needs a whole number, at least 1." ;; esac
folder=${folder:-backups}

find_database "$place"
mkdir -p -- "$folder"
folder=$(cd -- "$folder" && pwd)
work=$(mktemp -d -- "$folder/.unfinished.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
mkdir "$work/configuration" "$work/configuration/data" "$work/configuration/files"

dump_database() {
    # Verified by reading it back: a dump that cannot be listed cannot be restored.
    on_database pg_dump --format=custom --no-owner --no-privileges >"$work/database.dump" \
        || fail "the database could not be dumped; nothing was written to $folder"
    on_database pg_restore --list <"$work/database.dump" >"$work/contents.txt" \
        || fail "the dump cannot be read back; nothing was written to $folder"
    grep -q ' TABLE DATA public django_migrations ' "$work/contents.txt" \
        || fail "this is not a database of novitai: it has no table of migrations"
}

copy_configuration() {
    local name value file
    [ ! -f "$ROOT/.env" ] || cp -- "$ROOT/.env" "$work/configuration/env"
    for name in $(setting_names); do
        value=${!name:-}
        [ -z "$value" ] || printf '%s=%s\n' "$name" "$value"
        file=$(setting "${name}_FILE")
        [ -z "$file" ] || [ ! -r "$file" ] || cp -- "$file" "$work/configuration/files/$name"
    done >"$work/configuration/environment"
    [ -d "$(data_dir)" ] || return 0
    # The secrets of development; no locks, no logs, no state of the simulator.
    find "$(data_dir)" -maxdepth 1 -type f -size -64k ! -name '*.*' -exec cp -- {} "$work/configuration/data/" \;
}

write_manifest() {
    {
        printf 'novitai backup 1\n'
        printf 'made_at=%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        printf 'database=%s\n' "$DATABASE_PLACE"
        printf 'version=%s\n' "$(sed -n 's/^VERSION = "\(.*\)"/\1/p' "$ROOT/novitai/__init__.py")"
        printf 'migrations=%s\n' "$(query 'SELECT count(*) FROM django_migrations')"
    } >"$work/manifest.txt"
    (cd -- "$work" && find database.dump configuration -type f -exec sha256sum {} + | sort -k 2 >sums.txt)
}

remove_old() {
    local old
    [ -n "$keep" ] || return 0
    # The names carry the time, so that they sort by age.
    find "$folder" -maxdepth 1 -type f -name 'novitai-*.tar' | sort -r | tail -n "+$((keep + 1))" \
        | while IFS= read -r old; do rm -- "$old" && say "Removed $old"; done
}

dump_database
copy_configuration
write_manifest
target=$folder/novitai-$(date -u +%Y%m%dT%H%M%SZ).tar
[ ! -e "$target" ] || fail "$target exists already" "Another backup was made in the same second; run the script again."
tar -C "$work" -cf "$work/archive" manifest.txt sums.txt database.dump configuration
sync "$work/archive" 2>/dev/null || true
# By rename, so that an interrupted backup never has a final name.
mv -- "$work/archive" "$target"
remove_old
say "Backed up the $DATABASE_PLACE database and the configuration: $target ($(du -h "$target" | cut -f 1))"
say "It contains all secrets: encrypt it before it leaves this machine."
