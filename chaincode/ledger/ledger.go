// Package ledger is the vocabulary that the chaincode and its clients share: the names of
// the transactions, the JSON types that travel, the layout of the world state, the limits
// on every argument, and the error codes that survive the trip through Fabric as text.
//
// It holds no rules and imports nothing but the standard library, so that both sides can
// depend on it.
//
// What may be in these types is fixed by one rule: the ledger is for ever, so nothing
// decryptable goes on it. A record is an id, a content identifier and a commitment.
// Envelopes (the wrapped keys) are never an argument or a result of a submitted
// transaction: they go in through the transient map and the private data collection
// [HospitalKeys], and come out only through evaluated calls.
package ledger

import "time"

// Transaction names, in the form "contract:Function" that fabric-contract-api-go routes
// on. Those marked "evaluate" must never be submitted: the response of a submitted
// transaction is stored in the block. Those that are submitted have none: what they did
// is in their write set, see [ReadVersion] and [ReadAccess].
const (
	AuthorityAnnounce    = "authority:Announce"    // (Announcement)                submit, role admin or authority
	AuthorityPublishKeys = "authority:PublishKeys" // ([]AttributeKey)              submit, role admin or authority
	AuthorityList        = "authority:List"        // () []Authority                evaluate
	AuthorityKeys        = "authority:Keys"        // ([]string) []AttributeKey     evaluate, current version of each name, unknown ones left out
	AuthorityKeyVersions = "authority:KeyVersions" // ([]AttributeName) []AttributeKey   evaluate, those versions, unknown ones left out
	AuthorityAttributes  = "authority:Attributes"  // () []AttributeName            evaluate, all that are published

	ScopeCreate  = "scope:Create"  // (name) + transient                    submit, role admin or custodian; epoch 1
	ScopeRoll    = "scope:Roll"    // (name, epoch) + transient              submit, owner's admin or custodian; epoch = current+1
	ScopeRetire  = "scope:Retire"  // (name, epoch)                          submit, role admin or custodian; of the own entries
	ScopeList    = "scope:List"    // () []Scope                             evaluate
	ScopeRetired = "scope:Retired" // (name) []Retirement                  evaluate
	ScopeKey     = "scope:Key"     // (name, epoch, access id) Envelope      evaluate

	RecordCreate   = "record:Create"   // () + transient records and envelopes        submit
	RecordAmend    = "record:Amend"    // (version) + transient record and envelope   submit
	RecordGet      = "record:Get"      // ([]string ids) []Record, unknown ids left out   evaluate
	RecordEnvelope = "record:Envelope" // (id, version, access id) Envelope           evaluate

	IndexPut    = "index:Put"    // () + transient entries                 submit
	IndexGet    = "index:Get"    // ([]LabelBatch) [][]string              evaluate
	IndexSearch = "index:Search" // (known, []LabelBatch) SearchAnswer     evaluate

	AccessRequest = "access:Request" // ([]string targets, purpose)   submit

	AuditRecords  = "audit:Records"  // (RecordQuery) RecordPage   evaluate, role auditor, custodian or admin
	AuditAccesses = "audit:Accesses" // (AccessQuery) AccessPage   evaluate, role auditor, custodian or admin
	AuditHistory  = "audit:History"  // (record id) []HistoryEvent evaluate, role auditor, custodian or admin
)

// HospitalKeys is the private data collection that holds every wrapped key. Hospitals are
// its members; the regulator is not.
const HospitalKeys = "hospitalKeys"

