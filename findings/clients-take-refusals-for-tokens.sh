#!/usr/bin/env bash
# OAuth clients for Node differ in what they make of a refused refresh that is answered with HTTP 200, as Zoho answers it.
#
# Versions: oauth 0.10.2, axios-oauth-client 2.2.0 (with axios 1.7.9), google-auth-library 10.9.1, simple-oauth2 5.1.0,
# client-oauth2 4.3.3, arctic 3.7.0, @badgateway/oauth2-client 3.3.1 and openid-client 6.8.9, on Node 20.
# Input: a refresh with a refresh token, and a server that refuses it with HTTP 200 and {"error":"invalid_code"}. RFC 6749,
# section 5.2, asks for status 400; Zoho's status is 200.
# Output seen:
#   oauth: succeeds, with the access token undefined
#   axios-oauth-client: succeeds, with the access token undefined
#   google-auth-library: succeeds, with the access token undefined
#   simple-oauth2: succeeds, with the access token undefined
#   client-oauth2: fails: invalid_code
#   arctic: succeeds, with the access token one that throws when it is read
#   @badgateway/oauth2-client: fails: We received an invalid token response from an OAuth2 server.
#   openid-client: fails: invalid response encountered
# Behavior: four of the eight report success, without an access token. Arctic's call succeeds too, and its result throws
# only when the access token is read.
# Effect: a program that stores what such a client returns replaces a good access token by nothing.
# This script fails if that changes. It needs Node and npm, and no account at Zoho.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --no-audit --no-fund --ignore-scripts --loglevel=error oauth@0.10.2 axios-oauth-client@2.2.0 axios@1.7.9 google-auth-library@10.9.1 \
  simple-oauth2@5.1.0 client-oauth2@4.3.3 arctic@3.7.0 @badgateway/oauth2-client@3.3.1 openid-client@6.8.9 >&2

cat >expected <<'END'
oauth: succeeds, with the access token undefined
axios-oauth-client: succeeds, with the access token undefined
google-auth-library: succeeds, with the access token undefined
simple-oauth2: succeeds, with the access token undefined
client-oauth2: fails: invalid_code
arctic: succeeds, with the access token one that throws when it is read
@badgateway/oauth2-client: fails: We received an invalid token response from an OAuth2 server.
openid-client: fails: invalid response encountered
END
cat >probe.mjs <<'END'
import http from "node:http";
import { once } from "node:events";
import OAuth from "oauth";
import * as axiosOAuth from "axios-oauth-client";
import axios from "axios";
import { OAuth2Client as GoogleClient } from "google-auth-library";
import { AuthorizationCode } from "simple-oauth2";
import ClientOAuth2 from "client-oauth2";
import * as arctic from "arctic";
import { OAuth2Client } from "@badgateway/oauth2-client";
import * as openid from "openid-client";

const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    response.setHeader("Content-Type", "application/json;charset=UTF-8");
    response.end('{"error":"invalid_code"}');
  });
}).listen(0, "127.0.0.1");
await once(server, "listening");
const at = "http://127.0.0.1:" + server.address().port, token = at + "/token";

const refreshes = {
  "oauth": () => new Promise((resolve, reject) => new OAuth.OAuth2("id", "secret", at, "/auth", "/token")
    .getOAuthAccessToken("refresh", { grant_type: "refresh_token" }, (error, access) => error ? reject(error) : resolve(access))),
  "axios-oauth-client": async () => (await axiosOAuth.refreshToken(axios.create(), token, "id", "secret")("refresh")).access_token,
  "google-auth-library": async () => {
    const client = new GoogleClient({ clientId: "id", clientSecret: "secret", endpoints: { oauth2TokenUrl: token } });
    client.setCredentials({ refresh_token: "refresh" });
    return (await client.refreshAccessToken()).credentials.access_token;
  },
  "simple-oauth2": async () => (await new AuthorizationCode({ client: { id: "id", secret: "secret" }, auth: { tokenHost: at, tokenPath: "/token" } })
    .createToken({ access_token: "old", refresh_token: "refresh" }).refresh()).token.access_token,
  "client-oauth2": async () => (await new ClientOAuth2({ clientId: "id", clientSecret: "secret", accessTokenUri: token }).createToken("old", "refresh", "bearer").refresh()).accessToken,
  "arctic": async () => {
    const tokens = await new arctic.OAuth2Client("id", "secret", null).refreshAccessToken(token, "refresh", []);
    try { return tokens.accessToken(); } catch { return "one that throws when it is read"; }
  },
  "@badgateway/oauth2-client": async () => (await new OAuth2Client({ clientId: "id", clientSecret: "secret", tokenEndpoint: token }).refreshToken({ accessToken: "old", refreshToken: "refresh", expiresAt: null })).accessToken,
  "openid-client": async () => {
    const config = new openid.Configuration({ issuer: at, token_endpoint: token }, "id", "secret");
    openid.allowInsecureRequests(config);
    return (await openid.refreshTokenGrant(config, "refresh")).access_token;
  },
};
for (const [name, refresh] of Object.entries(refreshes)) {
  console.log(name + ": " + await refresh().then((access) => "succeeds, with the access token " + access, (error) => "fails: " + (error.message || error.code)));
}
process.exit(0);
END
node probe.mjs | tee seen
diff expected seen
