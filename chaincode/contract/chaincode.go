package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric-contract-api-go/v2/metadata"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Version of the contracts, in their metadata.
const Version = "1.0.0"

// A Config says whose chaincode server this is. MSP and Hospitals are required.
type Config struct {
	MSP       string   // of the organisation that runs this server; it signs envelopes that are handed out as ServedBy
	Hospitals []string // MSP IDs of the members that seal, search and open; every server must have the same list

	// Clock, when set, is this server's own clock, and decides whether an access entry is
	// recent enough to hand out a wrapped key. Without it the proposal's timestamp
	// decides, which is the client's claim.
	//
	// A client's clock can lie. The time of an entry decides where an auditor's query by
	// time finds it, so a client could date an entry years back, use it at once under an
	// equally false timestamp, and stay out of sight of a query for today (not of one by
	// actor, by record, or of the blocks). With Clock such an entry opens nothing at this
	// server. What a lie never does is open without an entry, or with someone else's. The
	// clock is used in evaluated calls only, whose answers no two endorsers need to agree
	// on.
	Clock func() time.Time

	// Log receives panics. Nil means slog.Default.
	Log *slog.Logger
}

// Chaincode is the whole chaincode, as the peer sees it. It is safe for concurrent use
// and keeps nothing between calls.
type Chaincode struct {
	routed *contractapi.ContractChaincode
	log    *slog.Logger
}

// New checks the configuration and puts the contracts together.
func New(cfg Config) (*Chaincode, error) {
	if !isWord(cfg.MSP) {
		return nil, fmt.Errorf("chaincode of organisation %q: not an MSP ID", cfg.MSP)
	}
	if len(cfg.Hospitals) == 0 {
		return nil, errors.New("chaincode without hospitals")
	}
	seen := make(map[string]bool, len(cfg.Hospitals))
	for _, h := range cfg.Hospitals {
		if !isWord(h) {
			return nil, fmt.Errorf("hospital %q: not an MSP ID", h)
		}
		if seen[h] {
			return nil, fmt.Errorf("hospital %s is listed twice", h)
		}
		seen[h] = true
	}
	c := consortium{msp: cfg.MSP, hospitals: append([]string(nil), cfg.Hospitals...), clock: cfg.Clock}
	routed, err := contractapi.NewChaincode(
		&Record{Contract: describe("record", "Records", "Records, their versions and their wrapped keys."), consortium: c},
		&Authority{Contract: describe("authority", "Authorities", "Attribute authorities and their pinned public keys."), consortium: c},
		&Scope{Contract: describe("scope", "Scopes", "Search domains, their epochs and their wrapped keys."), consortium: c},
		&Index{Contract: describe("index", "Index", "Encrypted keyword entries, written once."), consortium: c},
		&Access{Contract: describe("access", "Access log", "Who asked for which wrapped key, and for what purpose."), consortium: c},
		&Audit{Contract: describe("audit", "Audit", "What auditors read: records, accesses, histories."), consortium: c},
	)
	if err != nil {
		return nil, fmt.Errorf("put the contracts together: %w", err)
	}
	routed.TransactionSerializer = strict{}
	log := cfg.Log
	if log == nil {
		log = slog.Default()
	}
	return &Chaincode{routed: routed, log: log}, nil
}

func info(title, text string) metadata.InfoMetadata {
	return metadata.InfoMetadata{
		Title:       title,
		Description: text,
		Version:     Version,
		License:     &metadata.LicenseMetadata{Name: "Apache-2.0", URL: "https://www.apache.org/licenses/LICENSE-2.0"},
	}
}

func describe(name, title, text string) contractapi.Contract {
	return contractapi.Contract{
		Name:                      name,
		Info:                      info("Chartseal: "+title, text),
		TransactionContextHandler: new(Context),
	}
}

// getMetadata is the transaction that contractapi adds to every chaincode.
const getMetadata = contractapi.SystemContractName + ":GetMetadata"

