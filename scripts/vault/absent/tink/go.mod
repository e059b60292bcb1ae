module github.com/tink-crypto/tink-go/v2

go 1.26
