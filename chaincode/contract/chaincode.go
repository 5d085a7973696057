package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
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

// A Config configures a chaincode server. MSP and Hospitals are required.
type Config struct {
	MSP       string   // of the organisation that runs this server; see [ledger.Envelope]
	Hospitals []string // MSP IDs of members with records; the same on every server

	// Amenders are the roles that may amend records that somebody else of their hospital
	// has sealed; the same on every server. Nil means [DefaultAmenders].
	Amenders []string

	// Resealers are the roles that may change who opens records that somebody else of
	// their hospital has sealed; the same on every server. Nil means [DefaultResealers].
	Resealers []string

	// Erasers are the roles that may erase records of their hospital; the same on every
	// server. Nil means [DefaultErasers].
	Erasers []string

	// ErasePersons is how many persons erase a record together, 1 or 2; the same on every
	// server. Zero means 1.
	ErasePersons int

	// Copies says how many hospitals keep each payload; the same on every server. The
	// zero value means ledger.DefaultCopyRules.
	Copies ledger.CopyRules

	// Clock is this server's own clock. With it, the server endorses no transaction whose
	// timestamp is more than ledger.MaxClockSkew off, and decides by it whether an access
	// entry is recent enough to hand out a wrapped key. If it is nil, the timestamp of
	// the proposal decides alone, which is the client's claim.
	//
	// A client can lie about the time. It could date an access entry years back and use
	// it at once, under an equally false timestamp. An audit of today's accesses would
	// miss the entry; an audit by actor or record, or of the blocks, would not. With
	// Clock such an entry is not endorsed, and opens nothing at this server. A lie never
	// opens a record without an entry, or with the entry of another actor.
	//
	// The clock never decides what a transaction writes, only whether the server
	// endorses it. So endorsers with different clocks write the same or nothing.
	Clock func() time.Time

	// Log receives panics. Nil means [slog.Default].
	Log *slog.Logger
}

// Roles that may change other people's records.
var (
	DefaultAmenders  = []string{"doctor", ledger.RoleCustodian}
	DefaultResealers = []string{ledger.RoleCustodian}
	DefaultErasers   = []string{ledger.RoleCustodian}
)

// Chaincode is the whole chaincode. It is safe for concurrent use and keeps nothing
// between calls.
type Chaincode struct {
	routed *contractapi.ContractChaincode
	log    *slog.Logger
}

