# consul-template keeps a file fresh, as Vault Agent does, for those who log in themselves:
#   VAULT_ADDR=https://... VAULT_TOKEN=... consul-template -config=consul-template.hcl
vault {
  renew_token = false
}

# A parameter stands behind a ?. As a second argument of secret it would make a write.
template {
  contents    = "{{ with secret \"zoho/creds/crm?max_age=10s\" }}{{ .Data.access_token }}{{ end }}"
  destination = "token"
  perms       = "0600"
}
