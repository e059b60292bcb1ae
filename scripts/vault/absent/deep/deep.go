// Package deep stands for a comparison that only Vault's own tests use.
package deep

// Equal says that nothing was compared.
func Equal(any, any, ...any) []string {
	return []string{"this test build of Vault does not test Vault itself"}
}
