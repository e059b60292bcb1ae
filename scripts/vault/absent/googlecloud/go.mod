// Nothing: Go looks into this module too, for packages that are elsewhere.
module cloud.google.com/go

go 1.26
