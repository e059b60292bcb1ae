# deb: ruby-oauth2=1.4.4-1+deb12u1 ruby3.1
require "oauth2"
require "sim"

[:request_body, :basic_auth].each do |scheme|
  client = OAuth2::Client.new(ID, SECRET, site: ACCOUNTS, authorize_url: "/oauth/v2/auth", token_url: "/oauth/v2/token", auth_scheme: scheme)
  url = client.auth_code.authorize_url(redirect_uri: REDIRECT, scope: "ZohoCRM.users.READ", **OFFLINE)
  token = step("code (#{scheme})") { client.auth_code.get_token(consent(url), redirect_uri: REDIRECT) }
  step("API (#{scheme})") { token.get(USER) }
  step("refresh (#{scheme})") { token = token.refresh! }
  step("API after refresh (#{scheme})") { token.get(USER) }
end
