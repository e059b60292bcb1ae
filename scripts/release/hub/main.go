// Command hub serves the part of GitHub's REST API that goreleaser needs to create a draft of a
// release. It is for scripts/release/check: what would be published is written to a folder.
//
//	hub ADDRESS_FILE FOLDER
//
// It listens on a free port of 127.0.0.1 and writes its URL to ADDRESS_FILE. FOLDER gets
// release.json (the last request that created a release) and assets/NAME (each uploaded file).
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: hub ADDRESS_FILE FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

func run(addressFile, folder string) error {
	if err := os.MkdirAll(filepath.Join(folder, "assets"), 0o755); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// A reader of the file never sees half of it.
	if err := os.WriteFile(addressFile+".new", []byte("http://"+listener.Addr().String()), 0o644); err != nil {
		return err
	}
	if err := os.Rename(addressFile+".new", addressFile); err != nil {
		return err
	}
	return http.Serve(listener, handler(folder))
}

// draft is the release as GitHub answers it. Source: "Create a release" in GitHub's REST API docs.
type draft struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	TagName string `json:"tag_name"`
	Draft   bool   `json:"draft"`
}

// handler answers under / and under /api/v3/ and /api/uploads/, which are the addresses of a
// GitHub server of one's own. One that is not known is a 404, also the release of a tag: a draft
// has none.
func handler(folder string) http.Handler {
	var mutex sync.Mutex
	drafts := []draft{}
	answer := func(w http.ResponseWriter, status int, value any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value) // a client that has gone needs no answer
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/{owner}/{name}/releases", func(w http.ResponseWriter, _ *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		answer(w, http.StatusOK, drafts)
	})
	mux.HandleFunc("DELETE /repos/{owner}/{name}/releases/{id}", func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		for i, d := range drafts {
			if fmt.Sprint(d.ID) == r.PathValue("id") {
				drafts = append(drafts[:i], drafts[i+1:]...)
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("POST /repos/{owner}/{name}/releases", func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		body, err := io.ReadAll(r.Body)
		var created draft
		if err == nil {
			err = json.Unmarshal(body, &created)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, "release.json"), body, 0o644)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		created.ID = int64(len(drafts) + 1)
		drafts = append(drafts, created)
		answer(w, http.StatusCreated, created)
	})
	mux.HandleFunc("POST /repos/{owner}/{name}/releases/{id}/assets", func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Base(r.URL.Query().Get("name"))
		file, err := os.OpenFile(filepath.Join(folder, "assets", name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = io.Copy(file, r.Body)
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil { // such as a second file of one name, which GitHub refuses, too
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer(w, http.StatusCreated, map[string]any{"id": 1, "name": name, "state": "uploaded"})
	})
	outer := http.NewServeMux()
	outer.Handle("/", mux)
	outer.Handle("/api/v3/", http.StripPrefix("/api/v3", mux))
	outer.Handle("/api/uploads/", http.StripPrefix("/api/uploads", mux))
	return outer
}
