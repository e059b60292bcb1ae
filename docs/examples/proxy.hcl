# Vault Proxy logs in for apps on this machine, which ask it as they would ask Vault:
#   VAULT_ADDR=https://... vault proxy -config=proxy.hcl
# It keeps no answer of this engine, with a cache block or without, and needs not to: the
# engine itself hands out one token for max_age.
auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "role-id"
      secret_id_file_path = "secret-id"
    }
  }
}

api_proxy {
  use_auto_auth_token = true
}

cache {}

listener "tcp" {
  address     = "127.0.0.1:8100"
  tls_disable = true
}
