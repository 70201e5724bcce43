#!/usr/bin/env bash
# The database and the files of an installation, encrypted by age for a key that is not on this machine.
#   ./run backup FOLDER           writes FOLDER/<time>/database.age and files.age
#   ./run restore FOLDER/<time>   puts them in the place of what is there; asks, unless --yes follows
# DATABASE_URL and DATA_DIR say of what. BACKUP_RECIPIENT is the public key, BACKUP_IDENTITY the file of the private one.
# IN_DATABASE and IN_FILES are put before the commands, to run them elsewhere: "docker compose exec -T postgres".
set -euo pipefail

fail() { echo "backup: $*" >&2; exit 1; }
command -v age >/dev/null || fail "age is needed: apt install age"
[ -n "${DATABASE_URL:-}" ] || fail "DATABASE_URL must name a PostgreSQL; an SQLite is one file of DATA_DIR: copy it."
folder=${2:-}
[ -n "$folder" ] || fail "a folder is needed: ./run $1 FOLDER"
files=${DATA_DIR:-var}
bare=${DATABASE_URL%%\?*}
name=${bare##*/}
at() { printf '%s/%s%s' "${bare%/*}" "$1" "${DATABASE_URL#"$bare"}"; }
in_database() { ${IN_DATABASE:-} "$@"; }
in_files() { ${IN_FILES:-} "$@"; }
administer() {
    in_database env PGOPTIONS=--client-min-messages=warning \
        psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname "$(at postgres)" --command "$1"
}
drop() { administer "DROP DATABASE IF EXISTS \"$1\" WITH (FORCE)"; }

backup() {
    [ -n "${BACKUP_RECIPIENT:-}" ] || fail "BACKUP_RECIPIENT is needed: the public key that age-keygen prints"
    place="$folder/$(date --utc +%Y-%m-%dT%H-%M-%SZ)"
    umask 077
    mkdir -p "$place.unfinished"
    # The database first: a file is written before the row that names it.
    in_database pg_dump --format custom --no-owner --dbname "$DATABASE_URL" |
        age --recipient "$BACKUP_RECIPIENT" --output "$place.unfinished/database.age"
    in_files tar --directory "$files" --exclude ./valkey --create . |
        age --recipient "$BACKUP_RECIPIENT" --output "$place.unfinished/files.age"
    mv "$place.unfinished" "$place"
    echo "$place"
}

restore() {
    [ -r "${BACKUP_IDENTITY:-}" ] || fail "BACKUP_IDENTITY must be the file that age-keygen wrote"
    if [ "${3:-}" != --yes ]; then
        read -r -p "Replace the database $name and the files of $files? [y/N] " answer
        [ "$answer" = y ] || fail "nothing was changed"
    fi
    # Beside the old one, which is dropped only when all is there.
    drop "${name}_restored"
    trap 'drop "${name}_restored"' EXIT
    administer "CREATE DATABASE \"${name}_restored\""
    age --decrypt --identity "$BACKUP_IDENTITY" "$folder/database.age" |
        in_database pg_restore --exit-on-error --no-owner --dbname "$(at "${name}_restored")"
    age --decrypt --identity "$BACKUP_IDENTITY" "$folder/files.age" | in_files tar --directory "$files" --extract
    drop "$name"
    administer "ALTER DATABASE \"${name}_restored\" RENAME TO \"$name\""
    echo "restored $folder; now empty Redis: docs/backup.md"
}

"$1" "$@"
