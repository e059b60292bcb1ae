module github.com/DataDog/datadog-go

go 1.26
