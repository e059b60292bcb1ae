// Package gzhttp stands for the compression of Vault's web pages, which this
// build has none of.
package gzhttp

import "net/http"

// GzipHandler answers uncompressed.
func GzipHandler(h http.Handler) http.HandlerFunc { return h.ServeHTTP }
