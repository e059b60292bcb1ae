// npm: simple-oauth2@5.1.0
import { AuthorizationCode, ClientCredentials } from "simple-oauth2";
import { accounts, consent, id, offline, read, redirect, secret, self, step } from "../sim.mjs";

const at = { tokenHost: accounts, tokenPath: "/oauth/v2/token", authorizePath: "/oauth/v2/auth", revokePath: "/oauth/v2/token/revoke" };
const client = new AuthorizationCode({ client: { id, secret }, auth: at, options: { scopeSeparator: ",", authorizationMethod: "body" } });
let tokens = await step("code", () => client.getToken({
  code: consent(client.authorizeURL({ redirect_uri: redirect, scope: ["ZohoCRM.users.READ", "ZohoCRM.org.READ"], state: "s1", ...offline })).searchParams.get("code"), redirect_uri: redirect,
}));
await step("API", () => read(tokens.token.access_token));
const fresh = await step("refresh", () => tokens.refresh());
await step("second refresh, with what the first returned", () => fresh.refresh());
await step("revocation of both", () => tokens.revokeAll());
await step("client credentials", () => new ClientCredentials({ client: self, auth: { tokenHost: at.tokenHost, tokenPath: at.tokenPath }, options: { authorizationMethod: "body" } }).getToken({ scope: "ZohoCliq.Users.READ" }));
