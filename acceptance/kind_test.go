// Which server do the stories run on? What differs between Vault and OpenBao is here,
// and nowhere else in Go; a script asks with [vault] or [openbao].

package acceptance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

type kind struct {
	name    string
	command string // its binary's name
	finder  string // the script that prints the path of its binary, or says how to get one
	config  string // what its configuration needs, and the other one's does not know
}

var (
	vaultKind = kind{name: "vault", command: "vault", finder: "vault-bin", config: "disable_mlock = true"}
	// OpenBao has audit devices declared in its configuration; the stories enable theirs as Vault's operators do.
	openBaoKind = kind{name: "openbao", command: "bao", finder: "bao-bin", config: "unsafe_allow_api_audit_creation = true"}
)

// binary is the path of a server of this kind. Vault is built where there is none;
// OpenBao cannot be, so its stories are skipped.
func (k kind) binary(t *testing.T, root string) string {
	t.Helper()
	find := exec.Command(filepath.Join(root, "scripts", k.finder))
	find.Stderr = os.Stderr // the progress of a first build, or how to get one
	path, err := find.Output()
	switch {
	case err == nil:
	case k == openBaoKind && os.Getenv("BAO_BIN") == "":
		t.Skip("NOT RUN: no OpenBao on this machine; BAO_BIN names one")
	default:
		t.Fatalf("finding a server: scripts/%s: %v", k.finder, err)
	}
	binary := string(bytes.TrimSpace(path))
	version, err := exec.Command(binary, "version").Output()
	if err != nil {
		t.Fatalf("%s version: %v", binary, err)
	}
	t.Logf("on %s", bytes.TrimSpace(version))
	if isBao := strings.HasPrefix(string(version), "OpenBao"); isBao != (k == openBaoKind) {
		t.Fatalf("%s is not %s: %s", binary, k.name, version)
	}
	return binary
}
