package ledger

import "time"

// Transaction names, in the form "contract:Function" of fabric-contract-api-go.
//
// The comments have arguments, result and callers. Every member of the channel may call
// where no role is named. An evaluated call must never be submitted: a block stores the
// response of a submitted transaction. Submitted calls have no result; their write set
// shows their effect, see [ReadVersion] and [ReadAccess].
const (
	// Submitted by an admin or authority of a hospital.
	AuthorityAnnounce    = "authority:Announce"    // (Announcement)
	AuthorityPublishKeys = "authority:PublishKeys" // ([]AttributeKey), new ones, or published ones with a new signature
	// Evaluated. Unknown attributes are left out.
	AuthorityList        = "authority:List"        // () []Authority
	AuthorityKeys        = "authority:Keys"        // ([]string names) []AttributeKey, current versions
	AuthorityKeyVersions = "authority:KeyVersions" // ([]AttributeName) []AttributeKey
	AuthorityAttributes  = "authority:Attributes"  // () []AttributeName, of all authorities
	AuthorityPublished   = "authority:Published"   // (AttributeQuery) AttributePage

	// Submitted by an admin or custodian of a hospital; Roll by those of the scope's
	// owner.
	ScopeCreate = "scope:Create" // (name), transient: the wrapped key of epoch 1
	ScopeRoll   = "scope:Roll"   // (name, current epoch + 1), transient: its wrapped key
	ScopeRetire = "scope:Retire" // (name, epoch, signature or nothing), for the caller's own entries
	// Evaluated. Key is for the actor of an access entry.
	ScopeList       = "scope:List"       // () []Scope
	ScopeRetired    = "scope:Retired"    // (name) []Retirement
	ScopeSearchable = "scope:Searchable" // (name) Searchable, with the one scope
	ScopeKey        = "scope:Key"        // (name, epoch, access id) Envelope

	// Deposit is submitted by any member with an enrolment certificate. It puts the
	// caller's own certificate on the ledger, so that others can verify signatures.
	CertificateDeposit = "certificate:Deposit" // ()
	// Evaluated. Unknown ids are left out.
	CertificateGet = "certificate:Get" // ([]string ids) []Certificate

	// Submitted by a clinical user or custodian of a hospital.
	RecordCreate = "record:Create" // (), transient: records and envelopes
	RecordAmend  = "record:Amend"  // (current version + 1), transient: one record, its envelope
	RecordReseal = "record:Reseal" // (), transient: records, seals and envelopes
	RecordErase  = "record:Erase"  // (reason, []NewErasure)
	// Evaluated. Unknown ids are left out. Envelope is for the actor of an access entry.
	RecordGet      = "record:Get"      // ([]string ids) []Record
	RecordVersions = "record:Versions" // ([]VersionName) []RecordVersion
	RecordEnvelope = "record:Envelope" // (id, version, access id) Envelope
	RecordErasing  = "record:Erasing"  // ([]string ids) []Erasure, those that wait for a second person

	// Submitted by an admin or authority of a hospital, for its keeper.
	ReplicaReport  = "replica:Report"  // (Keeping)
	ReplicaConfirm = "replica:Confirm" // ([]NewReceipt)
	ReplicaKeep    = "replica:Keep"    // (Presence)
	// Evaluated. Purged is for an admin or authority of a hospital, about the own peer.
	ReplicaReports  = "replica:Reports"  // () []Keeping
	ReplicaKeepers  = "replica:Keepers"  // () Consortium
	ReplicaPins     = "replica:Pins"     // ([]string transaction ids) []PinReceipt
	ReplicaReceipts = "replica:Receipts" // ([]string record ids) []Receipt
	ReplicaPurged   = "replica:Purged"   // ([]string record ids) []string, those without a wrapped key

	// Submitted by a clinical user or custodian of a hospital.
	IndexPut = "index:Put" // (), transient: entries
	// Evaluated. Values are padded base64, and empty for unknown labels.
	IndexGet    = "index:Get"    // ([]LabelBatch) [][]string
	IndexSearch = "index:Search" // (known generation, []LabelBatch) SearchAnswer

	// Submitted by a clinical user or custodian of a hospital.
	AccessRequest = "access:Request" // ([]string targets, purpose)

	// Evaluated for an auditor, custodian or admin. Erasures is for authorities too.
	AuditRecords  = "audit:Records"  // (RecordQuery) RecordPage
	AuditAccesses = "audit:Accesses" // (AccessQuery) AccessPage
	AuditHistory  = "audit:History"  // (record id) []HistoryEvent
	AuditErasures = "audit:Erasures" // (ErasureQuery) ErasurePage
)

