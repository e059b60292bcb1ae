module github.com/circonus-labs/circonus-gometrics

go 1.26
