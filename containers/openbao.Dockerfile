# OpenBao's own image with the plugin in /openbao/plugins, for who runs OpenBao in Kubernetes. Its
# configuration must say plugin_directory = "/openbao/plugins"; then "register -server=openbao
# -dir=/openbao/plugins" (or -server=declared) has the rest. Without an image of your own: -server=oci.
#
#   docker build -f containers/openbao.Dockerfile --build-arg PLUGIN_VERSION=1.2.3 -t registry.example/openbao-zoho dist/image
ARG OPENBAO=openbao/openbao:2.6.2
FROM ${OPENBAO}
ARG TARGETARCH
ARG PLUGIN_VERSION
COPY --chmod=0755 ${TARGETARCH}/vault-plugin-secrets-zoho /openbao/plugins/vault-plugin-secrets-zoho-${PLUGIN_VERSION}
COPY --chmod=0644 ${TARGETARCH}/LICENSE ${TARGETARCH}/THIRD_PARTY_LICENSES /licenses/vault-plugin-secrets-zoho/
