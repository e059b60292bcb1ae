# deb: ruby-openid-connect=1.2.0-2 ruby-rack-oauth2=1.21.3-1 ruby3.1
require "openid_connect"
require "sim"

found = step("discovery") { OpenIDConnect::Discovery::Provider::Config.discover!(ACCOUNTS) }
client = OpenIDConnect::Client.new(identifier: ID, secret: SECRET, redirect_uri: REDIRECT, host: URI(ACCOUNTS).host, port: URI(ACCOUNTS).port,
                                   authorization_endpoint: AUTH, token_endpoint: TOKEN, userinfo_endpoint: "#{ACCOUNTS}/oauth/v2/userinfo", revocation_endpoint: REVOKE)
token = step("code with nonce") do
  client.authorization_code = consent(client.authorization_uri(scope: %w[openid email ZohoCRM.users.READ], nonce: "n1", state: "s1", **OFFLINE))
  client.access_token!(:body)
end
step("ID token") { OpenIDConnect::ResponseObject::IdToken.decode(token.id_token, found.jwks).verify!(issuer: ACCOUNTS, client_id: ID, nonce: "n1") }
step("userinfo") { token.userinfo!.sub or raise "no sub" }
step("API") { token.get(USER).status == 200 or raise "API" }
step("refresh") do
  client.refresh_token = token.refresh_token
  client.access_token!(:body)
end
step("revocation") { client.revoke!(refresh_token: token.refresh_token) }
