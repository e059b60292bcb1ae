module github.com/go-test/deep

go 1.26
