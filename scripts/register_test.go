// register_test.go: the versions and images that an operator may type for register, each read
// as it is meant or refused with what to type.

package scripts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// binary stands for a release: it answers -version.
func binary(t *testing.T, version string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vault-plugin-secrets-zoho")
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho "+version+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// register runs the script. What it prints must be a program of a shell.
func register(t *testing.T, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("sh", append([]string{"./register"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err == nil {
		check := exec.Command("sh", "-n")
		check.Stdin = bytes.NewReader(out.Bytes())
		if said, err := check.CombinedOutput(); err != nil {
			t.Errorf("%q prints what no shell reads: %v\n%s%s", args, err, said, &out)
		}
	}
	return out.String(), errs.String(), err == nil
}

// refused checks that nothing is printed to be typed, and what is said.
func refused(t *testing.T, says string, args ...string) {
	t.Helper()
	stdout, stderr, ok := register(t, args...)
	if ok || stdout != "" || !strings.Contains(stderr, says) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("%q: ok is %v; it does not say %q, but\n%s%s", args, ok, says, stdout, stderr)
	}
}

func TestEachFormOfAVersionIsUnderstoodOrRefused(t *testing.T) {
	for typed, want := range map[string]string{
		"v0.1.0": "v0.1.0", "0.1.0": "v0.1.0", "V0.1.0": "v0.1.0", "v1.22.333": "v1.22.333",
		"0.2.0-rc.1": "v0.2.0-rc.1", "v0.2.0-rc.1": "v0.2.0-rc.1", "v0.2.0+build.7": "v0.2.0+build.7", "0.2.0-rc.1+b": "v0.2.0-rc.1+b", "v0.0.0-dev": "v0.0.0-dev",
	} {
		for _, flag := range []string{"-to=", "--to="} {
			stdout, stderr, ok := register(t, flag+typed)
			if !ok || !strings.HasPrefix(stdout, "vault secrets tune -plugin-version="+want+" zoho\n") || !strings.Contains(stdout, "must both be "+want+":") {
				t.Errorf("%s%s: %s%s", flag, typed, stdout, stderr)
			}
		}
		file := binary(t, "unused")
		stdout, stderr, ok := register(t, "-version="+typed, file)
		if !ok || !strings.Contains(stdout, " -version="+want+" -command=vault-plugin-secrets-zoho-"+want[1:]+" ") || !strings.Contains(stdout, "-plugin-version="+want+" ") {
			t.Errorf("-version=%s: %s%s", typed, stdout, stderr)
		}
		if stdout, stderr, ok := register(t, binary(t, typed)); !ok || !strings.Contains(stdout, " -version="+want+" ") {
			t.Errorf("a binary of %s: %s%s", typed, stdout, stderr)
		}
	}
	for _, typed := range []string{"0.1", "v0", "1", "v", "latest", "v0.1.0.0", "v.1.0", "v0..1", "v0.1.", "v0.1.x", "vv0.1.0", "0.1.0-", "0.1.0+", "v0.1.0/x", "v0.1.0:x", "vault-plugin-secrets-zoho-0.1.0"} {
		refused(t, "write it as v0.1.0", "-to="+typed)
		refused(t, "write it as v0.1.0", "-version="+typed, binary(t, "unused"))
	}
	refused(t, "-to is empty", "-to=")
	refused(t, "-version is empty", "-version=", binary(t, "v0.1.0"))
	refused(t, "write -to=VALUE", "-to", "v0.1.0")
	refused(t, "leave -version out", "-to=v0.1.0", "-version=v0.1.0")
	refused(t, `"hello" is not a version`, binary(t, "hello"))
}

func TestEachFormOfAnImageGetsOneTag(t *testing.T) {
	for typed, name := range map[string]string{
		"zoho":                             "zoho",
		"team/zoho":                        "team/zoho",
		"registry.example/zoho":            "registry.example/zoho",
		"registry.example:5000/zoho":       "registry.example:5000/zoho",
		"localhost:5000/a/b_c/zoho-1":      "localhost:5000/a/b_c/zoho-1",
		"zoho:0.1.0":                       "zoho",
		"zoho:v0.1.0":                      "zoho",
		"registry.example/zoho:0.1.0":      "registry.example/zoho",
		"registry.example:5000/zoho:0.1.0": "registry.example:5000/zoho",
		"127.0.0.1:5000/zoho:v0.1.0":       "127.0.0.1:5000/zoho",
	} {
		stdout, stderr, ok := register(t, "-server=container", "-image="+typed, binary(t, "v0.1.0"))
		if !ok || !strings.Contains(stdout, "docker pull "+name+":0.1.0\n") || !strings.Contains(stdout, "'{{slice .Id 7}}' "+name+":0.1.0)") || !strings.Contains(stdout, " -oci_image="+name+" -version=v0.1.0 ") {
			t.Errorf("%s: %s%s", typed, stdout, stderr)
		}
		stdout, stderr, ok = register(t, "-server=oci", "-image="+typed, binary(t, "v0.1.0"))
		if !ok || !strings.Contains(stdout, `image       = "`+name+`"`) {
			t.Errorf("%s: %s%s", typed, stdout, stderr)
		}
	}
	// An image by its digest gets the tag that Vault looks for.
	for _, typed := range []string{"registry.example:5000/zoho@" + digest, "registry.example:5000/zoho:0.1.0@" + digest} {
		stdout, stderr, ok := register(t, "-server=container", "-image="+typed, binary(t, "v0.1.0"))
		const name = "registry.example:5000/zoho"
		if !ok || !strings.Contains(stdout, "docker pull "+name+"@"+digest+"\ndocker tag "+name+"@"+digest+" "+name+":0.1.0\n") || !strings.Contains(stdout, " -oci_image="+name+" ") {
			t.Errorf("%s: %s%s", typed, stdout, stderr)
		}
		refused(t, "takes no digest", "-server=oci", "-image="+typed, binary(t, "v0.1.0"))
	}
	for typed, says := range map[string]string{
		"registry.example:5000/zoho:latest": "docker tag registry.example:5000/zoho:latest registry.example:5000/zoho:0.1.0",
		"zoho:0.2.0":                        "is not the version v0.1.0",
		"localhost:5000":                    "HOST:PORT/NAME",
		"https://registry.example/zoho":     "without https://",
		"registry.example/zoho/":            "is not an image",
		"registry.example//zoho":            "is not an image",
		"/zoho":                             "is not an image",
		"zoho:":                             "is not an image",
		":0.1.0":                            "is not an image",
		"registry.example/Zoho":             "lower case",
		"Zoho":                              "lower case",
		"zoho@sha256:abc":                   "is not a digest",
		"zoho@":                             "is not a digest",
		"zoho@" + strings.ToUpper(digest):   "is not a digest",
		"zoho@" + digest + "@" + digest:     "is not a digest",
		"registry.example/zoho;reboot":      "a character that a shell may take for more",
		"registry.example/zoho +x":          "a character that a shell may take for more",
		"registry.example/zoho+x":           "is not an image",
	} {
		refused(t, says, "-server=container", "-image="+typed, binary(t, "v0.1.0"))
	}
	refused(t, "-image is empty", "-server=container", "-image=", binary(t, "v0.1.0"))
	refused(t, "needs -image=IMAGE", "-server=container", binary(t, "v0.1.0"))
	refused(t, "-image goes with -server=container and -server=oci", "-image=zoho", binary(t, "v0.1.0"))
	refused(t, "cannot hold the +", "-server=container", "-image=zoho", binary(t, "v0.1.0+b"))
}

func TestMountsAndFoldersMayEndInASlash(t *testing.T) {
	for _, typed := range []string{"team/zoho", "team/zoho/", "/team/zoho/"} {
		stdout, stderr, ok := register(t, "-mount="+typed, "-dir=/plugins/", binary(t, "v0.1.0"))
		if !ok || !strings.Contains(stdout, " -path=team/zoho ") || !strings.Contains(stdout, " /plugins/vault-plugin-secrets-zoho-0.1.0\n") {
			t.Errorf("%s: %s%s", typed, stdout, stderr)
		}
	}
	refused(t, "-mount is empty", "-mount=/", binary(t, "v0.1.0"))
	refused(t, "unknown flag", "-upgrad", binary(t, "v0.1.0"))
	refused(t, "there is no file", "/no/such/file")
}
