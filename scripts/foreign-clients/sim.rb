# Helpers for clients in Ruby: the addresses of zoho-sim, the browser, and steps that print "ok" or "no".
require "open3"
require "uri"

ID, SECRET, REDIRECT, ACCOUNTS = ENV.values_at("CLIENT_ID", "CLIENT_SECRET", "REDIRECT", "ACCOUNTS")
AUTH, TOKEN, REVOKE = "#{ACCOUNTS}/oauth/v2/auth", "#{ACCOUNTS}/oauth/v2/token", "#{ACCOUNTS}/oauth/v2/token/revoke"
USER = "#{ENV["API"]}/crm/v8/users?type=CurrentUser"
OFFLINE = { access_type: "offline", prompt: "consent" }.freeze

# consent is the code that the browser of a person who accepts lands with.
def consent(url)
  out, err, status = Open3.capture3({ "LD_LIBRARY_PATH" => nil }, "consent", url.to_s)
  raise err unless status.success?
  URI.decode_www_form(URI(out.strip).query).to_h.fetch("code")
end

# step runs one flow. After a failure the next steps run all the same.
def step(name)
  result = yield
  puts "ok #{name}"
  result
rescue StandardError => e
  puts "no #{name}: #{e.class} #{e.message}".gsub(/\s+/, " ")[0, 300]
end