// Limits on arguments. The chaincode refuses what is over them with [ErrInvalid].
const (
	MaxNewRecords      = 250       // records in one Create
	MaxRecordsPerCall  = 100       // ids in one Get, targets in one Request
	MaxEnvelope        = 256 << 10 // bytes of one wrapped key
	MaxEntriesPerCall  = 4096      // index entries in one Put, labels in one Get
	MaxKeysPerCall     = 256       // attribute keys in one PublishKeys, Keys or KeyVersions
	MaxPublicKey       = 1024      // bytes of one public key
	MaxName            = 128       // bytes of an attribute's name or an enrolment id
	MaxScopeName       = 64        // bytes of a scope's name: lower-case letters, digits, '-', '_' and '.'
	MaxVersions        = 10000     // versions of a record, epochs of a scope
	MaxHistory         = 10000     // events in one History
	MaxPageSize        = 500       // rows of an audit page
	DefaultPageSize    = 100       // rows when the query leaves PageSize zero
	MaxURL             = 512       // bytes of an authority's address
	MaxRecipient       = 4096      // bytes of a custodian's age recipient (hybrid ones are long)
	RecordIDSize       = 16        // bytes; 32 hexadecimal digits in JSON
	LabelSize          = 16        // bytes of an index label
	EntryValueSize     = 48        // bytes of an index value: 16 synthetic IV, 32 sealed
	PackedEntrySize    = LabelSize + EntryValueSize
	CommitmentSize     = 32 // bytes; 64 hexadecimal digits in JSON
	AccessWindow       = 10 * time.Minute
	AccessWindowFuture = 2 * time.Minute // clock skew allowed between an access entry and its use
)

// Role is the name of the certificate attribute that the contracts check, beside the MSP.
const RoleAttribute = "role"

// Roles that the contracts know. Any other value is a clinical role of the hospital that
// gave it (doctor, nurse, ...): it may seal, search and ask for access, and what it opens
// is decided by cryptography.
const (
	RoleAdmin     = "admin"
	RoleAuditor   = "auditor"
	RoleAuthority = "authority"
	RoleCustodian = "custodian"
)

// An Announcement is what a hospital tells the consortium about its attribute authority.
type Announcement struct {
	URL       string `json:"url"`                                     // https address of the authority's key service
	Custodian string `json:"custodian" metadata:"custodian,optional"` // age recipient of the hospital's records custodian
}

// An Authority is an announced attribute authority.
type Authority struct {
	MSP       string `json:"msp"`
	URL       string `json:"url"`
	Custodian string `json:"custodian" metadata:"custodian,optional"`
	Time      string `json:"time"` // of the announcement, see [FormatTime]
}

// An AttributeKey is one pinned public key. A name has exactly one current key.
type AttributeKey struct {
	Name    string `json:"name"`    // MSPID:name or MSPID:name=value
	Version int    `json:"version"` // from 1; publishing must name current+1
	Key     string `json:"key"`     // base64 (standard, padded) of the abe package's canonical encoding
}

// An AttributeName is a version of a published attribute without its key.
type AttributeName struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// A Scope is a named search domain.
type Scope struct {
	Name  string `json:"name"`
	Epoch int    `json:"epoch"` // current; earlier ones stay searchable
	Owner string `json:"owner"` // MSP that created it
	Time  string `json:"time"`  // of the current epoch
}

// A Retirement says that a hospital has written its index entries of old epochs anew:
// searchers need not ask for those that it wrote in epochs up to this one.
type Retirement struct {
	Scope string `json:"scope"`
	MSP   string `json:"msp"`
	Epoch int    `json:"epoch"`
	Actor string `json:"actor"`
	Time  string `json:"time"`
}

// A NewRecord asks for version 1 of a record. It travels in the transient map, and its
// envelope beside it at the same position.
type NewRecord struct {
	ID         string `json:"id"`         // 32 lower-case hexadecimal digits, chosen at random by the client
	CID        string `json:"cid"`        // CIDv1, base32, of the payload
	Commitment string `json:"commitment"` // hex SHA-256(salt || plaintext)
}

// A NewVersion asks for the version after the current one.
type NewVersion struct {
	ID         string `json:"id"`
	Version    int    `json:"version"` // must be current+1
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
}

// A RecordVersion is what the ledger says of one version. It is written once.
type RecordVersion struct {
	ID         string `json:"id"`
	Version    int    `json:"version"`
	Home       string `json:"home"` // MSP of the hospital that sealed it
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
	Author     string `json:"author"` // actor, see [Actor]
	Time       string `json:"time"`
	Tx         string `json:"tx"`
}

// A Record is all versions of a record, oldest first; there is at least one.
type Record struct {
	ID       string          `json:"id"`
	Home     string          `json:"home"`
	Versions []RecordVersion `json:"versions"`
}

