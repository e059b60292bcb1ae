// npm: @panoptic-it-solutions/zoho-projects-client@0.4.22
// It has no consent of its own, and its API is not simulated: the token manager alone runs.
import { accounts, auth, consent, id, must, offline, read, redirect, secret, step, token } from "../sim.mjs";
const { TokenManager } = await import(new URL("auth/token-manager.js", import.meta.resolve("@panoptic-it-solutions/zoho-projects-client")));

const url = auth + "?" + new URLSearchParams({ client_id: id, redirect_uri: redirect, response_type: "code", scope: "ZohoCRM.users.READ", ...offline });
const grant = await (await fetch(token, { method: "POST", body: new URLSearchParams({ client_id: id, client_secret: secret, redirect_uri: redirect, grant_type: "authorization_code", code: consent(url).searchParams.get("code") }) })).json();
const manager = new TokenManager({ clientId: id, clientSecret: secret, refreshToken: grant.refresh_token, accountsUrl: accounts });
await step("refresh, once for ten callers", async () => must(new Set(await Promise.all(Array.from({ length: 10 }, () => manager.getValidToken()))).size === 1, "several tokens"));
await step("API", async () => read(await manager.getValidToken()));
