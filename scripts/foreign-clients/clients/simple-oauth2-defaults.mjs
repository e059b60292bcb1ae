// npm: simple-oauth2@5.1.0
// The same without options: the client's id and secret go into a Basic header.
import { AuthorizationCode } from "simple-oauth2";
import { accounts, consent, id, offline, read, redirect, secret, step } from "../sim.mjs";

const client = new AuthorizationCode({ client: { id, secret }, auth: { tokenHost: accounts, tokenPath: "/oauth/v2/token", authorizePath: "/oauth/v2/auth", revokePath: "/oauth/v2/token/revoke" } });
const tokens = await step("code", () => client.getToken({
  code: consent(client.authorizeURL({ redirect_uri: redirect, scope: "ZohoCRM.users.READ", ...offline })).searchParams.get("code"), redirect_uri: redirect,
}));
await step("API", () => read(tokens.token.access_token));
await step("refresh", () => tokens.refresh());
await step("revocation", () => tokens.revoke("refresh_token"));
