// npm: google-auth-library@10.9.1
import { OAuth2Client } from "google-auth-library";
import { auth, consent, id, must, redirect, revoke, secret, step, token, user } from "../sim.mjs";

const client = new OAuth2Client({ clientId: id, clientSecret: secret, redirectUri: redirect, endpoints: { oauth2AuthBaseUrl: auth, oauth2TokenUrl: token, oauth2RevokeUrl: revoke } });
const { codeVerifier, codeChallenge } = await client.generateCodeVerifierAsync();
await step("code with PKCE", async () => {
  const url = client.generateAuthUrl({ access_type: "offline", prompt: "consent", scope: ["ZohoCRM.users.READ"], code_challenge: codeChallenge, code_challenge_method: "S256" });
  const { tokens } = await client.getToken({ code: consent(url).searchParams.get("code"), codeVerifier });
  must(tokens.refresh_token, "no refresh token");
  client.setCredentials(tokens);
});
await step("API", () => client.request({ url: user }));
await step("refresh", () => client.refreshAccessToken());
await step("API after refresh", () => client.request({ url: user }));
await step("revocation", () => client.revokeToken(client.credentials.refresh_token));
