#!/bin/sh
# One GPU instance from the request to its end. It costs money until it is terminated.
set -eu
cd "$(dirname "$0")"
. ./novitai.sh

id="" endpoint=""
finish() {
    # Whatever happened: what nobody uses shall not cost.
    code=$?
    trap - EXIT
    if [ -n "$id" ]; then
        call DELETE "/api/instances/$id" >/dev/null || code=1
        wait_for "$id" terminated >/dev/null || code=1
    fi
    [ -z "$endpoint" ] || call DELETE "/api/webhooks/$endpoint" >/dev/null || code=1
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Should this script die, the instance still ends: maxRuntimeMinutes.
body='{"name": "my-gpu-instance", "productName": "A100-SXM4-40GB",
       "templateId": "tf-training-template-1", "gpuNum": 2, "rootfsSize": 100,
       "region": "US-WEST-01", "maxRuntimeMinutes": 60}'

if [ -n "${WEBHOOK_URL:-}" ]; then
    made=$(call POST /api/webhooks "{\"url\": \"$WEBHOOK_URL\"}")
    endpoint=$(printf '%s' "$made" | field id)
    # Shown this once; verify-webhook.sh needs it.
    printf 'WEBHOOK_SECRET=%s\n' "$(printf '%s' "$made" | field secret)"
fi

created=$(call POST /api/instances "$body")
id=$(printf '%s' "$created" | field instanceId)
printf 'created %s\n' "$id"

details=$(wait_for "$id" running)
printf '%s' "$details" | grep -o '"connectionDetails":{[^}]*}' | tr ',{}' '\n\n\n' |
    sed -n 's/^"\([a-zA-Z]*\)":"\(.*\)"$/\1 \2/p'