// HospitalKeys is the private data collection of all wrapped keys. Its members are the
// hospitals, and not the regulator.
const HospitalKeys = "hospitalKeys"

// Limits on arguments. The chaincode refuses larger ones with [ErrInvalid].
const (
	MaxNewRecords      = 250       // records in one Create
	MaxRecordsPerCall  = 100       // ids in one Get, names in one Versions, targets in one Request
	MaxEnvelope        = 256 << 10 // bytes of one wrapped key
	MaxPayload         = 1 << 40   // bytes of one payload
	MaxRefusals        = 20        // refused payloads named in one Keeping
	MaxEntriesPerCall  = 4096      // index entries in one Put, labels in one Get
	MaxKeysPerCall     = 256       // attribute keys in one PublishKeys, Keys or KeyVersions
	MaxCertificates    = 100       // ids in one certificate:Get
	MaxAttributes      = 10000     // attributes of one authority
	MaxPublicKey       = 1024      // bytes of one public key
	MaxName            = 128       // bytes of an attribute's name or an enrolment id
	MaxScopeName       = 64        // bytes of a scope's name: lower-case letters, digits, '-', '_' and '.'
	MaxVersions        = 10000     // versions of a record, seals of a version, epochs of a scope
	MaxErasures        = 100       // records in one Erase
	MaxHistory         = 10000     // events in one History, versions in the answer of one Get
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

	// MaxClockSkew is the difference allowed between a transaction's time and the clock
	// of a server that endorses it.
	MaxClockSkew = 15 * time.Minute
)

// RoleAttribute is the certificate attribute that the contracts check, beside the MSP.
const RoleAttribute = "role"

// Roles that the contracts know. Every other role is a clinical one of the caller's
// hospital, such as doctor or nurse. Clinical users may seal, search and request access;
// their attribute keys decide which records they open.
const (
	RoleAdmin     = "admin"
	RoleAuditor   = "auditor"
	RoleAuthority = "authority"
	RoleCustodian = "custodian"
)

// Clinical tells whether people with a role seal, search and open records. Roles that run
// or audit machines do not. Every role that the contracts do not know is a clinical one.
func Clinical(role string) bool {
	return role != "" && role != RoleAdmin && role != RoleAuthority && role != RoleAuditor
}

// An Announcement tells the consortium where a hospital's attribute authority is.
type Announcement struct {
	URL       string `json:"url"`                                               // https address of the authority's key service
	Custodian string `json:"custodian" metadata:"custodian,optional"`           // age recipient of the hospital's records custodian
	Signature string `json:"signature,omitempty" metadata:"signature,optional"` // by the caller, see [Signature]
}

// An Authority is an announced attribute authority.
type Authority struct {
	MSP       string `json:"msp"`
	URL       string `json:"url"`
	Custodian string `json:"custodian" metadata:"custodian,optional"`
	Time      string `json:"time"` // of the announcement, see [FormatTime]
	Signature string `json:"signature,omitempty" metadata:"signature,optional"`
}

// An AttributeKey is the pinned public key of an attribute, in one version. An attribute
// has exactly one current version.
type AttributeKey struct {
	Name    string `json:"name"`    // MSPID:name or MSPID:name=value
	Version int    `json:"version"` // from 1; the next to publish is the current one + 1
	Key     string `json:"key"`     // padded base64 of the canonical encoding of package abe

	// Signature is by the hospital's authority, see [Signature]. Keys that were published
	// by an earlier release have none until the authority signs them.
	Signature string `json:"signature,omitempty" metadata:"signature,optional"`
}

