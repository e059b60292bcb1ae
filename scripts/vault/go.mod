module vault-plugin-secrets-zoho/scripts/vault

go 1.26

require github.com/hashicorp/vault v1.21.0

// What no test needs; see absent/README.md.
replace (
	cloud.google.com/go => ./absent/googlecloud
	cloud.google.com/go/cloudsqlconn => ./absent/cloudsqlconn
	cloud.google.com/go/monitoring => ./absent/monitoring
	github.com/Azure/azure-sdk-for-go => ./absent/azuresdk
	github.com/Azure/azure-sdk-for-go/sdk/azcore => ./absent/azcore
	github.com/Azure/azure-sdk-for-go/sdk/azidentity => ./absent/azidentity
	github.com/DataDog/datadog-go => ./absent/datadog
	github.com/Masterminds/sprig/v3 => ./absent/sprig
	github.com/ProtonMail/go-crypto => ./absent/gocrypto
	github.com/ProtonMail/gopenpgp/v3 => ./absent/gopenpgp
	github.com/aliyun/alibaba-cloud-sdk-go => ./absent/alicloud
	github.com/aws/aws-sdk-go => ./absent/aws
	github.com/circonus-labs/circonus-gometrics => ./absent/circonus
	github.com/duosecurity/duo_api_golang => ./absent/duo
	github.com/go-sql-driver/mysql => ./absent/mysql
	github.com/go-test/deep => ./absent/deep
	github.com/google/go-metrics-stackdriver => ./absent/stackdriver
	github.com/hashicorp/go-discover => ./absent/discover
	github.com/hashicorp/go-gcp-common => ./absent/gcpcommon
	github.com/hashicorp/go-kms-wrapping/wrappers/alicloudkms/v2 => ./absent/alicloudkms
	github.com/hashicorp/go-kms-wrapping/wrappers/awskms/v2 => ./absent/awskms
	github.com/hashicorp/go-kms-wrapping/wrappers/azurekeyvault/v2 => ./absent/azurekeyvault
	github.com/hashicorp/go-kms-wrapping/wrappers/gcpckms/v2 => ./absent/gcpckms
	github.com/hashicorp/go-kms-wrapping/wrappers/ocikms/v2 => ./absent/ocikms
	github.com/hashicorp/go-secure-stdlib/awsutil => ./absent/awsutil
	github.com/hashicorp/go-secure-stdlib/plugincontainer => ./absent/plugincontainer
	github.com/hashicorp/hcl/v2 => ./absent/hcl
	github.com/hashicorp/hcp-link => ./absent/hcplink
	github.com/hashicorp/hcp-scada-provider => ./absent/scada
	github.com/hashicorp/hcp-sdk-go => ./absent/hcpsdk
	github.com/hashicorp/nomad/api => ./absent/nomad
	github.com/hashicorp/vault-hcp-lib => ./absent/hcplib
	github.com/hashicorp/vault-plugin-auth-alicloud => ./absent/authalicloud
	github.com/hashicorp/vault-plugin-auth-cf => ./absent/authcf
	github.com/hashicorp/vault-plugin-auth-jwt => ./absent/authjwt
	github.com/hashicorp/vault-plugin-auth-kerberos => ./absent/authkerberos
	github.com/jackc/pgconn => ./absent/pgconn
	github.com/jackc/pgx/v4 => ./absent/pgx
	github.com/jcmturner/gokrb5/v8 => ./absent/gokrb5
	github.com/jefferai/jsonx => ./absent/jsonx
	github.com/klauspost/compress => ./absent/compress
	github.com/okta/okta-sdk-golang/v5 => ./absent/okta
	github.com/oracle/oci-go-sdk => ./absent/oci
	github.com/pierrec/lz4 => ./absent/lz4
	github.com/pquerna/otp => ./absent/otp
	github.com/stretchr/testify => ./absent/testify
	github.com/tink-crypto/tink-go/v2 => ./absent/tink
	go.opentelemetry.io/otel => ./absent/otel
	go.opentelemetry.io/otel/sdk => ./absent/otelsdk
	go.opentelemetry.io/otel/trace => ./absent/oteltrace
	google.golang.org/api => ./absent/googleapi
	google.golang.org/genproto => ./absent/genproto
)
