// Package contract has the rules of the ledger: six contracts on
// fabric-contract-api-go v2, one for each concept.
//
//	authority   attribute authorities and their pinned public keys
//	scope       search domains, their epochs and wrapped keys
//	record      records, their versions and wrapped keys
//	index       encrypted keyword entries, write once
//	access      the access log
//	audit       what auditors read
//
// Package ledger has the names, types, keys and limits of their transactions. [New] makes
// the whole chaincode.
//
// # The path of a call
//
//	Chaincode.Invoke   checks the name and the number of arguments, and catches panics
//	contractapi        finds the contract's function
//	strict             reads the arguments by their schema, and refuses unknown fields
//	admit              reads the caller's certificate and checks MSP and role
//	check...           check every argument and the transient map, before any read
//	Context            reads state; a batch collects the writes and sends them at the end
//	refuse             gives errors a code of package ledger
//
// A transaction writes all or nothing.
//
// # Opening a record takes two calls
//
// The first call, Access.Request, is submitted: it writes an access entry. The second,
// Record.Envelope or Scope.Key, is evaluated on one peer: it gives the wrapped key to the
// actor of a committed and recent entry. No wrapped key is in a block, since a block has
// neither the transient map, through which keys come in, nor private data, nor the
// response of an evaluated call.
//
// # What is on the ledger
//
// The package comment of ledger lists what the public state has and never has. A block
// has new data once, in the write set: arguments and responses do not repeat it.
//
// The private data has the wrapped keys. Envelopes that were sealed together share a
// beginning, the encapsulation of their policy, which is stored once under its hash. It
// opens nothing without the rest of an envelope, and has the policy in clear text. When
// the rest of one envelope is purged, its record key is gone, and the others still open.
// Record.Reseal purges the envelopes that it replaces, and Record.Erase all of a record.
// A beginning stays: no transaction knows whether another envelope needs it.
//
// # Guarantees
//
// MSP, enrolment id and role of a caller come from the creator's certificate only.
//
// Two clients conflict only when they change the same attribute, scope, record or label,
// or publish new attributes of one authority, and then one of them must lose. A submitted
// transaction reads keys that are written once, and the key of the one attribute or scope
// that it changes. One reads a range: Authority.PublishKeys counts the attributes of its
// own authority when it publishes new ones.
//
// No list is cut off in silence. Point reads answer where names are known. Ranges are
// read in pages, and a list that is too long for one answer is an error.
//
// Every refusal has a code of package ledger. Failures of the peer are ErrUnavailable.
//
// # Limits
//
// The chaincode sees sizes, not content. It cannot tell whether an envelope has the right
// key, or whether a public key is a point on the curve; clients verify both. A peer's
// administrator can read the peer's database, private data included, without a call.
//
// The time of a transaction is its client's claim. A server with a clock endorses only
// claims within ledger.MaxClockSkew of it, see [Config.Clock]. The members' servers need
// clocks that agree better than that.
//
// # Determinism
//
// Endorsers must agree byte by byte, so the package uses no randomness, environment or
// goroutine, and never iterates over a map. TestDeterminism checks that. The one clock is
// that of [Config.Clock]: it decides whether a server endorses a transaction and never
// what the transaction writes. Endorsers that disagree about a timestamp near the bound
// fail to agree on a result, and nothing is written.
//
// The two calls that hand out wrapped keys are evaluated only, and their answers differ
// between organisations on purpose, see [ledger.Envelope].
package contract
