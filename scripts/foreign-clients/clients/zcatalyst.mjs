// npm: zcatalyst-sdk-node@3.4.0
// It has no consent of its own: the refresh token is one that another client got.
process.env.X_ZOHO_CATALYST_ACCOUNTS_URL = process.env.ACCOUNTS;
const { auth, consent, id, offline, read, redirect, require, secret, step, token } = await import("../sim.mjs");
const catalyst = require("zcatalyst-sdk-node");

const url = auth + "?" + new URLSearchParams({ client_id: id, redirect_uri: redirect, response_type: "code", scope: "ZohoCRM.users.READ,ZohoCatalyst.projects.READ", ...offline });
const grant = await (await fetch(token, { method: "POST", body: new URLSearchParams({ client_id: id, client_secret: secret, redirect_uri: redirect, grant_type: "authorization_code", code: consent(url).searchParams.get("code") }) })).json();
const credential = catalyst.credential.refreshToken({ client_id: id, client_secret: secret, refresh_token: grant.refresh_token });
const fresh = await step("refresh", () => credential.getToken());
await step("cached token", async () => { if ((await credential.getToken()).access_token !== fresh.access_token) throw new Error("another one"); });
await step("API", () => read(fresh.access_token));
