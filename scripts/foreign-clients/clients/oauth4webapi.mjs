// npm: oauth4webapi@3.8.8
import * as oauth from "oauth4webapi";
import { accounts, auth, consent, device, id, offline, read, redirect, secret, self, step } from "../sim.mjs";

const client = { client_id: id }, post = oauth.ClientSecretPost(secret), issuer = new URL(accounts);
const as = await step("discovery", async () => oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer)));
const verifier = oauth.generateRandomCodeVerifier(), nonce = oauth.generateRandomNonce();
const tokens = await step("code with PKCE and nonce", async () => {
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({ client_id: id, redirect_uri: redirect, response_type: "code", scope: "openid email ZohoCRM.users.READ", nonce, ...offline,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" });
  const params = oauth.validateAuthResponse(as, client, consent(url));
  const answer = await oauth.authorizationCodeGrantRequest(as, client, post, params, redirect, verifier);
  const result = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, answer);
  return result;
});
await step("API", () => read(tokens.access_token));
await step("refresh", async () => oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, post, tokens.refresh_token)));
await step("revocation", async () => oauth.processRevocationResponse(await oauth.revocationRequest(as, client, post, tokens.refresh_token)));
await step("client credentials", async () => {
  const mine = { client_id: self.id };
  await oauth.processClientCredentialsResponse(as, mine, await oauth.clientCredentialsGrantRequest(as, mine, oauth.ClientSecretPost(self.secret), { scope: "ZohoCliq.Users.READ" }));
});
await step("device flow", async () => {
  const mine = { client_id: device.id }, at = { ...as, device_authorization_endpoint: accounts + "/oauth/v3/device/code", token_endpoint: accounts + "/oauth/v3/device/token" };
  await oauth.processDeviceAuthorizationResponse(at, mine, await oauth.deviceAuthorizationRequest(at, mine, oauth.None(), { scope: "ZohoCRM.users.READ" }));
});
