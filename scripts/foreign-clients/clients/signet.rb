# deb: ruby-signet=0.17.0-1 ruby3.1
require "signet/oauth_2/client"
require "sim"

client = Signet::OAuth2::Client.new(authorization_uri: AUTH, token_credential_uri: TOKEN, client_id: ID, client_secret: SECRET, redirect_uri: REDIRECT, scope: "ZohoCRM.users.READ", additional_parameters: OFFLINE)
client.code = step("consent") { consent(client.authorization_uri) }
step("code") { client.fetch_access_token! }
step("API") { client.fetch_protected_resource(uri: USER).status == 200 or raise "API" }
step("refresh") { client.refresh! }
step("API after refresh") { client.fetch_protected_resource(uri: USER).status == 200 or raise "API" }
