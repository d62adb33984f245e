#!/bin/sh
# Every static check. All of them run, whatever the first ones say; `make check` calls this.
bin=.venv/bin
failed=""

check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        printf 'ok      %s\n' "$name"
    else
        failed="$failed $name"
        printf 'FAILED  %s\n%s\n' "$name" "$output"
    fi
}

# As an operator would have it: with everything that production demands, and no database.
in_production() {
    env NOVITAI_ENV=production SECRET_KEY=a-key-of-fifty-characters-for-this-one-check-only-0123 \
        NOVITA_API_KEY=none DATABASE_URL=postgresql://nobody@127.0.0.1:1/none "$@"
}

check lint       $bin/python -m ruff check --quiet .
check format     $bin/python -m ruff format --quiet --check .
check types      $bin/python -m mypy
check layers     $bin/lint-imports
check migrations $bin/python manage.py makemigrations --check --dry-run
check settings   in_production $bin/python manage.py check --deploy --fail-level WARNING
check schema     $bin/python manage.py spectacular --validate --fail-on-warn --file /dev/null

if [ -n "$failed" ]; then
    printf '\nFailed:%s\n' "$failed"
    exit 1
fi
