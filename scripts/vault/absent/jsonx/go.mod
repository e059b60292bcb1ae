module github.com/jefferai/jsonx

go 1.26
