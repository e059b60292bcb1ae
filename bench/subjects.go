// What is compared? The engine, yardsticks that do nearly nothing, and what people do
// without an engine: a token in kv, which is built into Vault. Another plugin may be
// put beside them.

package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"vault-plugin-secrets-zoho/bench/constant"
)

// subject is something that answers reads.
type subject struct {
	name  string // of its mount
	about string
	path  string // that is read
	pid   int    // of its plugin process, 0 for what is built into Vault
}

// options are what the command line said.
type options struct {
	vault, engine, yardstick string
	other, setup             string // another plugin and what sets it up
	pgo, plain               string // other builds of this engine
	filler                   string // the plugin that fills its storage
	before                   string // the build that break glass is compared with
	glass                    int    // credentials of that comparison
	subject                  []string
	rounds                   int
	length                   int // of one measurement, in milliseconds
	short                    bool
	out                      string
	only, profiled, render   string
	sizes                    []int
}

const engineName = "engine"

// named returns the subject of a name, which must be among them.
func named(subjects []*subject, name string) *subject {
	return subjects[slices.IndexFunc(subjects, func(sub *subject) bool { return sub.name == name })]
}

// subjects mounts everything that is compared; the floor comes first.
func (o *options) subjects(s *server, z *simulated) ([]*subject, error) {
	made := []*subject{}
	for _, y := range []struct{ name, about string }{
		{"floor", "a plugin that answers a constant before the SDK's framework sees the request"},
		{"framework", "a constant through the SDK's framework"},
		{"storage", "one storage read for each request, through the framework"},
	} {
		if err := s.mount(y.name, o.yardstick, y.name); err != nil {
			return nil, err
		}
		if err := s.ask("POST", y.name+"/creds/app", map[string]any{}, nil); err != nil {
			return nil, err
		}
		made = append(made, &subject{name: y.name, about: y.about, path: y.name + "/creds/app"})
	}
	if err := s.mount(engineName, o.engine); err != nil {
		return nil, err
	}
	if err := z.prepare(s, engineName); err != nil {
		return nil, err
	}
	made = append(made, &subject{name: engineName, about: "this engine, a warm read", path: engineName + "/creds/app"})
	for version, path := range map[string]string{"1": "kv1/app", "2": "kv2/data/app"} {
		mount := "kv" + version
		if err := s.ask("POST", "sys/mounts/"+mount, map[string]any{"type": "kv", "options": map[string]any{"version": version}}, nil); err != nil {
			return nil, err
		}
		body := any(constant.Answer())
		if version == "2" {
			body = map[string]any{"data": body}
		}
		// Version 2 takes a moment until it is ready.
		if err := s.await("ready for kv", func() bool { return s.ask("POST", path, body, nil) == nil }); err != nil {
			return nil, err
		}
	}
	made = append(made,
		&subject{name: "kv1", about: "kv version 1, built into Vault: a token that a job of yours puts there", path: "kv1/app"},
		&subject{name: "kv2", about: "kv version 2, the same", path: "kv2/data/app"},
	)
	if o.other != "" {
		path, err := o.setUpOther(s)
		if err != nil {
			return nil, err
		}
		made = append(made, &subject{name: "other", about: "the plugin that was named", path: path})
	}
	if len(o.subject) > 0 {
		made = slices.DeleteFunc(made, func(sub *subject) bool { return sub.name != "floor" && !slices.Contains(o.subject, sub.name) })
	}
	return made, s.warm(made)
}

// warm reads subjects once, which starts what Vault starts when it is asked.
func (s *server) warm(subjects []*subject) error {
	for _, sub := range subjects {
		if _, err := s.read(sub.path); err != nil {
			return err
		}
		sub.pid = s.pid(sub.name)
	}
	return nil
}

// variants mounts the engine in other builds and with other settings, beside the engine
// itself, which comes first.
func (o *options) variants(s *server, z *simulated, engine *subject) ([]*subject, error) {
	made := []*subject{engine}
	for _, v := range []struct {
		name, binary, about string
		env                 []string
	}{
		{"plain", o.plain, "as the SDK serves it: without `internal/bridge`, and without room for garbage", nil},
		{"pgo", o.pgo, "compiled with a profile of this load (`make profile`)", nil},
		{"one", o.engine, "`GOMAXPROCS=1`: no second processor is woken", []string{"GOMAXPROCS=1"}},
		{"lazy", o.engine, "`GOGC=400`: garbage is collected a fifth as often", []string{"GOGC=400"}},
		{"never", o.engine, "`GOGC=off`: never", []string{"GOGC=off"}},
	} {
		if v.binary == "" {
			continue
		}
		if err := s.mountWith(v.name, v.binary, map[string]any{"env": slices.Concat([]string{}, v.env)}); err != nil {
			return nil, err
		}
		if err := z.prepare(s, v.name); err != nil {
			return nil, err
		}
		made = append(made, &subject{name: v.name, about: v.about, path: v.name + "/creds/app"})
	}
	// What fewer fields would be worth shows a constant of two, beside the one of as many.
	if err := s.mount("small", o.yardstick, "small"); err != nil {
		return nil, err
	}
	made = append(made,
		&subject{name: "floor", about: "the plainest plugin, with a constant of as many fields", path: "floor/creds/app"},
		&subject{name: "small", about: "the same with two fields", path: "small/creds/app"},
	)
	return made, s.warm(made)
}

// prepare makes creds/app of a mount of the engine warm.
func (z *simulated) prepare(s *server, mount string) error {
	if err := z.configure(s, mount); err != nil {
		return err
	}
	return z.connect(s, mount, "app")
}

// setUpOther mounts the other plugin at other/ and lets its script do the rest; the
// script's last line is the path to read.
func (o *options) setUpOther(s *server) (path string, err error) {
	if err := s.mount("other", o.other); err != nil {
		return "", err
	}
	script := exec.Command(o.setup)
	script.Env = append(os.Environ(), "VAULT_ADDR=http://"+s.address, "VAULT_TOKEN="+s.token, "MOUNT=other")
	script.Stderr = os.Stderr
	output, err := script.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", o.setup, err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.TrimSpace(lines[len(lines)-1]), nil
}
