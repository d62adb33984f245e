# Functions for the other scripts: . ./novitai.sh
# Needs curl. JSON is picked apart with grep, which does for flat fields; use jq where you have it.

: "${NOVITAI_URL:?Set NOVITAI_URL, e.g. http://127.0.0.1:8000}"
: "${NOVITAI_API_KEY:?Set NOVITAI_API_KEY}"

# field NAME < json: the first string of that name.
field() {
    grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

# call METHOD PATH [BODY]: the answer on standard output; 1 when the service refuses.
# Lost connections, 429 and 503 are tried again by curl, which obeys Retry-After; the
# Idempotency-Key stays the same, so that nothing is done twice.
call() {
    out=$(mktemp)
    # The key goes by standard input: arguments can be read by everybody on the machine.
    status=$({
        printf 'header = "Authorization: Bearer %s"\n' "$NOVITAI_API_KEY"
        [ "$1" != POST ] || printf 'header = "Idempotency-Key: %s"\n' "$(openssl rand -hex 16)"
        [ -z "${3:-}" ] || printf 'header = "Content-Type: application/json"\n'
    } | curl --config - --silent --show-error --request "$1" ${3:+--data "$3"} \
        --retry 5 --retry-connrefused --max-time 120 \
        --output "$out" --write-out '%{http_code}' "$NOVITAI_URL$2") || status=000
    answer=$(cat "$out")
    rm -f "$out"
    case $status in
        2??)
            printf '%s\n' "$answer"
            ;;
        *)
            code=$(printf '%s' "$answer" | field code)
            message=$(printf '%s' "$answer" | field message)
            printf '%s %s: %s\n' "$status" "$code" "$message" >&2
            return 1
            ;;
    esac
}

# wait_for ID STATUS: its details once it got there; 1 if it never will. The service tells at once:
# nobody has to ask again and again.
wait_for() {
    for _ in $(seq "${MAX_WAITS:-60}"); do
        details=$(call GET "/api/instances/$1/wait?status=$2&timeout=30") || return 1
        now=$(printf '%s' "$details" | field status)
        printf 'status %s\n' "$now" >&2
        case $(printf '%s' "$details" | field waitResult) in
            reached)
                printf '%s\n' "$details"
                return 0
                ;;
            unreachable) break ;;
        esac
    done
    printf '%s is %s, not %s\n' "$1" "$now" "$2" >&2
    return 1
}
