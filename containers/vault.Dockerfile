# Vault's own image with the plugin in /vault/plugins, for who runs Vault in Kubernetes. vault.hcl
# must say plugin_directory = "/vault/plugins"; then "register -dir=/vault/plugins" has the commands.
#
#   docker build -f containers/vault.Dockerfile --build-arg PLUGIN_VERSION=1.2.3 -t registry.example/vault-zoho dist/image
ARG VAULT=hashicorp/vault:1.21
FROM ${VAULT}
ARG TARGETARCH
ARG PLUGIN_VERSION
# The version in its name: an image with two releases in it can be rolled back by Vault alone.
COPY --chmod=0755 ${TARGETARCH}/vault-plugin-secrets-zoho /vault/plugins/vault-plugin-secrets-zoho-${PLUGIN_VERSION}
COPY --chmod=0644 ${TARGETARCH}/LICENSE ${TARGETARCH}/THIRD_PARTY_LICENSES /licenses/vault-plugin-secrets-zoho/
