#!/bin/sh
# All static checks. Each runs, even if an earlier one fails; `make check` calls this.
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

# With the settings that production requires, and without a database.
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
