# Vault Agent keeps files fresh for an app that knows nothing of Vault:
#   VAULT_ADDR=https://... vault agent -config=agent.hcl
auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "role-id"
      secret_id_file_path = "secret-id"
    }
  }
}

# Both come from one read. Render no ttl: it changes with each.
template {
  contents    = "{{ with secret \"zoho/creds/crm\" }}{{ .Data.access_token }}{{ end }}"
  destination = "token"
  perms       = "0600"
}
template {
  contents    = "{{ with secret \"zoho/creds/crm\" }}{{ .Data.api_domain }}{{ end }}"
  destination = "api-domain"
}
