# deb: curl
# curl as scripts use it, also for what the libraries have no method for: revocation in its new form and the device flow of Zoho.
set -euo pipefail
ask() { curl -sS --fail-with-body "$@"; }
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
step() { if out=$("${@:2}" 2>&1); then echo "ok $1"; else echo "no $1: ${out:0:200}"; fi; }
form=(-d "client_id=$CLIENT_ID" -d "client_secret=$CLIENT_SECRET")

landed=$(consent "$ACCOUNTS/oauth/v2/auth?response_type=code&client_id=$CLIENT_ID&redirect_uri=$REDIRECT&scope=ZohoCRM.users.READ&access_type=offline&prompt=consent")
code=$(sed 's/.*[?&]code=\([^&]*\).*/\1/' <<<"$landed")
grant=$(ask "${form[@]}" -d "grant_type=authorization_code&code=$code&redirect_uri=$REDIRECT" "$ACCOUNTS/oauth/v2/token")
refresh=$(field refresh_token <<<"$grant")
step "code and API" ask -H "Authorization: Zoho-oauthtoken $(field access_token <<<"$grant")" "$API/crm/v8/users?type=CurrentUser"
step refresh ask "${form[@]}" -d "grant_type=refresh_token&refresh_token=$refresh" "$ACCOUNTS/oauth/v2/token"
step "revocation in its new form" ask -u "$CLIENT_ID:$CLIENT_SECRET" -d "token=$refresh&token_type=refresh_token" "$ACCOUNTS/oauth/v2/revoke/token"

device=$(ask -d "grant_type=device_request&client_id=$DEVICE_ID&scope=ZohoCRM.users.READ&access_type=offline&prompt=consent" "$ACCOUNTS/oauth/v3/device/code")
ask -d "{\"user_code\":\"$(field user_code <<<"$device")\"}" "$CONTROL/approve-device" >/dev/null
polled=$(ask -d "grant_type=device_token&client_id=$DEVICE_ID&client_secret=$DEVICE_SECRET&code=$(field device_code <<<"$device")" "$ACCOUNTS/oauth/v3/device/token")
step "device flow and API" ask -H "Authorization: Zoho-oauthtoken $(field access_token <<<"$polled")" "$API/crm/v8/users?type=CurrentUser"
