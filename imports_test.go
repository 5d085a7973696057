// Package chartseal_test holds the rules of the house as tests: which room may import which.
package chartseal_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/chartseal/chartseal"

// A rule says what one room may import. Standard-library packages are always allowed
// unless denied; of everything else a room gets only what its rule allows. A pattern ends
// in "/..." to mean the path and all below it.
type rule struct {
	room  string   // pattern of our packages, relative to the module
	allow []string // patterns outside std: relative to the module when they start with "./"
	deny  []string // direct imports that are refused although std or allowed would let them in
	never []string // patterns that may not be reached even through other packages
}

// rules is the table "The house" of the design, most special room first: the first rule
// that matches decides.
var rules = []rule{
	{
		room:  "abe/policy",
		never: []string{"github.com/fentec-project/..."},
	},
	{
		room:  "abe/authority",
		allow: []string{"./abe", "./abe/policy", "filippo.io/age/...", "golang.org/x/time/rate"},
		deny:  []string{"os", "io/ioutil"},
		never: []string{"github.com/hyperledger/...", "github.com/ipfs/..."},
	},
	{
		room: "abe/...",
		allow: []string{"./abe/...", "filippo.io/age/...", "github.com/fentec-project/...", "github.com/cloudflare/circl/...",
			"golang.org/x/crypto/..."},
		deny:  []string{"io/ioutil"},
		never: []string{"github.com/hyperledger/...", "github.com/ipfs/..."},
	},
	{
		room: "chaincode/ledger",
	},
	{
		room: "chaincode/contract",
		allow: []string{"./chaincode/ledger", "github.com/hyperledger/fabric-contract-api-go/v2/...",
			"github.com/hyperledger/fabric-chaincode-go/v2/...", "github.com/hyperledger/fabric-protos-go-apiv2/...",
			"github.com/ipfs/go-cid", "github.com/multiformats/go-multihash", "github.com/multiformats/go-multibase",
			"google.golang.org/protobuf/..."},
		deny:  []string{"math/rand", "math/rand/v2", "crypto/rand", "os"},
		never: []string{"./abe/...", "./client/..."},
	},
	{
		room:  "chaincode/internal/asset", // the yardstick of benchmarks
		allow: []string{"github.com/hyperledger/fabric-contract-api-go/v2/contractapi", "github.com/hyperledger/fabric-chaincode-go/v2/shim", "github.com/hyperledger/fabric-protos-go-apiv2/peer"},
		never: []string{"./abe/...", "./client/..."},
	},
	{
		room: "chaincode/...",
		allow: []string{"./chaincode/...", "github.com/hyperledger/fabric-chaincode-go/v2/...",
			"github.com/hyperledger/fabric-protos-go-apiv2/peer", "google.golang.org/grpc/..."},
		never: []string{"./abe/...", "./client/..."},
	},
	{
		room:  "client/index",
		allow: []string{"./chaincode/ledger", "./client/emr", "./client/index/...", "github.com/tink-crypto/tink-go/v2/daead/subtle", "golang.org/x/..."},
		never: []string{"github.com/hyperledger/...", "github.com/ipfs/..."},
	},
	{
		room:  "client/index/indextest",
		allow: []string{"./client/...", "./chaincode/ledger"},
	},
	{
		room:  "client/index/...",
		allow: []string{"./client/index/...", "golang.org/x/..."},
		never: []string{"github.com/hyperledger/...", "github.com/ipfs/..."},
	},
	{
		room:  "client/emr",
		allow: []string{"./client/index", "./client/emr/...", "github.com/suyashkumar/dicom/...", "github.com/gabriel-vasile/mimetype", "golang.org/x/..."},
		never: []string{"github.com/hyperledger/...", "github.com/ipfs/..."},
	},
	{
		room: "client/fabric",
		allow: []string{"./abe/...", "./chaincode/ledger", "./client", "./client/index", "./client/wallet", "./client/envelope",
			"github.com/hyperledger/...", "google.golang.org/grpc/...", "google.golang.org/protobuf/..."},
		never: []string{"./client/ipfs", "github.com/ipfs/kubo/..."},
	},
	{
		room: "client/ipfs",
		allow: []string{"./chaincode/ledger", "./client", "./client/groupcommit", "./client/cleanup", "github.com/ipfs/...", "github.com/multiformats/...",
			"golang.org/x/sync/..."},
		never: []string{"./client/fabric", "github.com/hyperledger/..."},
	},
	{
		room:  "client/session", // made of services; whoever prints or reads flags stands on it
		allow: []string{"./abe/...", "./chaincode/ledger", "./client", "./client/fabric", "./client/ipfs", "./client/keys", "./client/trust", "./client/wallet", "filippo.io/age"},
		deny:  []string{"flag", "log", "log/slog", "os"},
		never: []string{"github.com/spf13/...", "./client/internal/..."},
	},
	{
		room:  "client/bench/bare", // the yardsticks of benchmarks
		allow: []string{"./client/wallet", "github.com/fentec-project/gofe/abe", "github.com/hyperledger/fabric-gateway/...", "github.com/hyperledger/fabric-protos-go-apiv2/...", "google.golang.org/grpc/...", "google.golang.org/protobuf/..."},
	},
	{
		room:  "client/bench/chart", // draws plots
		allow: []string{"gonum.org/v1/plot/..."},
	},
	{
		room:  "client/clienttest/story", // for tests only
		allow: []string{"github.com/rogpeppe/go-internal/testscript"},
	},
	{
		room:  "client/internal/...",
		allow: []string{"./abe/...", "./chaincode/ledger", "./client/...", "filippo.io/age/...", "github.com/spf13/...", "go.yaml.in/yaml/v3", "golang.org/x/...", "github.com/schollz/progressbar/v3", "github.com/mattn/go-isatty"},
	},
	{
		room:  "client/bench/...", // programs stand on benchmarks, and not the other way round
		allow: []string{"./abe/...", "./chaincode/ledger", "./client/...", "filippo.io/age/...", "golang.org/x/..."},
		deny:  []string{"./client/internal/...", "./client/cmd/..."},
		never: []string{"github.com/spf13/..."},
	},
	{
		room:  "client/cmd/...",
		allow: []string{"./client/internal/...", "./client/bench/..."},
	},
	{
		room:  "client/...",
		allow: []string{"./abe/...", "./chaincode/ledger", "./client/...", "filippo.io/age/...", "golang.org/x/...", "go.yaml.in/yaml/v3"},
		deny:  []string{"flag", "github.com/spf13/cobra"},
		never: []string{"github.com/hyperledger/...", "github.com/ipfs/kubo/...", "github.com/spf13/..."},
	},
	{
		room:  "network/...",
		allow: []string{"./network/...", "go.yaml.in/yaml/v3", "github.com/spf13/...", "golang.org/x/..."},
		deny:  []string{"testing"},
		never: []string{"./client/...", "./abe/..."},
	},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// TestImports holds every package of the module against the table.
func TestImports(t *testing.T) {
	ours, standard := load(t)
	if len(ours) < 15 {
		t.Fatalf("found only %d packages of %s: the test looks in the wrong place", len(ours), module)
	}
	used := make([]bool, len(rules))
	for _, p := range ours {
		room := strings.TrimPrefix(p.ImportPath, module+"/")
		i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.room, room) })
		if i < 0 {
			t.Errorf("%s stands in no room of the house", room)
			continue
		}
		used[i] = true
		r := rules[i]
		for _, imp := range p.Imports {
			if anyMatch(r.deny, imp) || (!standard[imp] && !anyMatch(r.allow, imp)) {
				t.Errorf("%s must not import %s", room, imp)
			}
		}
		for _, dep := range p.Deps {
			if anyMatch(r.never, dep) {
				t.Errorf("%s must not reach %s, not even through others", room, dep)
			}
		}
	}
	for i, r := range rules {
		if !used[i] {
			t.Errorf("rule for %s matches no package", r.room)
		}
	}
}

// TestMatches keeps the matcher honest: a matcher that matches nothing would pass every
// package.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"abe/...", "abe", true},
		{"abe/...", "abe/policy", true},
		{"abe/...", "abex", false},
		{"./abe/...", module + "/abe/policy", true},
		{"./client", module + "/client/index", false},
		{"github.com/hyperledger/...", "github.com/hyperledger/fabric-gateway/pkg/client", true},
	} {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

// load lists the module's packages (without their tests) and which of their imports are
// standard.
func load(t *testing.T) (ours []pkg, standard map[string]bool) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps,Standard", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	standard = map[string]bool{"C": true, "unsafe": true}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return ours, standard
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Standard {
			standard[p.ImportPath] = true
		}
		if strings.HasPrefix(p.ImportPath, module+"/") {
			ours = append(ours, p)
		}
	}
}

func anyMatch(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

func matches(pattern, path string) bool {
	if rel, ok := strings.CutPrefix(pattern, "./"); ok {
		pattern = module + "/" + rel
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	return path == pattern
}
