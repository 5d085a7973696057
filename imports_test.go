// Package chartseal_test checks which package of the module imports which.
package chartseal_test

import "testing"

const module = "github.com/chartseal/chartseal"

// Reasons that several rules share.
var (
	noFabric = ban{"the scheme and the formats outlive the ledger below them: only client/fabric speaks to Fabric",
		[]string{"github.com/hyperledger/..."}}
	noIPFS = ban{"the scheme and the formats outlive the store below them: only client/ipfs speaks to IPFS",
		[]string{"github.com/ipfs/..."}}
	noFiles = ban{"it is a library: its caller opens files and reads the environment",
		[]string{"os", "io/ioutil"}}
	noPlaintext = ban{"the chaincode handles ciphertext only: code that opens records stays out of it",
		[]string{"./abe/...", "./client/..."}}
)

// rules has the most special rule first: the first one that matches a package decides.
var rules = []rule{
	{
		packages: "abe/policy",
		why:      "a policy is text and a syntax tree, which need no library",
		never: []ban{{"the language does not depend on the scheme: another curve takes the same policies",
			[]string{"github.com/fentec-project/..."}}},
	},
	{
		packages: "abe/authority",
		why:      "an authority issues keys: it needs the scheme, policies and a rate limit",
		allow:    []string{"./abe", "./abe/policy", "golang.org/x/time/rate"},
		deny:     []ban{noFiles},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "abe/internal/bench",
		why:      "the benchmark compares package abe with the libraries it could stand on",
		allow:    []string{"./abe/...", "filippo.io/age", "github.com/fentec-project/...", "github.com/cloudflare/circl/..."},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "abe/internal/bn256",
		why:      "a curve stands behind the interface of package pairing, and needs its own library only",
		allow:    []string{"./abe/internal/pairing", "./abe/internal/parallel", "github.com/fentec-project/..."},
		deny:     []ban{noFiles},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "abe/...",
		why:      "attribute-based encryption needs age and libraries of cryptography, nothing else",
		allow:    []string{"./abe/...", "filippo.io/age/...", "github.com/cloudflare/circl/...", "golang.org/x/crypto/..."},
		deny: []ban{noFiles, {"only the package of a curve names its library, so that another curve fits",
			[]string{"github.com/fentec-project/..."}}},
		never: []ban{noFabric, noIPFS},
	},
	{
		packages: "chaincode/ledger",
		why:      "the chaincode and every client share it, so it needs the standard library only",
	},
	{
		packages: "chaincode/contract",
		why:      "the contracts run inside Fabric: every library there is one more that endorsers must agree on",
		allow: []string{"./chaincode/ledger", "github.com/hyperledger/fabric-contract-api-go/v2/...",
			"github.com/hyperledger/fabric-chaincode-go/v2/...", "github.com/hyperledger/fabric-protos-go-apiv2/...",
			"google.golang.org/protobuf/proto"}, // encodes the endorsement policies of single keys
		deny: []ban{{"endorsers must agree byte by byte: no randomness and no environment",
			[]string{"math/rand", "math/rand/v2", "crypto/rand", "os"}}},
		never: []ban{noPlaintext},
	},
	{
		packages: "chaincode/internal/asset",
		why:      "it is the plain contract that benchmarks compare with, and has no rule of ours",
		allow: []string{"github.com/hyperledger/fabric-contract-api-go/v2/contractapi",
			"github.com/hyperledger/fabric-chaincode-go/v2/shim", "github.com/hyperledger/fabric-protos-go-apiv2/peer"},
		never: []ban{noPlaintext},
	},
	{
		packages: "chaincode/...",
		why:      "a chaincode server needs the contracts, Fabric's shim and gRPC",
		allow: []string{"./chaincode/...", "github.com/hyperledger/fabric-chaincode-go/v2/...",
			"github.com/hyperledger/fabric-protos-go-apiv2/peer", "google.golang.org/grpc/..."},
		never: []ban{noPlaintext},
	},
	{
		packages: "client/index",
		why:      "the index protocol needs the ledger's vocabulary and a PRF; client/emr imports it, not the other way round",
		allow:    []string{"./chaincode/ledger", "github.com/tink-crypto/tink-go/v2/daead/subtle", "golang.org/x/..."},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "client/index/indextest",
		why:      "it indexes records of every format, to compare searches with a plain scan",
		allow:    []string{"./client/emr", "./client/index"},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "client/index/...",
		why:      "below the index are only the generators of its tables",
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "client/emr",
		why:      "a record format needs a parser and the terms of the index",
		allow:    []string{"./client/index", "github.com/gabriel-vasile/mimetype", "golang.org/x/..."},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "client/groupcommit",
		why:      "it batches any kind of item and knows none of them",
	},
	{
		packages: "client/cache",
		why:      "it keeps any kind of value for a moment, and knows none of them",
	},
	{
		packages: "client/access",
		why:      "the only way to a wrapped key is short, so that a reader sees the access entry before it",
		allow:    []string{"./abe", "./chaincode/ledger", "filippo.io/age"},
		deny:     []ban{noFiles},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "client/scope",
		why:      "it unwraps keys of scopes, for access entries, and believes those that client/trust believes",
		allow: []string{"./abe", "./chaincode/ledger", "./client/access", "./client/cache", "./client/envelope", "./client/index",
			"./client/trust", "filippo.io/age"},
		deny:  []ban{noFiles},
		never: []ban{noFabric, noIPFS},
	},
	{
		packages: "client/register",
		why:      "it writes what a client has made ready: records are read, stored and opened elsewhere",
		allow: []string{"./abe", "./abe/policy", "./chaincode/ledger", "./client/cache", "./client/envelope", "./client/groupcommit",
			"./client/index", "./client/outbox", "./client/trust", "filippo.io/age", "golang.org/x/sync/errgroup"},
		deny:  []ban{noFiles},
		never: []ban{noFabric, noIPFS, {"registering needs no wrapped key: it never opens a record", []string{"./client/access"}}},
	},
	{
		packages: "client/trust",
		why:      "it compares answers about keys and members; its callers bring the answers of peers",
		allow:    []string{"./abe", "./abe/policy", "./abe/authority", "./chaincode/ledger"},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "client/wallet",
		why:      "a wallet holds files; it signs in the form that Fabric and Fabric CA accept",
		allow:    []string{"./chaincode/ledger", "./client/index", "./client/outbox", "./network/fabricca", "filippo.io/age", "go.yaml.in/yaml/v3"},
		never:    []ban{noFabric, noIPFS},
	},
	{
		packages: "client/fabric/block",
		why:      "it decodes blocks wherever they come from: it opens no connection",
		allow:    []string{"./chaincode/ledger", "github.com/hyperledger/fabric-protos-go-apiv2/...", "google.golang.org/protobuf/..."},
	},
	{
		packages: "client/fabric",
		why:      "this adapter joins package client and Fabric's SDK; the CA is a service of the network, and both sides speak to it",
		allow: []string{"./abe/authority", "./chaincode/ledger", "./client", "./client/fabric/block", "./client/index",
			"./client/wallet", "./network/fabricca",
			"github.com/hyperledger/...", "google.golang.org/grpc/...", "google.golang.org/protobuf/..."},
		never: []ban{{"adapters do not know each other, so that each can be replaced alone",
			[]string{"./client/ipfs", "github.com/ipfs/kubo/..."}}},
	},
	{
		packages: "client/ipfs",
		why:      "this adapter joins package client and kubo's SDK",
		allow: []string{"./chaincode/ledger", "./client", "./client/groupcommit", "github.com/ipfs/...",
			"github.com/multiformats/..."},
		never: []ban{{"adapters do not know each other, so that each can be replaced alone",
			[]string{"./client/fabric", "github.com/hyperledger/..."}}},
	},
	{
		packages: "client/ipfs/proxy",
		why:      "it stands before kubo, and reads CIDs as package client/ipfs does",
		allow:    []string{"./chaincode/ledger", "./client/ipfs", "github.com/ipfs/go-cid", "github.com/multiformats/go-multihash"},
		never:    []ban{noFabric},
	},
	{
		packages: "client/session",
		why:      "a session puts services together: it needs package client, the adapters, the outbox's policy and the wallet",
		allow: []string{"./abe", "./abe/authority", "./chaincode/ledger", "./client", "./client/fabric", "./client/ipfs",
			"./client/outbox", "./client/trust", "./client/wallet", "filippo.io/age"},
		deny: []ban{{"programs print, log and read the environment, and a session serves all of them",
			[]string{"flag", "log", "log/slog", "os"}}},
		never: []ban{{"programs stand on sessions, not the other way round",
			[]string{"github.com/spf13/...", "./client/internal/..."}}},
	},
	{
		packages: "client/bench/bare",
		why:      "benchmarks compare with Fabric, kubo and gofe used directly, without our code",
		allow: []string{"./client/wallet", "github.com/fentec-project/gofe/abe", "github.com/hyperledger/fabric-gateway/...",
			"github.com/hyperledger/fabric-protos-go-apiv2/...", "google.golang.org/grpc/...", "google.golang.org/protobuf/..."},
	},
	{
		packages: "client/bench/chart",
		why:      "it draws plots of numbers and does not know their meaning",
		allow:    []string{"gonum.org/v1/plot/..."},
	},
	{
		packages: "client/clienttest/story",
		why:      "it runs scripts in tests and knows no command",
		allow:    []string{"github.com/rogpeppe/go-internal/testscript"},
	},
	{
		packages: "client/internal/...",
		why:      "programs call package client and its adapters; other libraries are for arguments, terminals and settings",
		allow: []string{"./abe/...", "./chaincode/ledger", "./client/...", "filippo.io/age/...", "github.com/spf13/...",
			"go.yaml.in/yaml/v3", "golang.org/x/...", "github.com/schollz/progressbar/v3"},
	},
	{
		packages: "client/bench/...",
		why:      "benchmarks measure our packages; the libraries they compare with are in client/bench/bare",
		allow:    []string{"./abe/...", "./chaincode/ledger", "./client/...", "filippo.io/age/..."},
		never: []ban{{"programs stand on benchmarks, not the other way round",
			[]string{"./client/internal/...", "./client/cmd/...", "github.com/spf13/..."}}},
	},
	{
		packages: "client/cmd/...",
		why:      "a main has a few lines: its program is a package, which tests and other programs can call",
		allow:    []string{"./client/internal/...", "./client/bench/..."},
	},
	{
		packages: "client/...",
		why:      "package client and its parts reach servers through interfaces that they declare",
		allow:    []string{"./abe/...", "./chaincode/ledger", "./client/...", "filippo.io/age/...", "golang.org/x/...", "go.yaml.in/yaml/v3"},
		deny: []ban{{"flags belong to programs: a web page calls the same package",
			[]string{"flag"}}},
		never: []ban{
			{"a client reaches Fabric through client.Ledger, so that fakes and other ledgers fit", []string{"github.com/hyperledger/..."}},
			{"a client reaches IPFS through client.Blobs, so that fakes and other stores fit", []string{"github.com/ipfs/kubo/..."}},
			{"flags belong to programs: a web page calls the same package", []string{"github.com/spf13/..."}},
		},
	},
	{
		packages: "network/fabricca",
		why:      "the network and chartseal enroll both speak to the CA, so its client knows neither",
		deny:     []ban{noFiles},
	},
	{
		packages: "network/internal/cli",
		why:      "the command line chartnet calls package network, and knows flags and the CA's errors",
		allow:    []string{"./network", "./network/fabricca", "github.com/spf13/cobra"},
		deny:     []ban{{"a program does not carry the test framework", []string{"testing"}}},
	},
	{
		packages: "network/ledgerfile",
		why:      "it reads the files of Fabric's servers, and speaks to none of them",
		allow: []string{"github.com/hyperledger/fabric-protos-go-apiv2/...", "google.golang.org/protobuf/...",
			"github.com/syndtr/goleveldb/..."},
		never: []ban{{"whose key opens a record is none of its business", []string{"./client/...", "./abe/..."}}},
	},
	{
		packages: "network/...",
		why:      "the network starts servers and writes their configuration; it is no client of them",
		allow:    []string{"./network/...", "./chaincode/ledger", "go.yaml.in/yaml/v3"},
		deny:     []ban{{"a program does not carry the test framework", []string{"testing"}}},
		never:    []ban{{"the network comes up without any key to a record", []string{"./client/...", "./abe/..."}}},
	},
}

// TestImports checks every package of the module against the rules.
func TestImports(t *testing.T) {
	all := load(t)
	if len(all.ours) < 15 {
		t.Fatalf("found only %d packages of %s: the test looks in the wrong place", len(all.ours), module)
	}
	for _, problem := range check(rules, all) {
		t.Error(problem)
	}
}
