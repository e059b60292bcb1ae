#!/usr/bin/env bash
# Calls Zoho with an access token that Vault hands out, and once more with another if Zoho
# rejects the first: VAULT_ADDR=... VAULT_TOKEN=... bash curl.sh crm
set -euo pipefail

token() {
  local address="${VAULT_ADDR%/}/v1/zoho/creds/$1" answer
  answer=$(curl -sS --max-time 30 -w '\n%{http_code}' -H "X-Vault-Token: $VAULT_TOKEN" "$address") || exit
  if ! jq -en 'input.data | [.access_token, .authorization, .token_id, .api_domain] | all(type == "string" and . != "")' \
    <<<"${answer%$'\n'*}" >/dev/null 2>&1; then
    echo "no access token from Vault: $address answered HTTP ${answer##*$'\n'}: $(jq -r '.errors | join("; ")' \
      <<<"${answer%$'\n'*}" 2>/dev/null || true); check that VAULT_ADDR is the address of a Vault server and that the credential exists" >&2
    exit 1
  fi
  printf '%s' "${answer%$'\n'*}"
}
code() { jq -r .code answer.json 2>/dev/null || true; } # empty for a page
field() { jq -r ".data.$2" <<<"$1"; }
call() {
  curl -sS --max-time 60 -o answer.json -w '%{http_code}' -H "Authorization: $(field "$1" authorization)" \
    "$(field "$1" api_domain)/crm/v8/org"
}

used=$(token "$1")
status=$(call "$used")
if [[ $status == 401 && $(code) == INVALID_TOKEN ]]; then
  next=$(token "$1?rejected=$(field "$used" token_id)")
  if [[ $(field "$next" token_id) != "$(field "$used" token_id)" ]]; then
    status=$(call "$next")
  fi
fi
if [[ $status != 200 ]]; then
  echo "Zoho answers $status: $(code); look at the scopes, the API domain and the header" >&2
  exit 1
fi
cat answer.json
