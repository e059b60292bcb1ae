// npm: openid-client@6.8.9
import * as oidc from "openid-client";
import { accounts, consent, id, must, offline, read, redirect, secret, step, user } from "../sim.mjs";

const config = await step("discovery", () => oidc.discovery(new URL(accounts), id, undefined, oidc.ClientSecretPost(secret)));
const verifier = oidc.randomPKCECodeVerifier(), state = oidc.randomState(), nonce = oidc.randomNonce();
const tokens = await step("code with PKCE, state and nonce", async () => oidc.authorizationCodeGrant(config, consent(oidc.buildAuthorizationUrl(config, {
  redirect_uri: redirect, scope: "openid email profile ZohoCRM.users.READ", state, nonce, ...offline,
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
})), { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }));
await step("API", () => read(tokens.access_token, user));
await step("userinfo", () => oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub));
const fresh = await step("refresh", () => oidc.refreshTokenGrant(config, tokens.refresh_token));
await step("API after refresh", () => read(fresh.access_token));
await step("revocation", () => oidc.tokenRevocation(config, tokens.refresh_token));
await step("end: a refresh fails", async () => must(await oidc.refreshTokenGrant(config, tokens.refresh_token).then(() => false, () => true), "it succeeded"));
