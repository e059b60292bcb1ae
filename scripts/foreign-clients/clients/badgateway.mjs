// npm: @badgateway/oauth2-client@3.3.1
import { OAuth2Client, generateCodeVerifier } from "@badgateway/oauth2-client";
import { accounts, consent, id, offline, read, redirect, secret, self, step } from "../sim.mjs";

const client = new OAuth2Client({ server: accounts, clientId: id, clientSecret: secret, authenticationMethod: "client_secret_post",
  authorizationEndpoint: "/oauth/v2/auth", tokenEndpoint: "/oauth/v2/token", revocationEndpoint: "/oauth/v2/token/revoke" });
const codeVerifier = await generateCodeVerifier();
const tokens = await step("code with PKCE", async () => client.authorizationCode.getTokenFromCodeRedirect(
  consent(await client.authorizationCode.getAuthorizeUri({ redirectUri: redirect, codeVerifier, state: "s1", scope: ["ZohoCRM.users.READ"], extraParams: offline })),
  { redirectUri: redirect, codeVerifier, state: "s1" }));
await step("API", () => read(tokens.accessToken));
const fresh = await step("refresh", () => client.refreshToken(tokens));
await step("second refresh, with what the first returned", () => client.refreshToken(fresh));
await step("revocation", () => client.revoke(tokens, "refresh_token"));
await step("client credentials", () => new OAuth2Client({ ...client.settings, clientId: self.id, clientSecret: self.secret }).clientCredentials({ scope: ["ZohoCliq.Users.READ"] }));
await step("the endpoints of the discovery document", () => new OAuth2Client({ server: accounts, clientId: id, discoveryEndpoint: "/.well-known/openid-configuration" }).getEndpoint("tokenEndpoint"));