// arity has the number of arguments of every transaction. contractapi ignores extra
// arguments, takes "record:create" for "record:Create" but then skips the schema, and
// routes names without a contract to a default one. Here a name is in this table,
// exactly, or it does not exist.
var arity = map[string]int{
	ledger.AuthorityAnnounce:    1,
	ledger.AuthorityPublishKeys: 1,
	ledger.AuthorityList:        0,
	ledger.AuthorityKeys:        1,
	ledger.AuthorityKeyVersions: 1,
	ledger.AuthorityAttributes:  0,
	ledger.ScopeCreate:          1,
	ledger.ScopeRoll:            2,
	ledger.ScopeRetire:          2,
	ledger.ScopeList:            0,
	ledger.ScopeRetired:         1,
	ledger.ScopeKey:             3,
	ledger.RecordCreate:         0,
	ledger.RecordAmend:          1,
	ledger.RecordGet:            1,
	ledger.RecordEnvelope:       3,
	ledger.IndexPut:             0,
	ledger.IndexGet:             1,
	ledger.IndexSearch:          2,
	ledger.AccessRequest:        2,
	ledger.AuditRecords:         1,
	ledger.AuditAccesses:        1,
	ledger.AuditHistory:         1,
	getMetadata:                 0,
}

// Sizes that no valid call reaches.
const (
	maxArgument = 1 << 20
	maxMessage  = 1024
)

// Init does nothing: the ledger needs no first transaction.
func (c *Chaincode) Init(stub shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke runs one transaction. Its errors carry a code of package ledger: one that
// contractapi found (an unknown function, an argument that does not match its schema) is
// ErrInvalid, and a panic is ErrUnavailable and is logged.
func (c *Chaincode) Invoke(stub shim.ChaincodeStubInterface) (response *peer.Response) {
	name, args := stub.GetFunctionAndParameters()
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("transaction panicked", "transaction", stub.GetTxID(), "function", fmt.Sprintf("%.64q", name),
				"panic", describePanic(r), "stack", string(debug.Stack()))
			response = failure(refuse(ledger.ErrUnavailable, "%.64q failed inside; the log of this chaincode server says where, "+
				"under transaction %s", name, stub.GetTxID()).Error())
		}
	}()
	if err := checkCall(name, args); err != nil {
		return failure(err.Error())
	}
	response = c.routed.Invoke(stub)
	switch {
	case response.GetStatus() >= shim.ERRORTHRESHOLD:
		return failure(response.GetMessage())
	case name == getMetadata:
		return titled(response)
	}
	return response
}

func checkCall(name string, args []string) error {
	want, known := arity[name]
	if !known {
		return refuse(ledger.ErrInvalid, "no transaction %.64q", name)
	}
	if len(args) != want {
		return refuse(ledger.ErrInvalid, "%s takes %d arguments, not %d", name, want, len(args))
	}
	for i, a := range args {
		if len(a) > maxArgument {
			return refuse(ledger.ErrInvalid, "%s: argument %d has %d bytes, more than %d", name, i+1, len(a), maxArgument)
		}
	}
	return nil
}

// failure makes an error response of a text, with the code "invalid" when it begins with
// no code. The text may quote arguments: it is bounded, and made valid UTF-8, without
// which the response could not be sent.
func failure(text string) *peer.Response {
	if e := ledger.Decode(text); e == nil || ledger.Encode(e) != text {
		text = ledger.Encode(ledger.Errorf(ledger.ErrInvalid, "%s", text))
	}
	if len(text) > maxMessage {
		text = text[:maxMessage] + "..."
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	return shim.Error(text)
}

// describePanic keeps what a panic may have quoted from an argument out of the log.
func describePanic(r any) string {
	if e, ok := r.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", r)
}

// titled puts the chaincode's own title into its metadata: contractapi fixes the text
// before a caller can set it.
func titled(response *peer.Response) *peer.Response {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(response.GetPayload(), &all); err != nil {
		return failure(refuse(ledger.ErrUnavailable, "read the metadata: %v", err).Error())
	}
	own, err := json.Marshal(info("Chartseal", "Sharing of encrypted medical records between hospitals."))
	if err != nil {
		return failure(refuse(ledger.ErrUnavailable, "write the metadata: %v", err).Error())
	}
	all["info"] = own
	text, err := json.Marshal(all)
	if err != nil {
		return failure(refuse(ledger.ErrUnavailable, "write the metadata: %v", err).Error())
	}
	return shim.Success(text)
}