// A Certificate is an enrolment certificate that its holder has put on the ledger.
type Certificate struct {
	ID  string `json:"id"`  // see [CertificateID]
	DER string `json:"der"` // padded base64
}

// An AttributeName is a published attribute in one version, without its key.
type AttributeName struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// An AttributeQuery selects the published attributes of one authority.
type AttributeQuery struct {
	Authority string `json:"authority"` // MSP
	PageSize  int    `json:"pageSize" metadata:"pageSize,optional"`
	Bookmark  string `json:"bookmark" metadata:"bookmark,optional"`
}

// An AttributePage is one page of attributes, in the order of names. Bookmark is empty on
// the last page only.
type AttributePage struct {
	Attributes []AttributeName `json:"attributes"`
	Bookmark   string          `json:"bookmark"`
}

// A Scope is a named search domain.
type Scope struct {
	Name  string `json:"name"`
	Epoch int    `json:"epoch"` // current; earlier ones stay searchable
	Owner string `json:"owner"` // MSP that created it
	Time  string `json:"time"`  // of the current epoch
}

// A Retirement says that a hospital has rewritten its index entries of all epochs up to
// this one under a later epoch. Searchers skip that hospital's entries of those epochs.
type Retirement struct {
	Scope string `json:"scope"`
	MSP   string `json:"msp"`
	Epoch int    `json:"epoch"`
	Actor string `json:"actor"`
	Time  string `json:"time"`

	Signature string `json:"signature,omitempty" metadata:"signature,optional"` // by the actor, see [Signature]
}

// A NewRecord is the record of a [RecordCreate] or [RecordAmend]. It travels in the
// transient map, with its envelope at the same position of the list beside it.
type NewRecord struct {
	ID         string `json:"id"`         // 32 lower-case hexadecimal digits, chosen at random by the client
	CID        string `json:"cid"`        // CIDv1, base32, of the payload
	Commitment string `json:"commitment"` // hex SHA-256(salt || plaintext)
	Size       int64  `json:"size"`       // bytes of the payload, 1 to MaxPayload
}

// A NewVersion is the version of a [RecordAmend].
type NewVersion struct {
	ID         string `json:"id"`
	Version    int    `json:"version"` // the current one + 1
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
	Size       int64  `json:"size"`
}

// A RecordVersion is the ledger's account of one version of a record. What its author
// sealed is written once. A version that was sealed again has the payload, the commitment
// and the size of its newest seal.
type RecordVersion struct {
	ID         string `json:"id"`
	Version    int    `json:"version"`
	Home       string `json:"home"` // MSP of the hospital that sealed it
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
	Size       int64  `json:"size,omitempty"` // bytes of the payload, as its author states; 0 in versions from before it was kept
	Author     string `json:"author"`         // actor, see [Actor]
	Time       string `json:"time"`
	Tx         string `json:"tx"`

	Seal     int    `json:"seal,omitempty" metadata:"seal,optional"`         // how often it was sealed again
	SealedBy string `json:"sealedBy,omitempty" metadata:"sealedBy,optional"` // actor of the newest seal, if there is one
	SealTime string `json:"sealTime,omitempty" metadata:"sealTime,optional"` // of the newest seal
	SealTx   string `json:"sealTx,omitempty" metadata:"sealTx,optional"`
}

// Resealed reports whether the version was sealed again.
func (v RecordVersion) Resealed() bool { return v.Seal > 0 }

// A Record has the versions of a record, oldest first, and at least one. It has all of
// them unless Earlier counts some that are left out, see [RecordGet].
type Record struct {
	ID       string          `json:"id"`
	Home     string          `json:"home"`
	Versions []RecordVersion `json:"versions"`
	Earlier  int             `json:"earlier,omitempty" metadata:"earlier,optional"` // oldest versions left out
	Erasure  *Erasure        `json:"erasure,omitempty" metadata:"erasure,optional"` // nil unless the record was erased
}

// Current gives the newest version.
func (r Record) Current() RecordVersion { return r.Versions[len(r.Versions)-1] }

