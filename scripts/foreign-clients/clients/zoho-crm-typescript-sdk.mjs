// npm: @zohocrm/typescript-sdk-8.0@3.0.0
import { require } from "../sim.mjs";
import { run } from "./zoho-crm-node-sdk.mjs";

const sdk = require("@zohocrm/typescript-sdk-8.0");
await run(sdk, async (environment, token, store) => (await new sdk.InitializeBuilder()).environment(environment).token(token).store(store).initialize());
