// Does the harness work? All of it once, so shortly that its figures mean nothing: none
// is judged.

package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchMeasuresEachPartAndWritesAPage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	find := exec.Command(filepath.Join(root, "scripts", "vault-bin"))
	find.Stderr = os.Stderr
	vault, err := find.Output()
	if err != nil {
		t.Fatalf("finding a Vault binary: %v", err)
	}
	bin, out := t.TempDir(), t.TempDir()
	built := func(what string) string {
		path := filepath.Join(bin, filepath.Base(what))
		if err := goBuild(root, "-o", path, what); err != nil {
			t.Fatal(err)
		}
		return path
	}
	setup := filepath.Join(bin, "setup")
	if err := os.WriteFile(setup, []byte("#!/bin/sh\necho $MOUNT/creds/app\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	yardstick := built("./bench/yardstick")
	bench := exec.Command(built("./bench"), "-short", "-vault", strings.TrimSpace(string(vault)), "-engine", built("./cmd/"+pluginName),
		"-yardstick", yardstick, "-fill", built("./bench/fill"), "-plugin", yardstick, "-setup", setup, "-out", out)
	if output, err := bench.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	text, err := os.ReadFile(filepath.Join(out, "performance.json"))
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Comparison, Variants struct{ Figures []struct{ Subject string } }
		Fresh                struct{ RaftWrites float64 }
		Storms               []struct {
			About               string
			Calls, AtOnce       int
			Failed, Connections int
		}
		Sizes   []struct{ Credentials, Revoked int }
		Starts  []struct{}
		Retired struct{ Waiting int }
	}
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	if n := len(found.Comparison.Figures); n != 7 {
		t.Errorf("%d subjects are compared: %v", n, found.Comparison.Figures)
	}
	if n := len(found.Variants.Figures); n < 5 {
		t.Errorf("%d variants are compared: %v", n, found.Variants.Figures)
	}
	if found.Retired.Waiting == 0 {
		t.Error("no grants were retired")
	}
	for _, size := range found.Sizes {
		if size.Revoked < size.Credentials {
			t.Errorf("break glass reached %d of %d credentials", size.Revoked, size.Credentials)
		}
	}
	if found.Fresh.RaftWrites > 2.5 {
		t.Errorf("a fresh read makes %.2f writes; a place and a token are two", found.Fresh.RaftWrites)
	}
	if len(found.Storms) != 4 || len(found.Sizes) == 0 || len(found.Starts) != 2 {
		t.Fatalf("parts are missing: %s", text)
	}
	for _, storm := range found.Storms[:3] {
		if storm.Calls != 1 {
			t.Errorf("%s: %d calls to Zoho", storm.About, storm.Calls)
		}
	}
	if crowd := found.Storms[3]; crowd.Failed > 0 || crowd.AtOnce > 128 || crowd.Connections > 128 {
		t.Errorf("%s: %+v", crowd.About, crowd)
	}
	page, err := os.ReadFile(filepath.Join(out, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"# Performance", "## A warm read", "## A fresh read", "## Storms", "## Size", "## Start", "`other`"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page has no %q", part)
		}
	}
}
