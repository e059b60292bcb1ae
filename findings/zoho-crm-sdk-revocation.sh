#!/usr/bin/env bash
# Zoho's CRM SDKs for Node and TypeScript cannot report a revocation that succeeded, and one of their two methods sends none.
#
# Versions: @zohocrm/nodejs-sdk-8.0 2.0.0 and @zohocrm/typescript-sdk-8.0 3.0.0, on Node 20.
# Input: a token that the SDK stored itself under the id 1, and a server that answers each revocation as Zoho documents it,
# with HTTP 200 and {"status":"success"}.
# Output seen:
#   node revoke(id): throws "CreateListFromArrayLike called on non-object"; revocations sent: 0
#   node revokeRefreshToken(token): throws "responseJSON.has is not a function"; revocations sent: 1
#   typescript revoke(id): returns false; revocations sent: 0
#   typescript revokeRefreshToken(token): throws "responseJSON.has is not a function"; revocations sent: 1
# Behavior: after revoke(id) the refresh token still works. After revokeRefreshToken(token) it is revoked, and the caller sees
# an exception.
# This script fails if that changes. It needs Node and npm, and no account at Zoho.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --no-audit --no-fund --ignore-scripts --loglevel=error @zohocrm/nodejs-sdk-8.0@2.0.0 @zohocrm/typescript-sdk-8.0@3.0.0 >&2

cat >expected <<'END'
node revoke(id): throws "CreateListFromArrayLike called on non-object"; revocations sent: 0
node revokeRefreshToken(token): throws "responseJSON.has is not a function"; revocations sent: 1
typescript revoke(id): returns false; revocations sent: 0
typescript revokeRefreshToken(token): throws "responseJSON.has is not a function"; revocations sent: 1
END
cat >probe.mjs <<'END'
import http from "node:http";
import { once } from "node:events";
import * as node from "@zohocrm/nodejs-sdk-8.0";
import typescript from "@zohocrm/typescript-sdk-8.0";

let revocations = 0;
const server = http.createServer((request, response) => {
  const revoking = request.url === "/oauth/v2/token/revoke";
  revocations += revoking;
  response.setHeader("Content-Type", "application/json;charset=UTF-8");
  response.end(JSON.stringify(revoking ? { status: "success" } : { access_token: "access", token_type: "Bearer", expires_in: 3600 }));
}).listen(0, "127.0.0.1");
await once(server, "listening");
const at = "http://127.0.0.1:" + server.address().port, endpoint = at + "/oauth/v2/token";

async function outcome(name, run) {
  revocations = 0;
  const result = await run().then((value) => "returns " + value, (error) => `throws "${error.cause?.message ?? error.message}"`);
  console.log(`${name}: ${result}; revocations sent: ${revocations}`);
}

for (const [name, sdk] of Object.entries({ node, typescript })) {
  const token = new sdk.OAuthBuilder().clientId("id").clientSecret("secret").refreshToken("refresh").findUser(false).build();
  await (await new sdk.InitializeBuilder()).environment(new sdk.Environment(at, endpoint, at)).token(token).store(new sdk.FileStore(name + ".csv")).initialize();
  await token.generateToken(); // stores the token under an id
  await outcome(name + " revoke(id)", () => token.revoke(token.getId()));
  await outcome(name + " revokeRefreshToken(token)", () => token.revokeRefreshToken("refresh", endpoint + "/revoke"));
}
process.exit(0);
END
node probe.mjs | tee seen
diff expected seen
