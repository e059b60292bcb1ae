// Command modzip writes a folder as the go command packs a module: without modules inside it.
//
//	modzip MODULE VERSION FOLDER OUTPUT
package main

import (
	"fmt"
	"os"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: modzip MODULE VERSION FOLDER OUTPUT")
		os.Exit(2)
	}
	if err := run(module.Version{Path: os.Args[1], Version: os.Args[2]}, os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "modzip:", err)
		os.Exit(1)
	}
}

func run(m module.Version, folder, output string) error {
	file, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := zip.CreateFromDir(file, m, folder); err != nil {
		return err
	}
	return file.Close()
}
