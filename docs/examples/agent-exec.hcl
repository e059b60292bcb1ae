# Vault Agent runs an app that takes its token from the environment, and starts it again
# with each new one:
#   VAULT_ADDR=https://... vault agent -config=agent-exec.hcl
# An app that is to live on reads a file instead (agent.hcl).
auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "role-id"
      secret_id_file_path = "secret-id"
    }
  }
}

env_template "ZOHO_TOKEN" {
  contents = "{{ with secret \"zoho/creds/crm\" }}{{ .Data.access_token }}{{ end }}"
}
env_template "ZOHO_API_DOMAIN" {
  contents = "{{ with secret \"zoho/creds/crm\" }}{{ .Data.api_domain }}{{ end }}"
}

exec {
  command                   = ["sh", "app.sh"]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
