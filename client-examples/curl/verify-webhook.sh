#!/bin/sh
# Verify one webhook, as it came over the wire, from standard input:
#
#   printf 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n' | nc -l 9000 > request.txt
#   WEBHOOK_SECRET=whsec_… ./verify-webhook.sh < request.txt
#
# Prints the message and ends with 0 if it is genuine. Needs openssl.
set -eu
: "${WEBHOOK_SECRET:?Set WEBHOOK_SECRET}"

request=$(mktemp)
trap 'rm -f "$request" "$request.body"' EXIT
cat >"$request"
# The raw bytes after the empty line: parsed and written again they would differ.
sed '1,/^\r\{0,1\}$/d' "$request" >"$request.body"

header() {
    sed '/^\r\{0,1\}$/q' "$request" | tr -d '\r' | grep -i "^$1:" | head -n 1 | sed 's/^[^:]*: *//'
}

id=$(header webhook-id)
timestamp=$(header webhook-timestamp)
case $timestamp in '' | 0* | *[!0-9]*) echo "there is no timestamp" >&2; exit 1 ;; esac
age=$(($(date +%s) - timestamp))
if [ "$age" -gt 300 ] || [ "$age" -lt -300 ]; then
    echo "the message is too old, or from the future" >&2
    exit 1
fi

key=$(printf '%s' "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
expected=$({ printf '%s.%s.' "$id" "$timestamp"; cat "$request.body"; } |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
# Several while a secret is being replaced.
for signature in $(header webhook-signature); do
    if [ "$signature" = "v1,$expected" ]; then
        cat "$request.body"
        exit 0
    fi
done
echo "the signature is wrong" >&2
exit 1
