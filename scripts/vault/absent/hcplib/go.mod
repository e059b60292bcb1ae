module github.com/hashicorp/vault-hcp-lib

go 1.26
