#!/usr/bin/env bash
# Calls Zoho with an access token that Vault hands out, and once more with another if Zoho
# rejects the first: VAULT_ADDR=... VAULT_TOKEN=... bash curl.sh crm
set -euo pipefail

token() { curl -sS -f -H "X-Vault-Token: $VAULT_TOKEN" "$VAULT_ADDR/v1/zoho/creds/$1"; }
field() { jq -r ".data.$2" <<<"$1"; }
call() {
  curl -sS -o answer.json -w '%{http_code}' -H "Authorization: $(field "$1" authorization)" \
    "$(field "$1" api_domain)/crm/v8/org"
}

used=$(token "$1")
status=$(call "$used")
if [[ $status == 401 && $(jq -r .code answer.json) == INVALID_TOKEN ]]; then
  next=$(token "$1?rejected=$(field "$used" token_id)")
  if [[ $(field "$next" token_id) != "$(field "$used" token_id)" ]]; then
    status=$(call "$next")
  fi
fi
if [[ $status != 200 ]]; then
  echo "Zoho answers $status: $(jq -r .code answer.json); look at the scopes, the API domain and the header" >&2
  exit 1
fi
cat answer.json
