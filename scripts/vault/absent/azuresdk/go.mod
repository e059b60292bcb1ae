// Nothing: Go looks into this module too, for packages that are elsewhere.
module github.com/Azure/azure-sdk-for-go

go 1.26
