// Helpers for clients in Go: the addresses of zoho-sim, the browser, and steps that print "ok" or "no".

//go:build ignore

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

var (
	id, secret, redirect, accounts = os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"), os.Getenv("REDIRECT"), os.Getenv("ACCOUNTS")
	deviceID, deviceSecret         = os.Getenv("DEVICE_ID"), os.Getenv("DEVICE_SECRET")
	selfID, selfSecret             = os.Getenv("SELF_ID"), os.Getenv("SELF_SECRET")
	auth, token                    = accounts + "/oauth/v2/auth", accounts + "/oauth/v2/token"
	user                           = os.Getenv("API") + "/crm/v8/users?type=CurrentUser"
)

// browse is where the browser of a person who accepts lands.
func browse(address string) (string, error) {
	out, err := exec.Command("consent", address).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", errors.New(string(failed.Stderr))
	}
	return strings.TrimSpace(string(out)), err
}

// consent is what the browser lands with.
func consent(address string) url.Values {
	landed, err := browse(address)
	if err != nil {
		fmt.Println("no consent:", err)
	}
	u, err := url.Parse(landed)
	if err != nil {
		panic(err)
	}
	return u.Query()
}

// step runs one flow. After a failure the next steps run all the same.
func step(name string, run func() error) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Println("no "+name+":", r)
		}
	}()
	if err := run(); err != nil {
		fmt.Printf("no %s: %.300s\n", name, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	fmt.Println("ok", name)
}

// must is err, or what is wrong.
func must(err error, yes bool, what string) error {
	if err == nil && !yes {
		return errors.New(what)
	}
	return err
}

// read calls an API with a client that adds the access token.
func read(client *http.Client) error {
	answer, err := client.Get(user)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return must(nil, answer.StatusCode == 200, "API: "+answer.Status)
}
