// Ccbuilder is the external builder that a peer runs for a chaincode package of type
// chartseal: three programs of Fabric's external builder protocol in one, told apart by
// the name under which it is called.
//
//	detect  SOURCE METADATA          exit status 0 when the package is one of ours
//	build   SOURCE METADATA OUTPUT   copies this peer's connection.json from $CHARTSEAL_CONNECTION
//	release OUTPUT RELEASE           shows it to the peer
//
// The package holds nothing but a name, so that it has one id at every organisation;
// where this peer's chaincode server is and the keys to speak to it come from the peer's
// own directory.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(filepath.Base(os.Args[0]), os.Args[1:], os.Getenv("CHARTSEAL_CONNECTION")); err != nil {
		fmt.Fprintf(os.Stderr, "ccbuilder: error: %v\n", err)
		os.Exit(1)
	}
}

const connection = "connection.json"

func run(phase string, args []string, connections string) error {
	want := map[string]int{"detect": 2, "build": 3, "release": 2}[phase]
	if want == 0 {
		return fmt.Errorf("called as %q: want detect, build or release", phase)
	}
	if len(args) != want {
		return fmt.Errorf("%s: %d arguments, want %d", phase, len(args), want)
	}
	switch phase {
	case "detect":
		return detect(filepath.Join(args[1], "metadata.json"))
	case "build":
		if connections == "" {
			return fmt.Errorf("build: CHARTSEAL_CONNECTION is not set: the peer must propagate it")
		}
		return copyFile(filepath.Join(connections, connection), filepath.Join(args[2], connection))
	default:
		return copyFile(filepath.Join(args[0], connection), filepath.Join(args[1], "chaincode", "server", connection))
	}
}

func detect(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var metadata struct{ Type string }
	if err := json.Unmarshal(data, &metadata); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if metadata.Type != "chartseal" {
		return fmt.Errorf("package of type %q is not for this builder", metadata.Type)
	}
	return nil
}

// copyFile copies a file that holds a private key.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