// An Envelope is the answer of a call that hands out a wrapped key.
type Envelope struct {
	Data string `json:"data"` // padded base64 of an age file

	// ServedBy is the MSP of the chaincode server that answered. It differs between
	// organisations, so endorsements of this answer never agree, and the call cannot
	// become a valid transaction by mistake. A client also sees whether the organisation
	// that it asked answered.
	ServedBy string `json:"servedBy"`

	Seal int `json:"seal,omitempty" metadata:"seal,optional"` // of a version, see [SealNumber]
}

// A LabelBatch asks for the values of one hospital's labels.
type LabelBatch struct {
	MSP    string `json:"msp"`
	Labels string `json:"labels"` // padded base64 of joined labels, LabelSize bytes each
}

// A SearchAnswer has the values of labels, and what was searchable when they were read.
type SearchAnswer struct {
	Values     [][]string `json:"values"` // as from index:Get
	Searchable Searchable `json:"searchable"`
}

// A Searchable lists what a search covers. Its lists are empty if the caller knows the
// generation.
type Searchable struct {
	Generation  string       `json:"generation"`  // new after every change; empty before the first
	Scopes      []Scope      `json:"scopes"`      // in the order of names
	Hospitals   []string     `json:"hospitals"`   // MSP IDs with an announced authority, in order
	Retirements []Retirement `json:"retirements"` // of all scopes
}

// An AccessEntry says that an actor asked for the wrapped key of a target.
type AccessEntry struct {
	ID      string `json:"id"`     // see [AccessID]; unique together with the target
	Target  string `json:"target"` // a record id, or [ScopeTarget] of a scope
	Actor   string `json:"actor"`
	Purpose string `json:"purpose"`
	Time    string `json:"time"` // by the client's clock; the order of blocks is the ledger's own
	Tx      string `json:"tx"`
}

// A RecordQuery selects record versions for an auditor, or for their author, oldest
// first.
type RecordQuery struct {
	Record   string `json:"record" metadata:"record,optional"`
	Author   string `json:"author,omitempty" metadata:"author,optional"` // an actor, see [Actor]
	Since    string `json:"since" metadata:"since,optional"`             // inclusive, see [FormatTime]
	Until    string `json:"until" metadata:"until,optional"`             // exclusive
	PageSize int    `json:"pageSize" metadata:"pageSize,optional"`
	Bookmark string `json:"bookmark" metadata:"bookmark,optional"`
}

// A RecordPage is one page of record versions. Bookmark is empty on the last page only. A
// query that skips many rows may give a short or empty page with a bookmark.
type RecordPage struct {
	Versions []RecordVersion `json:"versions"`
	Bookmark string          `json:"bookmark"`
}

// An AccessQuery selects access entries for an auditor, oldest first. A query may have
// both Record and Actor.
type AccessQuery struct {
	Record   string `json:"record" metadata:"record,optional"` // a target
	Actor    string `json:"actor" metadata:"actor,optional"`
	Since    string `json:"since" metadata:"since,optional"`
	Until    string `json:"until" metadata:"until,optional"`
	PageSize int    `json:"pageSize" metadata:"pageSize,optional"`
	Bookmark string `json:"bookmark" metadata:"bookmark,optional"`
}

// An AccessPage is one page of access entries. Its bookmark is that of [RecordPage].
type AccessPage struct {
	Entries  []AccessEntry `json:"entries"`
	Bookmark string        `json:"bookmark"`
}

// A HistoryEvent is one event in the life of a record. Histories are in order of time.
type HistoryEvent struct {
	Time    string `json:"time"`
	Event   string `json:"event"` // "sealed", "amended", "resealed", "revoked", "erased" or "accessed"
	Actor   string `json:"actor"`
	Version int    `json:"version" metadata:"version,optional"`         // of a seal
	Purpose string `json:"purpose" metadata:"purpose,optional"`         // of accessed
	Reason  string `json:"reason,omitempty" metadata:"reason,optional"` // of erased
	Tx      string `json:"tx"`
}

// EventRecords is the chaincode event of [RecordCreate] and [RecordAmend], and of a
// [RecordReseal] with new payloads. Its content
// lists the payloads of the records, see [PackPayloads]. Replicators follow it to pin
// them.
const EventRecords = "records"
