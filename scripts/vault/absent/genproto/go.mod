// Nothing: Go looks into this module too, for packages that are elsewhere.
module google.golang.org/genproto

go 1.26