// Current is the newest version.
func (r Record) Current() RecordVersion { return r.Versions[len(r.Versions)-1] }

// An Envelope is a wrapped key as an evaluated call hands it out.
type Envelope struct {
	Data string `json:"data"` // base64 (standard, padded)

	// ServedBy is the MSP of the chaincode server that answered. As it differs between
	// organisations, two endorsements of this answer never agree: the call cannot become
	// a valid transaction by mistake.
	ServedBy string `json:"servedBy"`
}

// A LabelBatch asks for the values of labels that one hospital wrote.
type LabelBatch struct {
	MSP    string `json:"msp"`
	Labels string `json:"labels"` // base64 (standard, padded) of labels of LabelSize bytes, one after the other
}

// A SearchAnswer is the values of labels, and what could be searched when they were read.
type SearchAnswer struct {
	Values     [][]string `json:"values"` // as index:Get gives them
	Searchable Searchable `json:"searchable"`
}

// A Searchable is what there is to search. If Generation is the one that the caller
// knows, the rest is left out.
type Searchable struct {
	Generation  string       `json:"generation"`  // another one after every change; empty as long as there was none
	Scopes      []Scope      `json:"scopes"`      // in the order of their names
	Hospitals   []string     `json:"hospitals"`   // MSP IDs with an announced authority, in order
	Retirements []Retirement `json:"retirements"` // of all scopes
}

// An AccessEntry says that an actor asked for a target.
type AccessEntry struct {
	ID      string `json:"id"`     // FormatTime(time) + "-" + transaction id: unique with the target, sorts by time
	Target  string `json:"target"` // a record id, or ScopeTarget of a scope
	Actor   string `json:"actor"`
	Purpose string `json:"purpose"`
	Time    string `json:"time"` // the client's clock, as Fabric records it; the order of blocks is the ledger's own
	Tx      string `json:"tx"`
}

// A RecordQuery selects record versions for an auditor, oldest first.
type RecordQuery struct {
	Record   string `json:"record" metadata:"record,optional"`
	Since    string `json:"since" metadata:"since,optional"` // inclusive, see [FormatTime]
	Until    string `json:"until" metadata:"until,optional"` // exclusive
	PageSize int    `json:"pageSize" metadata:"pageSize,optional"`
	Bookmark string `json:"bookmark" metadata:"bookmark,optional"`
}

// A RecordPage is one page of record versions. Bookmark is empty on the last page, and
// only there: a query that has to skip much may answer with a short or empty page that
// has one.
type RecordPage struct {
	Versions []RecordVersion `json:"versions"`
	Bookmark string          `json:"bookmark"`
}

// An AccessQuery selects access entries for an auditor, oldest first. Record and Actor
// may be combined.
type AccessQuery struct {
	Record   string `json:"record" metadata:"record,optional"` // a target
	Actor    string `json:"actor" metadata:"actor,optional"`
	Since    string `json:"since" metadata:"since,optional"`
	Until    string `json:"until" metadata:"until,optional"`
	PageSize int    `json:"pageSize" metadata:"pageSize,optional"`
	Bookmark string `json:"bookmark" metadata:"bookmark,optional"`
}

// An AccessPage is one page of access entries. Bookmark is empty on the last page, and
// only there, as in [RecordPage].
type AccessPage struct {
	Entries  []AccessEntry `json:"entries"`
	Bookmark string        `json:"bookmark"`
}

// A HistoryEvent is one thing that happened to a record, in order of time.
type HistoryEvent struct {
	Time    string `json:"time"`
	Event   string `json:"event"` // "sealed", "amended" or "accessed"
	Actor   string `json:"actor"`
	Version int    `json:"version" metadata:"version,optional"` // of sealed and amended
	Purpose string `json:"purpose" metadata:"purpose,optional"` // of accessed
	Tx      string `json:"tx"`
}

// EventRecords is the chaincode event that Create and Amend set. Its payload are the CIDs
// of the payloads, see [UnpackCIDs]; hospitals' replicators follow it to pin them.
const EventRecords = "records"