// New makes the chaincode of all contracts. An MSP ID that is malformed or given twice is
// an error, and so is an empty list of hospitals.
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
	c := consortium{msp: cfg.MSP, hospitals: slices.Clone(cfg.Hospitals), erasePersons: max(cfg.ErasePersons, 1), copies: cfg.Copies, clock: cfg.Clock}
	if c.copies.Max == 0 {
		c.copies = ledger.DefaultCopyRules
	}
	if err := c.copies.Check(); err != nil {
		return nil, fmt.Errorf("copies: %w", err)
	}
	if c.erasePersons > 2 {
		return nil, fmt.Errorf("%d persons cannot erase a record together: one or two do", c.erasePersons)
	}
	for _, r := range []struct {
		what        string
		roles, none []string
		to          *[]string
	}{
		{"amend", cfg.Amenders, DefaultAmenders, &c.amenders},
		{"reseal", cfg.Resealers, DefaultResealers, &c.resealers},
		{"erase", cfg.Erasers, DefaultErasers, &c.erasers},
	} {
		if *r.to = slices.Clone(r.roles); r.roles == nil {
			*r.to = slices.Clone(r.none)
		}
		for _, role := range *r.to {
			if !ledger.Clinical(role) {
				return nil, fmt.Errorf("role %q cannot %s records: it seals none", role, r.what)
			}
		}
	}
	routed, err := contractapi.NewChaincode(
		&Record{Contract: describe("record", "Records", "Records, their versions and their wrapped keys."), consortium: c},
		&Authority{Contract: describe("authority", "Authorities", "Attribute authorities and their pinned public keys."), consortium: c},
		&Scope{Contract: describe("scope", "Scopes", "Search domains, their epochs and their wrapped keys."), consortium: c},
		&Certificate{Contract: describe("certificate", "Certificates", "Enrolment certificates of those who sign."), consortium: c},
		&Replica{Contract: describe("replica", "Copies", "Who keeps which payloads, and which ones hospitals refuse each other."), consortium: c},
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

// getMetadata is a transaction that contractapi adds to every chaincode.
const getMetadata = contractapi.SystemContractName + ":GetMetadata"

// arity has the exact name of every transaction, and the number of its arguments. No
// other name exists. contractapi alone is laxer: it ignores extra arguments, runs
// "record:create" as "record:Create" without its schema, and routes names without a
// contract to a default one.
var arity = map[string]int{
	ledger.AuthorityAnnounce:    1,
	ledger.AuthorityPublishKeys: 1,
	ledger.AuthorityList:        0,
	ledger.AuthorityKeys:        1,
	ledger.AuthorityKeyVersions: 1,
	ledger.AuthorityAttributes:  0,
	ledger.AuthorityPublished:   1,
	ledger.ScopeCreate:          1,
	ledger.ScopeRoll:            2,
	ledger.ScopeRetire:          3,
	ledger.ScopeList:            0,
	ledger.ScopeRetired:         1,
	ledger.ScopeSearchable:      1,
	ledger.ScopeKey:             3,
	ledger.CertificateDeposit:   0,
	ledger.CertificateGet:       1,
	ledger.RecordCreate:         0,
	ledger.RecordAmend:          1,
	ledger.RecordReseal:         0,
	ledger.RecordErase:          2,
	ledger.RecordErasing:        1,
	ledger.RecordGet:            1,
	ledger.RecordVersions:       1,
	ledger.RecordEnvelope:       3,
	ledger.ReplicaReport:        1,
	ledger.ReplicaConfirm:       1,
	ledger.ReplicaKeep:          1,
	ledger.ReplicaKeepers:       0,
	ledger.ReplicaPins:          1,
	ledger.ReplicaReports:       0,
	ledger.ReplicaReceipts:      1,
	ledger.ReplicaPurged:        1,
	ledger.IndexPut:             0,
	ledger.IndexGet:             1,
	ledger.IndexSearch:          2,
	ledger.AccessRequest:        2,
	ledger.AuditRecords:         1,
	ledger.AuditAccesses:        1,
	ledger.AuditHistory:         1,
	ledger.AuditErasures:        1,
	getMetadata:                 0,
}

// Bounds beyond every valid call.
const (
	maxArgument = 1 << 20
	maxMessage  = 1024
)

// Init does nothing: the ledger needs no initial state.
func (c *Chaincode) Init(stub shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke runs one transaction. Its response to a failure is the text of [ledger.Encode].
//
// Errors:
//   - Those of the contract's function.
//   - ErrInvalid if the function is unknown, or an argument does not match its schema.
//   - ErrUnavailable if the function panics. The log has the panic.
func (c *Chaincode) Invoke(stub shim.ChaincodeStubInterface) (response *peer.Response) {
	name, args := stub.GetFunctionAndParameters()
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("transaction panicked", "transaction", stub.GetTxID(), "function", fmt.Sprintf("%.64q", name),
				"panic", describePanic(r), "stack", string(debug.Stack()))
			response = failure(refuse(ledger.ErrUnavailable, "%.64q failed inside; the log of this chaincode server has the cause, "+
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

// failure makes an error response of a text. A text without a code gets that of
// ErrInvalid. The text may quote arguments, so it is shortened, and made valid UTF-8, as
// the peer's protocol needs.
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

// describePanic keeps arguments that a panic may quote out of the log.
func describePanic(r any) string {
	if e, ok := r.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", r)
}

// titled puts the chaincode's title into the metadata, where contractapi has a fixed
// text.
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
