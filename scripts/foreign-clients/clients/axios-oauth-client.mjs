// npm: axios-oauth-client@2.2.0 axios@1.7.9
import axios from "axios";
import * as oauth from "axios-oauth-client";
import { auth, consent, id, must, offline, read, redirect, secret, self, step, token } from "../sim.mjs";

const call = (grant, ...args) => grant(axios.create(), token, ...args);
const url = auth + "?" + new URLSearchParams({ client_id: id, redirect_uri: redirect, response_type: "code", scope: "ZohoCRM.users.READ", ...offline });
const tokens = await step("code", () => call(oauth.authorizationCode, id, secret, redirect)(consent(url).searchParams.get("code")));
await step("API", () => read(tokens.access_token));
await step("refresh", async () => must((await call(oauth.refreshToken, id, secret)(tokens.refresh_token)).access_token, "no token"));
await step("client credentials", async () => must((await call(oauth.clientCredentials, self.id, self.secret)("ZohoCliq.Users.READ")).access_token, "no token"));
