// npm: @n8n/client-oauth2@1.23.1
import { auth, consent, id, must, offline, read, redirect, require, secret, self, step, token } from "../sim.mjs";

const { ClientOAuth2 } = require("@n8n/client-oauth2");

const client = new ClientOAuth2({ clientId: id, clientSecret: secret, accessTokenUri: token, authorizationUri: auth, redirectUri: redirect, scopes: ["ZohoCRM.users.READ", "ZohoCRM.org.READ"], scopesSeparator: ",", authentication: "body", query: { access_type: "offline" } });
const tokens = await step("code, with access_type=offline alone as n8n asks", () => client.code.getToken(String(consent(client.code.getUri()))));
await step("API", () => read(tokens.accessToken));
await step("refresh", () => tokens.refresh());
await step("a refresh token on the second consent", async () => must((await client.code.getToken(String(consent(client.code.getUri())))).refreshToken, "none"));
await step("client credentials", () => new ClientOAuth2({ clientId: self.id, clientSecret: self.secret, accessTokenUri: token, scopes: ["ZohoCliq.Users.READ"], authentication: "body" }).credentials.getToken());
