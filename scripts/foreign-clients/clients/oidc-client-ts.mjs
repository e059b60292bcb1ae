// npm: oidc-client-ts@3.5.0
import { InMemoryWebStorage, OidcClient, WebStorageStateStore } from "oidc-client-ts";
import { accounts, consent, id, offline, read, redirect, secret, step } from "../sim.mjs";

const client = new OidcClient({ authority: accounts, client_id: id, client_secret: secret, redirect_uri: redirect, scope: "openid email profile ZohoCRM.users.READ", loadUserInfo: true, extraQueryParams: offline,
  client_authentication: "client_secret_post", stateStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }) });
const got = await step("discovery, code with PKCE and state, userinfo", async () => client.processSigninResponse(String(consent((await client.createSigninRequest({})).url))));
await step("API", () => read(got.access_token));
await step("refresh", () => client.useRefreshToken({ state: { refresh_token: got.refresh_token, session_state: null, scope: got.scope, profile: got.profile, id_token: got.id_token, data: undefined } }));
