module github.com/duosecurity/duo_api_golang

go 1.26
