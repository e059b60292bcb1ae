module github.com/hashicorp/vault-plugin-auth-cf

go 1.26
